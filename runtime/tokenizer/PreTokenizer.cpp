//===- PreTokenizer.cpp - the split rules of the Qwen families ------------===//
//
// Both expressions are, with L the letters (for Qwen3.5 also the marks), N the
// numbers and S white space, in order of preference:
//   1. '(s|t|re|ve|m|ll|d), ignoring case
//   2. [^\r\nLN]?L+
//   3. N
//   4.  ?[^SLN]+[\r\n]*
//   5. S*[\r\n]+
//   6. S+(?!\S)
//   7. S+
// In Qwen3.5's alternative 2 the optional first character may itself be a
// mark; taking marks as letters gives the same pieces.
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/PreTokenizer.h"

#include "runtime/tokenizer/Utf8.h"

#include <array>
#include <utf8proc.h>

namespace quern {

static constexpr std::array<std::string_view, numSplitPatterns> patternRegexes =
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
     R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
     R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};

std::optional<SplitPattern> findSplitPattern(std::string_view regex) {
  for (uint32_t i = 0; i != numSplitPatterns; ++i)
    if (regex == patternRegexes[i])
      return static_cast<SplitPattern>(i);
  return std::nullopt;
}

PreTokenizer::Character PreTokenizer::characterAt(size_t at) {
  if (at == text.size())
    return {0, at, Class::End};
  ++steps;
  Utf8Character c = scanValidUtf8(text.substr(at));
  Character result{c.codepoint, at + c.length, Class::Other};
  if (c.codepoint == '\n' || c.codepoint == '\r') {
    result.kind = Class::Newline;
    return result;
  }
  if (isWhiteSpace(c.codepoint)) {
    result.kind = Class::Space;
    return result;
  }
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c.codepoint))) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
    result.kind = Class::Letter;
    break;
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
    if (pattern == SplitPattern::Qwen3_5)
      result.kind = Class::Letter;
    break;
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_NO:
    result.kind = Class::Number;
    break;
  default:
    break;
  }
  return result;
}

size_t PreTokenizer::skipWhile(Class kind, size_t at) {
  for (Character c = characterAt(at); c.kind == kind; c = characterAt(at))
    at = c.end;
  return at;
}

/// The end of a contraction whose apostrophe ends at `at`, or `at` itself.
size_t PreTokenizer::contractionEnd(size_t at) {
  // Letters are compared with their case folded; U+017F folds to s.
  auto folded = [&](const Character &c) -> uint32_t {
    if (c.codepoint >= 'A' && c.codepoint <= 'Z')
      return c.codepoint + ('a' - 'A');
    return c.codepoint == 0x17F ? 's' : c.codepoint;
  };
  Character first = characterAt(at);
  uint32_t a = folded(first);
  if (a == 's' || a == 't' || a == 'm' || a == 'd')
    return first.end;
  if (a != 'r' && a != 'v' && a != 'l')
    return at;
  Character second = characterAt(first.end);
  return folded(second) == (a == 'l' ? 'l' : 'e') ? second.end : at;
}

/// Alternatives 5 to 7 for the white space that begins with `first`.
size_t PreTokenizer::whitespaceEnd(const Character &first) {
  size_t lastBegin = position, end = first.end;
  size_t newlineEnd = first.kind == Class::Newline ? first.end : position;
  Character c = characterAt(end);
  for (; c.kind == Class::Space || c.kind == Class::Newline;
       c = characterAt(end)) {
    lastBegin = end;
    end = c.end;
    if (c.kind == Class::Newline)
      newlineEnd = end;
  }
  if (newlineEnd != position)
    return newlineEnd;
  // The last space before a word stays outside: it may join the word.
  if (c.kind == Class::End || lastBegin == position)
    return end;
  return lastBegin;
}

size_t PreTokenizer::pieceEnd() {
  Character first = characterAt(position);
  if (first.codepoint == '\'')
    if (size_t end = contractionEnd(first.end); end != first.end)
      return end;
  if (first.kind == Class::Number)
    return first.end;
  if (first.kind == Class::Letter)
    return skipWhile(Class::Letter, first.end);
  if (first.kind != Class::Newline) {
    Character second = characterAt(first.end);
    if (second.kind == Class::Letter)
      return skipWhile(Class::Letter, second.end);
    if (first.kind == Class::Other ||
        (first.codepoint == ' ' && second.kind == Class::Other))
      return skipWhile(Class::Newline, skipWhile(Class::Other, first.end));
  }
  return whitespaceEnd(first);
}

bool PreTokenizer::next(std::string_view &piece) {
  if (position == text.size())
    return false;
  size_t end = pieceEnd();
  piece = text.substr(position, end - position);
  position = end;
  return true;
}

} // namespace quern
