//===- Escape.h - Untrusted names in messages and logs -----------*- C++
//-*-===//
//
// Names that come from files reach terminals and log files only through these:
// no control character, no invalid UTF-8, no text-direction override, bounded
// length.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_ESCAPE_H
#define QUERN_RUNTIME_BASE_ESCAPE_H

#include <cstddef>
#include <string>
#include <string_view>

namespace quern {

/// `text` with every byte that is not harmless printable UTF-8 written as
/// \xNN (or \n, \t, \r), backslash and quote escaped; at most about `maxBytes`
/// bytes of `text` are shown, the rest is replaced by "...".
std::string escapeText(std::string_view text, size_t maxBytes = 160);

/// The same in single quotes, for a name inside of a sentence.
std::string quoteName(std::string_view text, size_t maxBytes = 160);

/// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool isValidUtf8(std::string_view text);

/// Length in bytes of the well-formed UTF-8 sequence at the start of `text`
/// and its code point; length 0 if there is none.
struct Utf8Sequence {
  unsigned length = 0;
  char32_t codePoint = 0;
};
Utf8Sequence decodeUtf8(std::string_view text);

} // namespace quern

#endif // QUERN_RUNTIME_BASE_ESCAPE_H
