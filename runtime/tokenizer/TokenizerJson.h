//===- TokenizerJson.h - reading tokenizer.json -----------------*- C++ -*-===//
//
// Reads the Hugging Face form of a Qwen tokenizer. What the file says beyond
// vocabulary, merges and added tokens must be what the Qwen families use:
// anything else is Unsupported and named, never ignored.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TOKENIZER_TOKENIZERJSON_H
#define QUERN_RUNTIME_TOKENIZER_TOKENIZERJSON_H

#include "runtime/base/Json.h"
#include "runtime/base/Status.h"
#include "runtime/tokenizer/TokenizerBlob.h"

#include <string_view>

namespace quern {

/// The largest tokenizer.json, in bytes.
inline constexpr uint64_t maxTokenizerJsonBytes = uint64_t(64) << 20;
/// The largest run of ids without tokens.
inline constexpr uint32_t maxTokenIdGap = 1000000;

/// The parts of a tokenizer.json. Corrupt or Unsupported with the JSON path.
Result<TokenizerParts> readTokenizerJson(std::string_view json);

/// Checks everything but vocabulary, merges and added tokens, and returns the
/// split rule (TokenizerPipeline.cpp).
Result<uint32_t> checkTokenizerPipeline(JsonValue root);

} // namespace quern

#endif // QUERN_RUNTIME_TOKENIZER_TOKENIZERJSON_H
