//===- Generate.h - One prompt to its continuation --------------*- C++ -*-===//
#ifndef QUERN_RUNTIME_ENGINE_GENERATE_H
#define QUERN_RUNTIME_ENGINE_GENERATE_H

#include "runtime/engine/Scheduler.h"
#include "runtime/engine/TextModel.h"

#include <functional>
#include <span>
#include <string_view>

namespace quern {

struct GenerateResult {
  FinishReason finishReason = FinishReason::Running;
  uint64_t promptTokens = 0;    ///< All of the prompt.
  uint64_t reusedTokens = 0;    ///< Of them, found in the cache.
  uint64_t generatedTokens = 0; ///< The end token included.
  double prefillSeconds = 0;    ///< Until the first token was known.
  double decodeSeconds = 0;     ///< From then on.
  SpeculationStatistics speculation;

  /// 0 where nothing was measured.
  double getPrefillRate() const {
    return prefillSeconds > 0
               ? double(promptTokens - reusedTokens) / prefillSeconds
               : 0;
  }
  double getDecodeRate() const {
    return decodeSeconds > 0 && generatedTokens > 1
               ? double(generatedTokens - 1) / decodeSeconds
               : 0;
  }
};

/// What the model's authors recommend; greedy where they do not sample.
SamplingParameters getSamplingDefaults(const Bundle &bundle);

/// Is called for each token with the text that it completes, perhaps none;
/// once more at the end with token -1 if characters were left unfinished.
/// False stops. The text does not contain special tokens.
using GenerateCallback = std::function<bool(int32_t token, std::string_view)>;

/// Makes `sequence` hold `prompt` (what it holds already of it is kept, the
/// rest of it is forgotten) and generates. `tokenizer` may be null: then there
/// is no text. Errors: those of Scheduler::add and Scheduler::step.
Result<GenerateResult> generate(Engine &engine, Sequence &sequence,
                                const Tokenizer *tokenizer,
                                std::span<const int32_t> prompt,
                                const GenerationOptions &options,
                                const GenerateCallback &callback);

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_GENERATE_H
