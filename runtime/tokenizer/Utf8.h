//===- Utf8.h - decoding of untrusted UTF-8 ---------------------*- C++ -*-===//
//
// Escape.h answers whether text is well-formed; this says what to do when it is
// not. Ill-formed input is cut into
// maximal subparts (Unicode, table 3-7): each becomes one U+FFFD, as in the
// WHATWG decoder, Rust's from_utf8_lossy and Python's errors="replace".
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_UTF8_H
#define QUERN_RUNTIME_TOKENIZER_UTF8_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quern {

inline constexpr uint32_t replacementCharacter = 0xFFFD;
inline constexpr std::string_view replacementUtf8 = "\xEF\xBF\xBD";

enum class Utf8Kind : uint8_t {
  Valid,
  Invalid,    ///< no continuation can make it valid
  Incomplete, ///< the text ends inside the character
};

struct Utf8Character {
  uint32_t codepoint; ///< U+FFFD unless valid
  uint32_t length;    ///< bytes taken, at least 1
  Utf8Kind kind;
};

/// The character at the front of `text`, which must not be empty.
Utf8Character scanUtf8(std::string_view text);

/// The same for text known to be valid and not empty.
inline Utf8Character scanValidUtf8(std::string_view text) {
  auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80)
    return {first, 1, Utf8Kind::Valid};
  return scanUtf8(text);
}

/// Appends a code point (at most 0x10FFFF, no surrogate).
void appendUtf8(uint32_t codepoint, std::string &text);

/// A copy in which every ill-formed subpart is U+FFFD.
std::string replaceInvalidUtf8(std::string_view text);

/// The number of characters of valid UTF-8.
size_t countUtf8(std::string_view text);

/// The property White_Space.
bool isWhiteSpace(uint32_t codepoint);

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_UTF8_H
