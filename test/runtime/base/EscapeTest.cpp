//===- EscapeTest.cpp -----------------------------------------------------===//

#include "runtime/base/Escape.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace std::string_view_literals;

TEST(Escape, KeepsHarmlessText) {
  EXPECT_EQ(escapeText("model.layers.0.q_proj"), "model.layers.0.q_proj");
  EXPECT_EQ(escapeText("größe 模型"), "größe 模型");
}

TEST(Escape, EscapesControlAndInvisibleCharacters) {
  EXPECT_EQ(escapeText("a\nb\tc\rd\0e\x1b[31m"sv),
            "a\\nb\\tc\\rd\\x00e\\x1b[31m");
  // C1 control, right-to-left override, zero-width space.
  EXPECT_EQ(escapeText("\u009b\u202e\u200b"),
            "\\xc2\\x9b\\xe2\\x80\\xae\\xe2\\x80\\x8b");
}

TEST(Escape, EscapesBrokenUtf8ByteByByte) {
  EXPECT_EQ(escapeText("\xff\xc0\x80\xed\xa0\x80z"),
            "\\xff\\xc0\\x80\\xed\\xa0\\x80z");
  EXPECT_EQ(escapeText("\xe4\xb8"), "\\xe4\\xb8");
}

TEST(Escape, QuotesAndCutsLongText) {
  EXPECT_EQ(quoteName("it's \\"), "'it\\'s \\\\'");
  EXPECT_EQ(escapeText(std::string(500, 'x'), 10), "xxxxxxxxxx...");
}

TEST(Utf8, Validity) {
  EXPECT_TRUE(isValidUtf8("\U0010FFFF\uD7FF\uE000"));
  for (std::string_view bad :
       {"\xf4\x90\x80\x80"sv, "\xf0\x80\x80\x80"sv, "\xe0\x9f\xbf"sv,
        "\xc1\xbf"sv, "\x80"sv, "\xed\xbf\xbf"sv, "\xf8"sv, "\xc2"sv})
    EXPECT_FALSE(isValidUtf8(bad)) << escapeText(bad);
}
