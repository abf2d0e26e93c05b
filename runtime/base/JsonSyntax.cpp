//===- JsonSyntax.cpp - Where JSON text is wrong --------------------------===//

#include "runtime/base/JsonSyntax.h"

#include "runtime/base/Escape.h"

#include <cctype>
#include <charconv>
#include <vector>

using namespace quern;

namespace {

/// A scanner without recursion: the open brackets are a vector of bounded
/// length.
class Scanner {
public:
  Scanner(std::string_view bytes, unsigned maxDepth)
      : bytes(bytes), maxDepth(maxDepth) {}

  std::optional<JsonSyntaxError> run();

private:
  bool fail(std::string message) { return failAt(cursor, std::move(message)); }
  bool failAt(size_t offset, std::string message) {
    error = JsonSyntaxError{offset, std::move(message)};
    return false;
  }
  bool atEnd() const { return cursor == bytes.size(); }
  char peek() const { return atEnd() ? '\0' : bytes[cursor]; }
  std::string found() const {
    return atEnd() ? "the end of the text" : quoteName(bytes.substr(cursor, 1));
  }
  void skipSpace() {
    while (!atEnd() && (peek() == ' ' || peek() == '\t' || peek() == '\n' ||
                        peek() == '\r'))
      ++cursor;
  }
  bool accept(char c) {
    skipSpace();
    if (atEnd() || peek() != c)
      return false;
    ++cursor;
    return true;
  }

  bool scanValueStart();
  bool scanAfterValue();
  bool scanKey();
  bool scanString();
  bool scanHex(unsigned &value);
  bool scanUnicodeEscape();
  bool scanNumber();
  bool scanLiteral(std::string_view literal);
  size_t skipDigits();

  std::string_view bytes;
  unsigned maxDepth;
  size_t cursor = 0;
  std::vector<char> open;
  /// Whether the scanner stands before a value (else after one).
  bool wantValue = true;
  std::optional<JsonSyntaxError> error;
};

} // namespace

std::optional<JsonSyntaxError> Scanner::run() {
  while (true) {
    if (wantValue ? !scanValueStart() : !scanAfterValue())
      return error;
    if (!wantValue && open.empty()) {
      skipSpace();
      if (!atEnd())
        fail("expected the end of the text, found " + found());
      return error;
    }
  }
}

/// Scans a scalar, or opens a container and scans up to its first value.
bool Scanner::scanValueStart() {
  skipSpace();
  if (atEnd())
    return fail("expected a value, found the end of the text");
  wantValue = false;
  switch (char c = peek()) {
  case '{':
  case '[':
    if (open.size() == maxDepth)
      return fail("nested deeper than " + std::to_string(maxDepth));
    open.push_back(c);
    ++cursor;
    if (accept(c == '{' ? '}' : ']')) {
      open.pop_back();
      return true;
    }
    wantValue = true;
    return c == '[' || scanKey();
  case '"':
    return scanString();
  case 't':
    return scanLiteral("true");
  case 'f':
    return scanLiteral("false");
  case 'n':
    return scanLiteral("null");
  default:
    if (c == '-' || (c >= '0' && c <= '9'))
      return scanNumber();
    return fail("expected a value, found " + found());
  }
}

/// Inside a container, after a value: a comma or the closing bracket.
bool Scanner::scanAfterValue() {
  bool inObject = open.back() == '{';
  if (accept(inObject ? '}' : ']')) {
    open.pop_back();
    return true;
  }
  if (!accept(','))
    return fail(std::string("expected ',' or '") + (inObject ? '}' : ']') +
                "', found " + found());
  wantValue = true;
  return !inObject || scanKey();
}

bool Scanner::scanKey() {
  skipSpace();
  if (peek() != '"')
    return fail("expected a key in double quotes, found " + found());
  if (!scanString())
    return false;
  if (!accept(':'))
    return fail("expected ':', found " + found());
  return true;
}

/// Four hexadecimal digits.
bool Scanner::scanHex(unsigned &value) {
  value = 0;
  for (int i = 0; i < 4; ++i, ++cursor) {
    if (atEnd() || !std::isxdigit(static_cast<unsigned char>(peek())))
      return fail("expected four hexadecimal digits after \\u, found " +
                  found());
    char c = peek();
    value = value * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
  }
  return true;
}

