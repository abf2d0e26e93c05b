//===- SafetensorsTest.cpp - Shards: groups 13 to 21 ----------------------===//

#include "frontend/HuggingFace/Safetensors.h"
#include "test/frontend/HuggingFace/Shards.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"
#include "test/support/TempDir.h"

#include <chrono>
#include <unistd.h>

using namespace quern;
using namespace quern::test;
using namespace std::string_literals;

/// Parses `header` as that of a file with `dataBytes` bytes of data.
static Result<SafetensorsHeader> parse(std::string_view header,
                                       uint64_t dataBytes) {
  return parseSafetensorsHeader(header, 8 + header.size() + dataBytes);
}

static Result<SafetensorsHeader> readShard(const TempDir &dir,
                                           std::string_view bytes) {
  QUERN_ASSIGN_OR_RETURN(File file,
                         File::open(dir.write("s.safetensors", bytes)));
  return readSafetensorsHeader(file);
}

static testing::AssertionResult refused(std::string_view header,
                                        uint64_t dataBytes,
                                        std::string_view message,
                                        StatusCode code = StatusCode::Corrupt) {
  return failsWith(parse(header, dataBytes), code, message);
}

/// A header with one tensor `a`.
static std::string one(std::string_view type, std::string_view shape,
                       uint64_t begin, uint64_t end) {
  return "{" + entry("a", type, shape, begin, end) + "}";
}

TEST(Safetensors, ReadsEntriesInOrderOfData) {
  TempDir dir;
  std::string header = "{" + entry("late", "BF16", "[2,2]", 12, 20) + "," +
                       "\"__metadata__\":{\"format\":\"pt\",\"x\":\"\"}," +
                       entry("early", "F32", "[3]", 0, 12) + "," +
                       entry("scalar", "I64", "[]", 20, 28) + "," +
                       entry("empty", "F16", "[0,7]", 20, 20) + "}   ";
  Result<SafetensorsHeader> parsed =
      readShard(dir, makeShard(header, std::string(28, 'x')));
  ASSERT_TRUE(succeeds(parsed));
  ASSERT_EQ(parsed->entries.size(), 4u);
  EXPECT_EQ(parsed->dataOffset, 8 + header.size());
  EXPECT_EQ(parsed->metadata.size(), 2u);
  EXPECT_EQ(parsed->entries[0].name, "early");
  EXPECT_EQ(parsed->entries[1].name, "late");
  EXPECT_EQ(parsed->entries[1].type, DataType::BF16);
  EXPECT_EQ(parsed->entries[1].shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(parsed->entries[1].offset, parsed->dataOffset + 12);
  EXPECT_EQ(parsed->entries[1].byteSize, 8u);
  EXPECT_EQ(parsed->entries[2].name, "empty");
  EXPECT_EQ(parsed->entries[3].shape, std::vector<int64_t>());
}

TEST(Safetensors, AllStandardTypes) {
#define QUERN_DATA_TYPE(name, spelling, bits)                                  \
  {                                                                            \
    Result<SafetensorsHeader> header =                                         \
        parse(one(spelling, "[8]", 0, bits), bits);                            \
    ASSERT_TRUE(succeeds(header)) << spelling;                                 \
    EXPECT_EQ(header->entries[0].type, DataType::name);                        \
  }
#include "runtime/base/DataTypes.inc"
}

TEST(Safetensors, NoTensors) { EXPECT_TRUE(succeeds(parse("{}", 0))); }

TEST(SafetensorsBad, Group13HeaderLength) {
  TempDir dir;
  auto refusedFile = [&](std::string_view bytes, std::string_view message) {
    return failsWith(readShard(dir, bytes), StatusCode::Corrupt, message);
  };
  EXPECT_TRUE(refusedFile("", "s.safetensors: the file has 0 bytes"));
  EXPECT_TRUE(refusedFile("1234567", "the file has 7 bytes"));
  EXPECT_TRUE(refusedFile("\0\0\0\0\0\0\0\0"s, "found an empty header"));
  EXPECT_TRUE(refusedFile("\xff\xff\xff\xff\xff\xff\xff\xff"s,
                          "byte 0: header length 18446744073709551615, "
                          "expected at most 100000000"));
  EXPECT_TRUE(refusedFile("\xf8\xff\xff\xff\xff\xff\xff\xff{}"s, "length 184"));
  EXPECT_TRUE(refusedFile("\x01\xe1\xf5\x05\0\0\0\0{}"s, "at most 100000000"));
  EXPECT_TRUE(refusedFile("\x03\0\0\0\0\0\0\0{}"s,
                          "header length 3, but the file has 10 bytes"));
  // A length that is allowed but not there must not be allocated.
  EXPECT_TRUE(refusedFile("\0\xe1\xf5\x05\0\0\0\0{}"s, "is it truncated?"));
}

TEST(SafetensorsBad, Group14HeaderText) {
  EXPECT_TRUE(refused(" {}", 0, "expected '{' at byte 8, found ' '"));
  EXPECT_TRUE(refused("[]", 0, "expected '{' at byte 8"));
  EXPECT_TRUE(refused("{\"a\xff\":1}", 0, "header: byte 3: not UTF-8"));
  EXPECT_TRUE(refused("{", 0, "byte 1: expected a key"));
  EXPECT_TRUE(refused("{}\0"s, 0, "byte 2: expected the end of the text"));
  EXPECT_TRUE(refused("{\"a\":{\"b\":[[]]}}", 0, "nested deeper than 3"));
  std::string twice = entry("a", "U8", "[1]", 0, 1);
  EXPECT_TRUE(
      refused("{" + twice + "," + twice + "}", 1, "$.a: duplicate key"));
  EXPECT_TRUE(refused("{\"__metadata__\":[]}", 0,
                      "$.__metadata__: expected an object"));
  EXPECT_TRUE(refused("{\"__metadata__\":{\"format\":1}}", 0,
                      "$.__metadata__.format: expected a string, found 1"));
  EXPECT_TRUE(refused("{\"a\":7}", 0, "$.a: expected an object, found 7"));
  EXPECT_TRUE(refused("{\"a\":{}}", 0, "$.a: expected a member 'dtype'"));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0,
                      "expected a member 'data_offsets'"));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0,
                      "expected a member 'shape'"));
  EXPECT_TRUE(refused("{\"a\":{\"strides\":[1]}}", 0,
                      "$.a.strides: unknown member of a tensor"));
}

