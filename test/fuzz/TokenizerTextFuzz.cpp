//===- TokenizerTextFuzz.cpp - text and chunking -------------------------===//
//
// Attacks the text stages: UTF-8, added tokens, NFC, the split, the merges and
// the streaming detokenizer. Decoding must give back the normalised text, the
// stream must equal the one-shot decoding, and the work must be linear. The
// first byte chooses the tokenizer and whether special tokens are parsed.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Escape.h"
#include "runtime/tokenizer/Normalizer.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "runtime/tokenizer/Utf8.h"
#include "test/fuzz/Fuzz.h"

#include <fstream>
#include <sstream>

using namespace quern;

static Tokenizer load(const char *name) {
  std::ifstream stream(std::string(QUERN_SOURCE_DIR "/test/data/tokenizer/") +
                       name + "/tokenizer.json");
  std::stringstream text;
  text << stream.rdbuf();
  Result<Tokenizer> tokenizer = Tokenizer::fromJson(text.str());
  FUZZ_CHECK(tokenizer.isOk());
  return std::move(*tokenizer);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Tokenizer tokenizers[] = {load("tiny_qwen3"),
                                         load("tiny_qwen3_5")};
  if (size == 0)
    return 0;
  const Tokenizer &tokenizer = tokenizers[data[0] & 1];
  std::string_view text(reinterpret_cast<const char *>(data) + 1, size - 1);

  EncodeStatistics work;
  EncodeOptions options;
  options.parseSpecial = data[0] & 2;
  options.statistics = &work;
  Result<std::vector<TokenId>> ids = tokenizer.encode(text, options);
  FUZZ_CHECK(ids.isOk());
  // The bounds of TokenizerTextTest.cpp, with three bytes for a bad one.
  uint64_t bytes = 3 * uint64_t(size);
  FUZZ_CHECK(
      work.addedTokenSteps <= 32 * bytes && work.mergeSteps <= 64 * bytes &&
      work.normalizerSteps <= 12 * bytes && work.scannerSteps <= 8 * bytes);

  Result<std::string> decoded = tokenizer.decode(*ids);
  FUZZ_CHECK(decoded.isOk());
  // Added tokens are cut out before normalisation; normalising again joins
  // what they kept apart, on both sides.
  Normalizer a, b;
  std::string valid = replaceInvalidUtf8(text);
  Result<std::string_view> x = a.normalize(valid), y = b.normalize(*decoded);
  FUZZ_CHECK(x.isOk() && y.isOk() && *x == *y);

  StreamingDetokenizer stream(tokenizer);
  std::string streamed;
  for (TokenId id : *ids) {
    std::string piece;
    FUZZ_CHECK(stream.append(id, piece).isOk() && isValidUtf8(piece));
    streamed += piece;
  }
  stream.flush(streamed);
  FUZZ_CHECK(streamed == *decoded);
  return 0;
}