/// What follows "\u"; surrogates must come in pairs.
bool Scanner::scanUnicodeEscape() {
  size_t begin = cursor - 2;
  unsigned first = 0, second = 0;
  if (!scanHex(first))
    return false;
  if (first < 0xD800 || first > 0xDFFF)
    return true;
  if (first <= 0xDBFF && bytes.substr(cursor, 2) == "\\u") {
    cursor += 2;
    if (!scanHex(second))
      return false;
  }
  if (second < 0xDC00 || second > 0xDFFF)
    return failAt(begin, "surrogate without its partner in a string");
  return true;
}

bool Scanner::scanString() {
  size_t begin = cursor++;
  while (!atEnd()) {
    unsigned char c = static_cast<unsigned char>(peek());
    if (c == '"') {
      ++cursor;
      return true;
    }
    if (c < 0x20)
      return fail("control character " + found() + " in a string");
    if (c == '\\') {
      ++cursor;
      if (atEnd())
        break;
      char escape = peek();
      if (std::string_view("\"\\/bfnrtu").find(escape) ==
          std::string_view::npos)
        return fail("unknown escape sequence in a string");
      ++cursor;
      if (escape == 'u' && !scanUnicodeEscape())
        return false;
      continue;
    }
    Utf8Sequence sequence = decodeUtf8(bytes.substr(cursor));
    if (sequence.length == 0)
      return fail("not UTF-8");
    cursor += sequence.length;
  }
  return failAt(begin, "string without end");
}

size_t Scanner::skipDigits() {
  size_t begin = cursor;
  while (!atEnd() && peek() >= '0' && peek() <= '9')
    ++cursor;
  return cursor - begin;
}

/// Whether a number with fraction or exponent is out of range, if at all,
/// because it is too near to zero.
static bool isTiny(std::string_view text) {
  if (text.starts_with('-'))
    text.remove_prefix(1);
  return text.find_first_of("eE") == std::string_view::npos
             ? text.starts_with("0.")
             : text.find("e-") != std::string_view::npos ||
                   text.find("E-") != std::string_view::npos;
}

bool Scanner::scanNumber() {
  size_t begin = cursor;
  if (peek() == '-')
    ++cursor;
  bool leadingZero = peek() == '0';
  size_t digits = skipDigits();
  if (digits == 0)
    return fail("expected a digit, found " + found());
  if (leadingZero && digits > 1)
    return failAt(begin, "number with a leading zero");
  bool isInteger = true;
  if (peek() == '.') {
    isInteger = false;
    ++cursor;
    if (skipDigits() == 0)
      return fail("expected a digit, found " + found());
  }
  if (peek() == 'e' || peek() == 'E') {
    isInteger = false;
    ++cursor;
    if (peek() == '+' || peek() == '-')
      ++cursor;
    if (skipDigits() == 0)
      return fail("expected a digit, found " + found());
  }
  std::string_view text = bytes.substr(begin, cursor - begin);
  const char *first = text.data(), *last = first + text.size();
  std::errc result;
  if (isInteger && text[0] == '-') {
    int64_t value;
    result = std::from_chars(first, last, value).ec;
  } else if (isInteger) {
    uint64_t value;
    result = std::from_chars(first, last, value).ec;
  } else {
    double value;
    result = std::from_chars(first, last, value).ec;
    // Numbers too small for a double count as zero.
    if (isTiny(text))
      result = std::errc();
  }
  if (result != std::errc())
    return failAt(begin,
                  "number " + escapeText(text, 40) + " does not fit 64 bits");
  return true;
}

bool Scanner::scanLiteral(std::string_view literal) {
  if (bytes.substr(cursor, literal.size()) != literal)
    return fail("expected a value, found " + found());
  cursor += literal.size();
  return true;
}

std::optional<JsonSyntaxError>
quern::findJsonSyntaxError(std::string_view bytes, unsigned maxDepth) {
  return Scanner(bytes, maxDepth).run();
}