TEST(SafetensorsBad, Group15Types) {
  EXPECT_TRUE(refused(one("Q4_K", "[1]", 0, 1), 1,
                      "$.a.dtype: unknown element type 'Q4_K'",
                      StatusCode::Unsupported));
  EXPECT_TRUE(refused(one("bf16", "[1]", 0, 2), 2, "unknown element type",
                      StatusCode::Unsupported));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[]}}",
                      0, "$.a.dtype: expected a string"));
  EXPECT_TRUE(refused(one("F4", "[3]", 0, 2), 2,
                      "3 elements of 4 bits do not fill whole bytes"));
  EXPECT_TRUE(refused(one("F6_E2M3", "[2]", 0, 2), 2, "6 bits do not fill"));
}

TEST(SafetensorsBad, Group16Shapes) {
  EXPECT_TRUE(refused(one("U8", "[-1]", 0, 0), 0,
                      "$.a.shape[0]: expected a dimension that is not "
                      "negative, found -1"));
  EXPECT_TRUE(refused(one("U8", "[1.5]", 0, 1), 1, "expected an integer"));
  EXPECT_TRUE(refused(one("U8", "[1.0]", 0, 1), 1, "expected an integer"));
  EXPECT_TRUE(refused(one("U8", "[\"1\"]", 0, 1), 1, "expected an integer"));
  EXPECT_TRUE(
      refused(one("U8", "[9223372036854775808]", 0, 1), 1, "at most 63 bits"));
  EXPECT_TRUE(refused(one("U8", "[18446744073709551616]", 0, 1), 1,
                      "does not fit 64 bits"));
  EXPECT_TRUE(refused(one("U8", "[1,1,1,1,1,1,1,1,1]", 0, 1), 1,
                      "9 dimensions, expected at most 8"));
  EXPECT_TRUE(refused(one("U8", "7", 0, 7), 7, "expected an array"));
  // Products that wrap: to zero, to one, and only when widened to bytes.
  EXPECT_TRUE(refused(one("U8", "[4294967296,4294967296]", 0, 0), 0,
                      "the size overflows 64 bits"));
  EXPECT_TRUE(
      refused(one("U8", "[9223372036854775807,2,0]", 0, 0), 0, "overflows"));
  EXPECT_TRUE(
      refused(one("F32", "[4611686018427387904]", 0, 0), 0, "overflows"));
}

