//===- ConfigLayers.h - What the layers of a config are ----------*- C++
//-*-===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_CONFIGLAYERS_H
#define QUERN_FRONTEND_HUGGINGFACE_CONFIGLAYERS_H

#include "frontend/HuggingFace/Config.h"
#include "frontend/HuggingFace/ConfigReader.h"

namespace quern {

/// Whether the family has layers with gated delta nets.
bool isHybrid(ModelFamily family);

/// Reads the types of the layers, mixtures of experts, gated delta nets and
/// draft layers; family and numHiddenLayers must be set already.
Status readLayers(ConfigReader &text, ModelConfig &config);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_CONFIGLAYERS_H
