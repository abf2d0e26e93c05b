//===- SamplingParameters.h - How the next token is chosen ------*- C++ -*-===//
//
// The meaning of each value is that of qwen.sample; the device applies them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_SAMPLINGPARAMETERS_H
#define QUERN_RUNTIME_ENGINE_SAMPLINGPARAMETERS_H

#include "runtime/base/Status.h"

#include <cstdint>

namespace quern {

/// Order of application: repetition penalty, temperature, top_k, top_p, min_p.
struct SamplingParameters {
  float temperature = 0;       ///< >= 0; 0 takes the likeliest token.
  int64_t topK = 0;            ///< >= 0; 0 or >= vocab_size keeps every token.
  float topP = 1;              ///< (0, 1]; 1 keeps every token.
  float minP = 0;              ///< [0, 1]; 0 keeps every token.
  float repetitionPenalty = 1; ///< > 0; 1 changes nothing.
  uint64_t seed = 0;           ///< Any value.
  uint64_t stream = 0;         ///< Tells sequences that share a seed apart.

  bool isGreedy() const { return temperature == 0; }
};

/// InvalidArgument with the parameter's name, value and range.
Status verifySamplingParameters(const SamplingParameters &parameters);

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_SAMPLINGPARAMETERS_H
