//===- ByteReaderTest.cpp -------------------------------------------------===//

#include "runtime/base/ByteReader.h"
#include "test/support/Expect.h"

#include <array>

using namespace quern;
using namespace quern::test;

static constexpr std::array<std::byte, 9> bytes = {
    std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},   std::byte{5},
    std::byte{6}, std::byte{7}, std::byte{8}, std::byte{0xFF}};

TEST(ByteReader, ReadsLittleEndianAtAnyAddress) {
  ByteReader reader(bytes);
  EXPECT_EQ(*reader.readU8(), 1);
  EXPECT_EQ(*reader.readU16(), 0x0302);
  EXPECT_EQ(*reader.readU32(), 0x07060504u);
  EXPECT_EQ(reader.offset(), 7u);
  EXPECT_EQ(reader.remaining(), 2u);
  ASSERT_TRUE(succeeds(reader.seek(1)));
  EXPECT_EQ(*reader.readU64(), 0xFF08070605040302u);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, ShortReadsNameTheOffsetAndDoNotMove) {
  ByteReader reader(bytes);
  ASSERT_TRUE(succeeds(reader.skip(6)));
  EXPECT_TRUE(failsWith(reader.readU32(), StatusCode::Corrupt,
                        "byte 6: expected 4 more bytes, found 3"));
  EXPECT_TRUE(
      failsWith(reader.readBytes(UINT64_MAX), StatusCode::Corrupt, "byte 6"));
  EXPECT_TRUE(failsWith(reader.skip(4), StatusCode::Corrupt, "byte 6"));
  EXPECT_TRUE(failsWith(reader.seek(10), StatusCode::Corrupt, "byte 10"));
  EXPECT_EQ(reader.offset(), 6u);
  EXPECT_EQ(reader.readBytes(3)->size(), 3u);
}
