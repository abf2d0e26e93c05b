//===- TokenStream.h - Reading tokens one after the other --------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_PTX_TOKENSTREAM_H
#define QUERN_TEST_CUDA_DRIVER_PTX_TOKENSTREAM_H

#include "test/cuda/driver/ptx/Lexer.h"

namespace quern::ptx {

class TokenStream {
public:
  explicit TokenStream(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  const Token &peek(size_t ahead = 0) const {
    return tokens[std::min(position + ahead, tokens.size() - 1)];
  }
  Token next() {
    Token token = peek();
    if (position + 1 < tokens.size())
      ++position;
    return token;
  }
  bool isAtEnd() const { return peek().kind == Token::Kind::End; }
  unsigned getLine() const { return peek().line; }

  bool take(std::string_view text) {
    if (!peek().is(text))
      return false;
    next();
    return true;
  }
  void expect(std::string_view text) {
    if (!take(text))
      fail("expected '" + std::string(text) + "', found " + describe(peek()));
  }
  /// A word that names something of the user's.
  std::string_view expectName() {
    if (peek().kind != Token::Kind::Word || peek().text[0] == '.')
      fail("expected a name, found " + describe(peek()));
    return next().text;
  }
  uint64_t expectInteger(uint64_t limit);

  [[noreturn]] void fail(const std::string &text) const {
    throw ParseError(getLine(), text);
  }
  static std::string describe(const Token &token) {
    if (token.kind == Token::Kind::End)
      return "the end of the text";
    return "'" + std::string(token.text.substr(0, 60)) + "'";
  }

private:
  std::vector<Token> tokens;
  size_t position = 0;
};

/// ".align 16 .b8 name[32]" behind its state space.
struct Declaration {
  std::string_view name;
  Type type = Type::None;
  unsigned alignment = 1; ///< Bytes.
  bool isArray = false;
  bool isOpen = false; ///< "name[]"
  uint64_t count = 1;  ///< Elements.
  uint64_t getBytes() const { return count * getSize(type); }
};
Declaration parseDeclaration(TokenStream &tokens);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_PTX_TOKENSTREAM_H
