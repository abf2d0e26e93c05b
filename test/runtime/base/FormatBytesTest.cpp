//===- FormatBytesTest.cpp - Byte counts as text --------------------------===//

#include "runtime/base/FormatBytes.h"

#include <gtest/gtest.h>

using namespace quern;

TEST(FormatBytes, SaysTheUnitAndTheExactNumber) {
  EXPECT_EQ(formatBytes(0), "0 bytes");
  EXPECT_EQ(formatBytes(1023), "1023 bytes");
  EXPECT_EQ(formatBytes(uint64_t(64) << 20), "64.0 MiB (67108864 bytes)");
}

TEST(FormatBytes, IsShortInTables) {
  EXPECT_EQ(formatShortBytes(512), "512 B");
  EXPECT_EQ(formatShortBytes(1536), "1.50 KiB");
  EXPECT_EQ(formatShortBytes(uint64_t(3) << 29), "1.50 GiB");
  EXPECT_EQ(formatShortBytes(UINT64_MAX, 0), "16384 PiB");
}
