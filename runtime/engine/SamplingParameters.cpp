//===- SamplingParameters.cpp - How the next token is chosen -----*- C++
//-*-===//

#include "runtime/engine/SamplingParameters.h"

#include <cmath>
#include <cstdio>

using namespace quern;

static Status rangeError(const char *name, double value, const char *range) {
  char text[128];
  std::snprintf(text, sizeof(text), "%s is %g, expected %s", name, value,
                range);
  return invalidArgument(text);
}

Status quern::verifySamplingParameters(const SamplingParameters &p) {
  // Written so that NaN fails every test.
  if (!(p.temperature >= 0 && std::isfinite(p.temperature)))
    return rangeError("temperature", p.temperature, "a finite number >= 0");
  if (p.topK < 0)
    return rangeError("top_k", double(p.topK), "a number >= 0");
  if (!(p.topP > 0 && p.topP <= 1))
    return rangeError("top_p", p.topP, "a number in (0, 1]");
  if (!(p.minP >= 0 && p.minP <= 1))
    return rangeError("min_p", p.minP, "a number in [0, 1]");
  if (!(p.repetitionPenalty > 0 && std::isfinite(p.repetitionPenalty)))
    return rangeError("repetition_penalty", p.repetitionPenalty,
                      "a finite number > 0");
  return Status::ok();
}
