//===- PreTokenizer.h - the split rules of the Qwen families ----*- C++ -*-===//
//
// Cuts text into the pieces inside which BPE merges. tokenizer.json states the
// rule as a regular expression; regex engines go quadratic or overflow their
// stack on long runs, so each known expression has a scanner written by hand,
// with at most a handful of visits per character and a fixed stack. Character
// categories come from utf8proc.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_PRETOKENIZER_H
#define QUERN_RUNTIME_TOKENIZER_PRETOKENIZER_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quern {

/// The known split rules. Values are stable: they stand in bundles.
enum class SplitPattern : uint32_t {
  Qwen2 = 0,   ///< Qwen2, Qwen2.5, Qwen3
  Qwen3_5 = 1, ///< Qwen3.5 and later: combining marks (\p{M}) are letters
};
inline constexpr uint32_t numSplitPatterns = 2;

/// The rule that a regular expression of a tokenizer.json stands for, or
/// nullopt if it is not one of ours.
std::optional<SplitPattern> findSplitPattern(std::string_view regex);

/// Iterates over the pieces of a text. The text must be valid UTF-8 and
/// outlive the scanner; the pieces cover it without gaps.
class PreTokenizer {
public:
  PreTokenizer(SplitPattern pattern, std::string_view text)
      : pattern(pattern), text(text) {}

  /// Sets `piece` to the next piece; false at the end.
  bool next(std::string_view &piece);

  /// Characters classified so far.
  uint64_t getSteps() const { return steps; }

private:
  enum class Class : uint8_t { Letter, Number, Newline, Space, Other, End };
  struct Character {
    uint32_t codepoint;
    size_t end; ///< position after it
    Class kind;
  };

  Character characterAt(size_t at);
  size_t skipWhile(Class kind, size_t at);
  size_t contractionEnd(size_t at);
  size_t whitespaceEnd(const Character &first);
  size_t pieceEnd();

  SplitPattern pattern;
  std::string_view text;
  size_t position = 0;
  uint64_t steps = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_PRETOKENIZER_H
