//===- ShardIndexTest.cpp - model.safetensors.index.json: groups 22, 24 ---===//

#include "frontend/HuggingFace/ShardIndex.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"

using namespace quern;
using namespace quern::test;

static std::string indexWith(std::string_view shard) {
  return "{\"weight_map\":{\"a\":\"" + std::string(shard) + "\"}}";
}

static testing::AssertionResult refused(std::string_view text,
                                        std::string_view message,
                                        StatusCode code = StatusCode::Corrupt) {
  return failsWith(parseShardIndex(text), code, message);
}

TEST(ShardIndex, Values) {
  Result<ShardIndex> index = parseShardIndex(
      R"({"metadata":{"total_size":12.0,"total_parameters":3},"weight_map":
          {"b":"m-2.safetensors","a":"m-1.safetensors","c":"m-2.safetensors"}})");
  ASSERT_TRUE(succeeds(index));
  EXPECT_EQ(index->totalSize, 12u);
  EXPECT_EQ(index->shards,
            (std::vector<std::string>{"m-1.safetensors", "m-2.safetensors"}));
  EXPECT_EQ(index->shardOf.find("c")->second, 1u);
  EXPECT_EQ(index->shardOf.find("a")->second, 0u);
}

TEST(ShardIndexBad, Group22ShardNames) {
  struct {
    std::string_view name, message;
  } cases[] = {
      {"/etc/passwd.safetensors", "holds a path separator"},
      {"../x.safetensors", "holds a path separator"},
      {"..", "names a folder"},
      {".", "names a folder"},
      {"a/b.safetensors", "holds a path separator"},
      {"a\\\\b.safetensors", "holds a path separator"},
      {"C:x.safetensors", "starts with a drive letter"},
      {"a\\u0000b.safetensors", "holds a control character"},
      {"a\\n.safetensors", "holds a control character"},
      {"", "is empty"},
  };
  for (const auto &c : cases)
    EXPECT_TRUE(refused(indexWith(c.name), c.message)) << c.name;
  EXPECT_TRUE(refused(indexWith(std::string(256, 'x')), "more than 255 bytes"));
  EXPECT_TRUE(refused(indexWith("../x"), "$.weight_map.a: file name '../x'"));
  EXPECT_TRUE(refused(indexWith("model.bin"), "expected a .safetensors file",
                      StatusCode::Unsupported));
}

TEST(ShardIndexBad, Structure) {
  EXPECT_TRUE(refused("", "byte 0"));
  EXPECT_TRUE(refused("[]", "$: expected an object"));
  EXPECT_TRUE(refused("{}", "expected a member 'weight_map'"));
  EXPECT_TRUE(refused("{\"weight_map\":[]}", "$.weight_map: expected an obj"));
  EXPECT_TRUE(refused("{\"weight_map\":{}}", "at least one tensor"));
  EXPECT_TRUE(
      refused("{\"weight_map\":{\"a\":1}}", "$.weight_map.a: expected"));
  EXPECT_TRUE(refused("{\"weight_map\":{\"a\":\"x\",\"a\":\"x\"}}",
                      "$.weight_map.a: duplicate key"));
  for (std::string_view total : {"-1", "1.5", "\"1\"", "1e300", "true"})
    EXPECT_TRUE(refused("{\"metadata\":{\"total_size\":" + std::string(total) +
                            "},\"weight_map\":{\"a\":\"x.safetensors\"}}",
                        "$.metadata.total_size: expected"))
        << total;
  EXPECT_TRUE(refused("{\"metadata\":3,\"weight_map\":{}}", "$.metadata: "));
}

TEST(ShardIndexBad, Group24TooManyShards) {
  std::string text = "{\"weight_map\":{";
  for (int i = 0; i <= 10'000; ++i)
    text += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":\"" +
            std::to_string(i) + ".safetensors\"";
  EXPECT_TRUE(refused(text + "}}", "$.weight_map: more than 10000 files"));
}

TEST(ShardIndexFault, F8OutOfMemory) {
  std::string text = indexWith("model-00001-of-00002.safetensors");
  EXPECT_GT(sweepAllocationFailures([&] { return parseShardIndex(text); }), 5u);
}
