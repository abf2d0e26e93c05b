//===- Lexer.cpp - PTX text to tokens -------------------------------------===//

#include "test/cuda/driver/ptx/Lexer.h"

using namespace quern::ptx;

Type quern::ptx::parseType(std::string_view name) {
  struct Row {
    std::string_view name;
    Type type;
  };
  static constexpr Row rows[] = {
      {"pred", Type::Pred},    {"b8", Type::B8},   {"b16", Type::B16},
      {"b32", Type::B32},      {"b64", Type::B64}, {"u8", Type::U8},
      {"u16", Type::U16},      {"u32", Type::U32}, {"u64", Type::U64},
      {"s8", Type::S8},        {"s16", Type::S16}, {"s32", Type::S32},
      {"s64", Type::S64},      {"f16", Type::F16}, {"bf16", Type::BF16},
      {"f32", Type::F32},      {"f64", Type::F64}, {"f16x2", Type::F16x2},
      {"bf16x2", Type::BF16x2}};
  for (const Row &row : rows)
    if (row.name == name)
      return row.type;
  return Type::None;
}

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool isWordStart(char c) {
  return isAlpha(c) || c == '_' || c == '$' || c == '%' || c == '.';
}
static bool isWordPart(char c) {
  return isAlpha(c) || isDigit(c) || c == '_' || c == '$' || c == '.';
}

namespace {
class Lexer {
public:
  explicit Lexer(std::string_view source) : source(source) {}

  std::vector<Token> run() {
    while (skipSpace())
      tokens.push_back(next());
    tokens.push_back({Token::Kind::End, {}, line});
    return std::move(tokens);
  }

private:
  char peek(size_t ahead = 0) const {
    return position + ahead < source.size() ? source[position + ahead] : '\0';
  }

  /// False at the end.
  bool skipSpace() {
    while (position < source.size()) {
      char c = peek();
      if (c == '\n') {
        ++line;
        ++position;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++position;
      } else if (c == '/' && peek(1) == '/') {
        while (position < source.size() && peek() != '\n')
          ++position;
      } else if (c == '/' && peek(1) == '*') {
        skipComment();
      } else {
        return true;
      }
    }
    return false;
  }

  void skipComment() {
    unsigned start = line;
    size_t end = source.find("*/", position + 2);
    if (end == std::string_view::npos)
      throw ParseError(start, "a comment has no end");
    for (; position < end + 2; ++position)
      line += peek() == '\n';
  }

  Token next() {
    char c = peek();
    size_t start = position;
    if (isWordStart(c)) {
      ++position;
      // "::" belongs to a word (shared::cta), ":" ends a label.
      while (isWordPart(peek()) ||
             (peek() == ':' && peek(1) == ':' && isWordPart(peek(2))))
        position += peek() == ':' ? 2 : 1;
      return make(Token::Kind::Word, start);
    }
    if (isDigit(c)) {
      while (isAlpha(peek()) || isDigit(peek()) || peek() == '.')
        ++position;
      return make(Token::Kind::Number, start);
    }
    if (c == '"')
      return makeString();
    static constexpr std::string_view marks = "{}[](),;:|!+-=<>@";
    if (marks.find(c) == std::string_view::npos || c == '\0')
      throw ParseError(line, "unexpected character with code " +
                                 std::to_string(static_cast<unsigned char>(c)));
    ++position;
    return make(Token::Kind::Punctuation, start);
  }

  Token makeString() {
    size_t end = source.find_first_of("\"\n", position + 1);
    if (end == std::string_view::npos || source[end] != '"')
      throw ParseError(line, "a string has no end");
    Token token{Token::Kind::String,
                source.substr(position + 1, end - position - 1), line};
    position = end + 1;
    return token;
  }

  Token make(Token::Kind kind, size_t start) const {
    return {kind, source.substr(start, position - start), line};
  }

  std::string_view source;
  size_t position = 0;
  unsigned line = 1;
  std::vector<Token> tokens;
};
} // namespace

std::vector<Token> quern::ptx::tokenize(std::string_view source) {
  return Lexer(source).run();
}