TEST(SafetensorsBad, Group17Ranges) {
  EXPECT_TRUE(refused(one("U8", "[4]", 4, 0), 4,
                      "expected the begin before the end, found [4, 0]"));
  EXPECT_TRUE(refused(one("U8", "[5]", 0, 5), 4,
                      "[0, 5] ends outside of the data, which have 4 bytes"));
  EXPECT_TRUE(refused(one("U8", "[4]", 18446744073709551612u, UINT64_MAX), 4,
                      "ends outside"));
  EXPECT_TRUE(refused(one("F32", "[2]", 0, 4), 4,
                      "holds 4 bytes, but shape and type ask for 8"));
  EXPECT_TRUE(refused(one("F32", "[0]", 0, 4), 4, "ask for 0"));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],"
                      "\"data_offsets\":[0]}}",
                      1, "expected two offsets, found 1"));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],"
                      "\"data_offsets\":[-1,0]}}",
                      1,
                      "$.a.data_offsets[0]: expected an integer that is not "
                      "negative"));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],"
                      "\"data_offsets\":{}}}",
                      1, "$.a.data_offsets: expected an array"));
}

TEST(SafetensorsBad, Group18Cover) {
  std::string a = entry("a", "U8", "[4]", 0, 4);
  EXPECT_TRUE(refused("{" + a + "," + entry("b", "U8", "[4]", 2, 6) + "}", 6,
                      "tensor 'b': its data start at byte 2 of the data, "
                      "expected byte 4: tensors overlap"));
  EXPECT_TRUE(refused("{" + a + "," + entry("b", "U8", "[4]", 0, 4) + "}", 4,
                      "tensors overlap"));
  EXPECT_TRUE(refused("{" + a + "," + entry("b", "U8", "[4]", 6, 10) + "}", 10,
                      "expected byte 4: bytes that belong to no tensor"));
  EXPECT_TRUE(
      refused("{" + entry("a", "U8", "[4]", 1, 5) + "}", 5, "expected byte 0"));
  EXPECT_TRUE(refused("{" + a + "}", 7,
                      "3 bytes at the end of the file belong to no tensor"));
  EXPECT_TRUE(refused("{}", 1, "1 bytes at the end"));
  EXPECT_TRUE(refused("{" + a + "," + entry("e", "U8", "[0]", 2, 2) + "}", 4,
                      "overlap"));
}

TEST(SafetensorsBad, Group19EveryPrefixIsRefused) {
  TempDir dir;
  std::string bytes = makeShard("{" + entry("a", "F32", "[2]", 0, 8) + "," +
                                    entry("b", "BF16", "[3]", 8, 14) + "}",
                                std::string(14, 'd'));
  ASSERT_TRUE(succeeds(readShard(dir, bytes)));
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_TRUE(failsWith(readShard(dir, bytes.substr(0, length)),
                          StatusCode::Corrupt, "s.safetensors: "))
        << length;
  EXPECT_TRUE(failsWith(readShard(dir, bytes + "x"), StatusCode::Corrupt,
                        "1 bytes at the end of the file"));
}

TEST(SafetensorsBad, Group20Names) {
  EXPECT_TRUE(refused("{" + entry("", "U8", "[1]", 0, 1) + "}", 1,
                      "tensor name '' is empty"));
  EXPECT_TRUE(
      refused("{" + entry(std::string(1025, 'n'), "U8", "[1]", 0, 1) + "}", 1,
              "has more than 1024 bytes"));
  EXPECT_TRUE(refused("{" + entry("a\\u0000b", "U8", "[1]", 0, 1) + "}", 1,
                      "tensor name 'a\\x00b' holds a control character"));
  EXPECT_TRUE(refused("{" + entry("a\\nb", "U8", "[1]", 0, 1) + "}", 1,
                      "'a\\nb' holds a control character"));
  EXPECT_TRUE(refused("{" + entry("\\u001b[2J", "U8", "[1]", 0, 1) + "}", 1,
                      "'\\x1b[2J' holds a control character"));
  // Invisible characters are allowed, but never shown as such.
  EXPECT_TRUE(refused("{" + entry("x\\u202e", "U8", "[2]", 0, 1) + "}", 1,
                      "$['x\\xe2\\x80\\xae']"));
}

TEST(SafetensorsBad, HugeHeaderIsRefusedFast) {
  auto start = std::chrono::steady_clock::now();
  // Many tiny values: no tree of them may be built.
  std::string header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1";
  for (int i = 0; i < 2'000'000; ++i)
    header += ",1";
  header += "],\"data_offsets\":[0,1]}}";
  EXPECT_TRUE(refused(header, 1, "more than"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(SafetensorsFault, F8OutOfMemory) {
  TempDir dir;
  std::string path = dir.write(
      "s.safetensors",
      makeShard(
          "{\"__metadata__\":{\"format\":\"a long value for no reason\"}," +
              entry("a.name.that.is.long", "F32", "[2]", 0, 8) + "}",
          std::string(8, 'd')));
  Result<File> file = File::open(path);
  ASSERT_TRUE(succeeds(file));
  EXPECT_GT(
      sweepAllocationFailures([&] { return readSafetensorsHeader(*file); }),
      10u);
}
