//===- Lexer.h - PTX text to tokens ------------------------------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_PTX_LEXER_H
#define QUERN_TEST_CUDA_DRIVER_PTX_LEXER_H

#include "test/cuda/driver/ptx/Types.h"

#include <vector>

namespace quern::ptx {

struct Token {
  enum class Kind : uint8_t {
    Word,   ///< Identifiers, directives and mnemonics, with their dots.
    Number, ///< Starts with a digit; as written.
    String, ///< Without its quotes.
    Punctuation,
    End,
  };
  Kind kind = Kind::End;
  std::string_view text;
  unsigned line = 0;

  bool is(std::string_view expected) const {
    return kind != Kind::String && kind != Kind::End && text == expected;
  }
};

/// The tokens of `source`, ended by one of kind End. They refer to `source`.
/// Throws ParseError for a character that PTX does not have.
std::vector<Token> tokenize(std::string_view source);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_PTX_LEXER_H
