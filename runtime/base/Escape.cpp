//===- Escape.cpp - Untrusted names in messages and logs ------------------===//

#include "runtime/base/Escape.h"

using namespace quern;

Utf8Sequence quern::decodeUtf8(std::string_view text) {
  if (text.empty())
    return {};
  auto byteAt = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byteAt(0);
  if (lead < 0x80)
    return {1, lead};
  unsigned length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length)
    return {};
  char32_t codePoint = lead & (0x7F >> length);
  for (unsigned i = 1; i < length; ++i) {
    if ((byteAt(i) & 0xC0) != 0x80)
      return {};
    codePoint = (codePoint << 6) | (byteAt(i) & 0x3F);
  }
  bool overlong = (length == 3 && codePoint < 0x800) ||
                  (length == 4 && codePoint < 0x10000);
  bool surrogate = codePoint >= 0xD800 && codePoint <= 0xDFFF;
  if (overlong || surrogate || codePoint > 0x10FFFF)
    return {};
  return {length, codePoint};
}

bool quern::isValidUtf8(std::string_view text) {
  while (!text.empty()) {
    Utf8Sequence sequence = decodeUtf8(text);
    if (sequence.length == 0)
      return false;
    text.remove_prefix(sequence.length);
  }
  return true;
}

/// Characters that move the cursor, reorder text or cannot be seen.
static bool isHarmful(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xAD ||
         (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF0 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
}

static void appendHex(std::string &out, std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  for (unsigned char byte : bytes) {
    out += "\\x";
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

std::string quern::escapeText(std::string_view text, size_t maxBytes) {
  std::string out;
  size_t shown = 0;
  while (shown < text.size()) {
    if (shown >= maxBytes) {
      out += "...";
      break;
    }
    Utf8Sequence sequence = decodeUtf8(text.substr(shown));
    std::string_view bytes =
        text.substr(shown, sequence.length == 0 ? 1 : sequence.length);
    shown += bytes.size();
    if (sequence.length == 0) {
      appendHex(out, bytes);
      continue;
    }
    switch (sequence.codePoint) {
    case '\n':
      out += "\\n";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\\':
    case '\'':
      out += '\\';
      out += bytes;
      break;
    default:
      if (isHarmful(sequence.codePoint))
        appendHex(out, bytes);
      else
        out += bytes;
    }
  }
  return out;
}

std::string quern::quoteName(std::string_view text, size_t maxBytes) {
  return "'" + escapeText(text, maxBytes) + "'";
}
