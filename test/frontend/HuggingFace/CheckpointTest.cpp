//===- CheckpointTest.cpp - Weights of a folder: groups 19, 23 to 28 ------===//

#include "frontend/HuggingFace/Checkpoint.h"
#include "frontend/HuggingFace/TensorData.h"
#include "test/frontend/HuggingFace/Shards.h"
#include "test/support/Expect.h"
#include "test/support/TempDir.h"

#include <chrono>
#include <sys/stat.h>
#include <unistd.h>

using namespace quern;
using namespace quern::test;
using namespace std::string_literals;

namespace {
/// A checkpoint folder in the making.
class CheckpointTest : public testing::Test {
protected:
  Result<Checkpoint> open(const CheckpointOptions &options = {}) {
    QUERN_ASSIGN_OR_RETURN(ModelDir folder, ModelDir::open(dir.str()));
    return Checkpoint::open(folder, options);
  }
  testing::AssertionResult refused(std::string_view message,
                                   StatusCode code = StatusCode::Corrupt) {
    return failsWith(open(), code, message);
  }

  /// A file with one tensor [2, 2] of `type`.
  void writeShard(std::string_view file, std::string_view tensor,
                  std::string_view type = "F32") {
    size_t bytes = type == "F32" ? 16 : 8;
    dir.write(file,
              makeShard("{" + entry(tensor, type, "[2,2]", 0, bytes) + "}",
                        std::string(bytes, 1)));
  }
  void writeIndex(std::string_view map, std::string_view metadata = "{}") {
    dir.write("model.safetensors.index.json",
              "{\"metadata\":" + std::string(metadata) + ",\"weight_map\":{" +
                  std::string(map) + "}}");
  }
  /// Two shards with `a` and `b` and their index.
  void writePair() {
    writeShard("1.safetensors", "a");
    writeShard("2.safetensors", "b");
    writeIndex(pairMap, "{\"total_size\":32}");
  }
  static constexpr std::string_view pairMap =
      "\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"";

  TempDir dir;
};
} // namespace

TEST_F(CheckpointTest, SingleFile) {
  writeShard("model.safetensors", "a");
  Result<Checkpoint> checkpoint = open();
  ASSERT_TRUE(succeeds(checkpoint));
  const StoredTensor *tensor = checkpoint->find("a");
  ASSERT_TRUE(tensor);
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(tensor->bytes.size(), 16u);
  EXPECT_EQ(tensor->bytes[15], std::byte{1});
  EXPECT_EQ(readBytes(dir.file("model.safetensors")).size(),
            tensor->offset + tensor->bytes.size());
  EXPECT_FALSE(checkpoint->find("b"));
  EXPECT_TRUE(checkpoint->getWarnings().empty());
}

TEST_F(CheckpointTest, Sharded) {
  writePair();
  Result<Checkpoint> checkpoint = open();
  ASSERT_TRUE(succeeds(checkpoint));
  Checkpoint moved = std::move(*checkpoint);
  EXPECT_EQ(moved.getFiles(),
            (std::vector<std::string>{"1.safetensors", "2.safetensors"}));
  EXPECT_EQ(moved.find("b")->file, 1u);
  EXPECT_EQ(moved.describe(*moved.find("b")), "2.safetensors: tensor 'b'");
}

TEST_F(CheckpointTest, Group21MisalignedTensorIsRead) {
  // An odd header length puts every element at an odd address.
  std::string header = "{" + entry("a", "F32", "[2]", 0, 8) + "}";
  if (header.size() % 2 == 0)
    header += " ";
  dir.write("model.safetensors", makeShard(header, "\0\0\xC0\x3F\0\0\0\xC0"s));
  Result<Checkpoint> checkpoint = open();
  ASSERT_TRUE(succeeds(checkpoint));
  const StoredTensor *tensor = checkpoint->find("a");
  EXPECT_NE(reinterpret_cast<uintptr_t>(tensor->bytes.data()) % 4, 0u);
  EXPECT_EQ(*readFloats(*tensor), (std::vector<float>{1.5f, -2.0f}));
}

TEST_F(CheckpointTest, NoWeights) {
  EXPECT_TRUE(refused("found neither model.safetensors nor "
                      "model.safetensors.index.json",
                      StatusCode::NotFound));
  dir.write("pytorch_model.bin", "x");
  EXPECT_TRUE(refused("'pytorch_model.bin': only safetensors are read",
                      StatusCode::Unsupported));
}

