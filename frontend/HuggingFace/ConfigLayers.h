//===- ConfigLayers.h - What each layer of a config is -----------*- C++
//-*-===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_CONFIGLAYERS_H
#define QUERN_FRONTEND_HUGGINGFACE_CONFIGLAYERS_H

#include "frontend/HuggingFace/Config.h"
#include "frontend/HuggingFace/ConfigReader.h"

namespace quern {

/// Reads layer types, the mixture of experts and the gated delta net into
/// `config`, whose family and numHiddenLayers must be set already.
Status readLayers(ConfigReader &text, ModelConfig &config);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_CONFIGLAYERS_H
