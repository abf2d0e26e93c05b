//===- ConfigRope.h - Rotary parameters of a config --------------*- C++
//-*-===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_CONFIGROPE_H
#define QUERN_FRONTEND_HUGGINGFACE_CONFIGROPE_H

#include "frontend/HuggingFace/Config.h"
#include "frontend/HuggingFace/ConfigReader.h"

namespace quern {

/// Reads both spellings (rope_theta with rope_scaling; rope_parameters) into
/// config.rope; headDim and maxPositionEmbeddings must be set already.
/// `defaultFactor` is the family's partial_rotary_factor.
Status readRope(ConfigReader &text, double defaultFactor, ModelConfig &config);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_CONFIGROPE_H
