//===- TokenizerJsonFuzz.cpp - tokenizer.json bytes ----------------------===//
//
// Attacks the reader of tokenizer.json and the blob that it builds. Whatever
// loads must open again from its blob, encode a fixed text to ids below the id
// count, and decode them.
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Tokenizer.h"
#include "test/fuzz/Fuzz.h"

#include <cstring>

using namespace quern;

static void use(const Tokenizer &tokenizer) {
  EncodeOptions options;
  options.parseSpecial = true;
  Result<std::vector<TokenId>> ids =
      tokenizer.encode("the <|im_end|> 12 e\xCC\x81 \xFF\n", options);
  FUZZ_CHECK(ids.isOk());
  for (TokenId id : *ids)
    FUZZ_CHECK(id >= 0 && static_cast<uint32_t>(id) < tokenizer.getIdCount());
  FUZZ_CHECK(tokenizer.decode(*ids).isOk());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text = fuzz::asText(data, size);
  Result<Tokenizer> tokenizer = Tokenizer::fromJson(text);
  if (tokenizer.isOk()) {
    use(*tokenizer);
    FUZZ_CHECK(Tokenizer::deserialize(tokenizer->serialize()).isOk());
  } else {
    fuzz::checkRefusal(tokenizer.getStatus());
  }
  // The same bytes as a blob.
  std::vector<uint64_t> blob((size + 7) / 8);
  if (size != 0)
    std::memcpy(blob.data(), data, size);
  Result<Tokenizer> fromBlob =
      Tokenizer::deserialize(std::as_bytes(std::span(blob)).first(size));
  if (fromBlob.isOk())
    use(*fromBlob);
  else
    fuzz::checkRefusal(fromBlob.getStatus());
  return 0;
}