TEST_F(CheckpointTest, Group19TruncatedShardIsRefused) {
  writePair();
  std::string shard = readBytes(dir.file("2.safetensors"));
  for (size_t length = 0; length < shard.size(); ++length) {
    dir.write("2.safetensors", std::string_view(shard).substr(0, length));
    EXPECT_TRUE(refused("/2.safetensors: ")) << length;
  }
}

TEST_F(CheckpointTest, Group23MissingOrSpecialShard) {
  writePair();
  std::string path = dir.file("2.safetensors");
  std::filesystem::remove(path);
  EXPECT_TRUE(refused("listed in model.safetensors.index.json: " + path +
                          ": cannot open: No such file",
                      StatusCode::NotFound));
  auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_TRUE(refused("found a FIFO", StatusCode::InvalidArgument));
  std::filesystem::remove(path);
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_TRUE(refused("found a directory", StatusCode::InvalidArgument));
  std::filesystem::remove(path);
  ASSERT_EQ(::symlink("/dev/zero", path.c_str()), 0);
  EXPECT_TRUE(refused("found a device", StatusCode::InvalidArgument));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_F(CheckpointTest, Group24TensorNotInItsShard) {
  writePair();
  writeIndex("\"a\":\"1.safetensors\",\"b\":\"2.safetensors\","
             "\"c\":\"2.safetensors\"");
  EXPECT_TRUE(refused("lists tensor 'c' in 2.safetensors, which lacks it"));
  writeIndex("\"a\":\"2.safetensors\",\"b\":\"1.safetensors\"");
  EXPECT_TRUE(
      refused("lists tensor 'a' in 2.safetensors, but it is in 1.safetensors"));
}

TEST_F(CheckpointTest, Group24TensorInTwoShards) {
  writePair();
  writeShard("2.safetensors", "a");
  EXPECT_TRUE(
      refused("tensor 'a' is in two files, 1.safetensors and 2.safetensors"));
}

TEST_F(CheckpointTest, Group24TensorThatTheIndexDoesNotList) {
  writePair();
  dir.write("2.safetensors",
            makeShard("{" + entry("b", "U8", "[1]", 0, 1) + "," +
                          entry("x", "U8", "[1]", 1, 2) + "}",
                      "xy"));
  writeIndex(pairMap);
  EXPECT_TRUE(refused("does not list tensor 'x', which is in 2.safetensors"));
  CheckpointOptions options;
  options.strictIndex = false;
  Result<Checkpoint> checkpoint = open(options);
  ASSERT_TRUE(succeeds(checkpoint));
  EXPECT_EQ(checkpoint->getWarnings().size(), 1u);
}

TEST_F(CheckpointTest, Group24WrongTotalSize) {
  writePair();
  writeIndex(pairMap, "{\"total_size\":33}");
  EXPECT_TRUE(refused("$.metadata.total_size: found 33, but the tensors have "
                      "32 bytes"));
  CheckpointOptions options;
  options.strictIndex = false;
  EXPECT_TRUE(succeeds(open(options)));
}

TEST_F(CheckpointTest, Group24ShardThatNobodyLists) {
  writePair();
  writeShard("3.safetensors", "c");
  Result<Checkpoint> checkpoint = open();
  ASSERT_TRUE(succeeds(checkpoint));
  ASSERT_EQ(checkpoint->getWarnings().size(), 1u);
  EXPECT_NE(checkpoint->getWarnings()[0].find("3.safetensors: not part"),
            std::string::npos);
  EXPECT_FALSE(checkpoint->find("c"));
}

TEST_F(CheckpointTest, Group25RequiredAndExtraTensors) {
  writePair();
  Result<Checkpoint> checkpoint = open();
  ASSERT_TRUE(succeeds(checkpoint));
  auto check = [&](std::vector<ExpectedTensor> expected,
                   bool refuseExtra = false) {
    TensorCheckOptions options;
    options.refuseExtra = refuseExtra;
    return checkTensors(*checkpoint, expected, options);
  };
  ExpectedTensor a{"a", {2, 2}}, b{"b", {2, 2}};
  EXPECT_TRUE(succeeds(check({a, b}, true)));
  EXPECT_TRUE(succeeds(check({a, b, {"optional", {1}, true}}, true)));
  EXPECT_TRUE(
      failsWith(check({a, b, {"c", {1}}, {"d", {1}}}), StatusCode::Corrupt,
                "tensor 'c' is missing from the checkpoint, and 1 more"));
  EXPECT_TRUE(failsWith(check({a, {"b", {4}}}), StatusCode::Corrupt,
                        "2.safetensors: tensor 'b': expected shape [4], found "
                        "[2, 2]"));
  EXPECT_TRUE(failsWith(check({a, {"b", {2, 3}, true}}), StatusCode::Corrupt,
                        "expected shape [2, 3]"));
  EXPECT_EQ(*check({a}), std::vector<std::string>{"b"});
  EXPECT_TRUE(failsWith(check({a}, true), StatusCode::Corrupt,
                        "tensor 'b': the model has no such tensor"));
}

TEST_F(CheckpointTest, Group25WrongElementType) {
  dir.write("model.safetensors",
            makeShard("{" + entry("a", "I8", "[2]", 0, 2) + "}", "xy"));
  Result<Checkpoint> checkpoint = open();
  ASSERT_TRUE(succeeds(checkpoint));
  ExpectedTensor expected[] = {{"a", {2}}};
  EXPECT_TRUE(failsWith(checkTensors(*checkpoint, expected),
                        StatusCode::Unsupported,
                        "expected element type F32, F16 or BF16, found I8"));
}

TEST_F(CheckpointTest, Group25TiedEmbeddings) {
  std::string header = "{" + entry("embed", "U8", "[2]", 0, 2) + "," +
                       entry("head", "U8", "[2]", 2, 4) + "}";
  dir.write("model.safetensors", makeShard(header, "xyxy"));
  Result<Checkpoint> equal = open();
  ASSERT_TRUE(succeeds(equal));
  EXPECT_TRUE(succeeds(checkTiedEmbeddings(*equal, "embed", "head")));
  EXPECT_TRUE(succeeds(checkTiedEmbeddings(*equal, "embed", "absent")));
  TempDir other;
  other.write("model.safetensors", makeShard(header, "xyxz"));
  Result<ModelDir> folder = ModelDir::open(other.str());
  ASSERT_TRUE(succeeds(folder));
  Result<Checkpoint> different = Checkpoint::open(*folder);
  ASSERT_TRUE(succeeds(different));
  EXPECT_TRUE(failsWith(checkTiedEmbeddings(*different, "embed", "head"),
                        StatusCode::Corrupt,
                        "tensor 'head': differs from 'embed', although "
                        "tie_word_embeddings is true"));
}

TEST_F(CheckpointTest, Group27StrictWeights) {
  dir.write("model.safetensors",
            makeShard("{" + entry("a", "BF16", "[3]", 0, 6) + "}",
                      "\x80\x3F\x80\x7F\x80\x3F"s));
  Result<Checkpoint> checkpoint = open();
  ASSERT_TRUE(succeeds(checkpoint));
  uint64_t byte = checkpoint->find("a")->offset + 2;
  EXPECT_TRUE(failsWith(checkFiniteWeights(*checkpoint), StatusCode::Corrupt,
                        "model.safetensors: tensor 'a': element 1 at byte " +
                            std::to_string(byte) + " is not finite"));
}

TEST_F(CheckpointTest, Group28TwoSetsOfWeights) {
  writePair();
  writeShard("model.safetensors", "a", "BF16");
  EXPECT_TRUE(refused("found both model.safetensors and "
                      "model.safetensors.index.json",
                      StatusCode::Unsupported));
  // An index may name the file model.safetensors itself.
  writeIndex("\"a\":\"model.safetensors\"");
  EXPECT_TRUE(succeeds(open()));
}

TEST_F(CheckpointTest, Group28DifferentTypePerShard) {
  writePair();
  writeShard("2.safetensors", "b", "BF16");
  writeIndex(pairMap);
  EXPECT_TRUE(refused("2.safetensors: tensor 'b' has element type BF16, but "
                      "1.safetensors: tensor 'a' has F32",
                      StatusCode::Unsupported));
}

TEST_F(CheckpointTest, VectorsMayHaveAnotherType) {
  dir.write("model.safetensors",
            makeShard("{" + entry("a", "BF16", "[1,2]", 0, 4) + "," +
                          entry("norm", "F32", "[1]", 4, 8) + "}",
                      "abcdefgh"));
  EXPECT_TRUE(succeeds(open()));
}
