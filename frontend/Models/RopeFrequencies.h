//===- RopeFrequencies.h - inverse frequencies of a config ------*- C++ -*-===//
#ifndef QUERN_FRONTEND_MODELS_ROPEFREQUENCIES_H
#define QUERN_FRONTEND_MODELS_ROPEFREQUENCIES_H

#include "frontend/HuggingFace/Config.h"

#include <vector>

namespace quern {

/// The rope.rotaryDim / 2 inverse frequencies in radians per position, YaRN
/// included; rope.attentionFactor goes with them. Computed in f32 step by step
/// as transformers does (modeling_rope_utils.py), so that the angles of long
/// contexts agree.
std::vector<float> computeInverseFrequencies(const RopeConfig &rope);

} // namespace quern

#endif // QUERN_FRONTEND_MODELS_ROPEFREQUENCIES_H
