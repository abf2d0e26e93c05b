//===- TokenizerTestUtils.h - shared by the tokenizer tests -----*- C++ -*-===//
#ifndef QUERN_TEST_RUNTIME_TOKENIZER_TOKENIZERTESTUTILS_H
#define QUERN_TEST_RUNTIME_TOKENIZER_TOKENIZERTESTUTILS_H

#include "runtime/base/Json.h"
#include "runtime/tokenizer/Tokenizer.h"

#include "gtest/gtest.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace quern {

inline const std::string tokenizerDataDir =
    QUERN_SOURCE_DIR "/test/data/tokenizer/";

inline std::string readFileText(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream) << path;
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

inline JsonDocument readJsonFile(const std::string &path) {
  JsonLimits limits;
  limits.maxBytes = 64u << 20;
  Result<JsonDocument> document = parseJson(readFileText(path), limits);
  if (!document.isOk())
    throw std::runtime_error(path + ": " + document.getStatus().getMessage());
  return std::move(*document);
}

/// A tokenizer that must load, e.g. "tiny_qwen3/tokenizer.json".
inline Tokenizer loadTokenizer(const std::string &path) {
  Result<Tokenizer> tokenizer = Tokenizer::fromJson(readFileText(path));
  if (!tokenizer.isOk())
    throw std::runtime_error(path + ": " + tokenizer.getStatus().getMessage());
  return std::move(*tokenizer);
}

inline const Tokenizer &tinyQwen3() {
  static const Tokenizer tokenizer =
      loadTokenizer(tokenizerDataDir + "tiny_qwen3/tokenizer.json");
  return tokenizer;
}

inline const Tokenizer &tinyQwen35() {
  static const Tokenizer tokenizer =
      loadTokenizer(tokenizerDataDir + "tiny_qwen3_5/tokenizer.json");
  return tokenizer;
}

inline std::vector<TokenId> encodeAll(const Tokenizer &tokenizer,
                                      std::string_view text,
                                      bool parseSpecial = true) {
  EncodeOptions options;
  options.parseSpecial = parseSpecial;
  Result<std::vector<TokenId>> ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids.isOk()) << ids.getStatus().getMessage();
  return ids.isOk() ? *ids : std::vector<TokenId>();
}

inline std::string decodeAll(const Tokenizer &tokenizer,
                             const std::vector<TokenId> &ids) {
  Result<std::string> text = tokenizer.decode(ids);
  EXPECT_TRUE(text.isOk()) << text.getStatus().getMessage();
  return text.isOk() ? *text : std::string();
}

/// A small deterministic generator (xorshift).
class TestRandom {
public:
  explicit TestRandom(uint64_t seed) : state(seed * 2 + 1) {}
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
  uint64_t below(uint64_t limit) { return next() % limit; }

private:
  uint64_t state;
};

} // namespace quern

#endif // QUERN_TEST_RUNTIME_TOKENIZER_TOKENIZERTESTUTILS_H
