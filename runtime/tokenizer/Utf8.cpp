//===- Utf8.cpp - decoding of untrusted UTF-8 -----------------------------===//

#include "runtime/tokenizer/Utf8.h"

namespace quern {

Utf8Character scanUtf8(std::string_view text) {
  auto byte = [&](size_t i) -> uint32_t {
    return static_cast<unsigned char>(text[i]);
  };
  uint32_t first = byte(0);
  if (first < 0x80)
    return {first, 1, Utf8Kind::Valid};
  if (first < 0xC2 || first > 0xF4)
    return {replacementCharacter, 1, Utf8Kind::Invalid};

  // The range of the second byte excludes overlong forms, surrogates and
  // code points above U+10FFFF.
  uint32_t low = 0x80, high = 0xBF;
  if (first == 0xE0)
    low = 0xA0;
  else if (first == 0xED)
    high = 0x9F;
  else if (first == 0xF0)
    low = 0x90;
  else if (first == 0xF4)
    high = 0x8F;

  uint32_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  uint32_t codepoint = first & (0x7Fu >> length);
  for (uint32_t i = 1; i != length; ++i) {
    if (i == text.size())
      return {replacementCharacter, i, Utf8Kind::Incomplete};
    uint32_t next = byte(i);
    if (next < low || next > high)
      return {replacementCharacter, i, Utf8Kind::Invalid};
    codepoint = codepoint << 6 | (next & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {codepoint, length, Utf8Kind::Valid};
}

void appendUtf8(uint32_t codepoint, std::string &text) {
  if (codepoint < 0x80) {
    text += static_cast<char>(codepoint);
    return;
  }
  if (codepoint < 0x800) {
    text += static_cast<char>(0xC0 | codepoint >> 6);
  } else {
    if (codepoint < 0x10000) {
      text += static_cast<char>(0xE0 | codepoint >> 12);
    } else {
      text += static_cast<char>(0xF0 | codepoint >> 18);
      text += static_cast<char>(0x80 | (codepoint >> 12 & 0x3F));
    }
    text += static_cast<char>(0x80 | (codepoint >> 6 & 0x3F));
  }
  text += static_cast<char>(0x80 | (codepoint & 0x3F));
}

std::string replaceInvalidUtf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    Utf8Character c = scanUtf8(text);
    result +=
        c.kind == Utf8Kind::Valid ? text.substr(0, c.length) : replacementUtf8;
    text.remove_prefix(c.length);
  }
  return result;
}

size_t countUtf8(std::string_view text) {
  size_t count = 0;
  for (char c : text)
    count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

bool isWhiteSpace(uint32_t c) {
  if (c < 0x80)
    return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

} // namespace quern
