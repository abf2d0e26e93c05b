//===- Families.h - the model families that can be built --------*- C++ -*-===//
#ifndef QUERN_FRONTEND_MODELS_FAMILIES_H
#define QUERN_FRONTEND_MODELS_FAMILIES_H

#include "frontend/HuggingFace/Config.h"

namespace quern {

class ModelBuilder;

/// Builds the body of @forward.
using BuildModel = void (*)(ModelBuilder &model);

/// Null for a family that Families.inc names but nobody builds yet.
BuildModel findFamily(ModelFamily family);

/// qwen3: dense decoder layers with per-head norms of q and k.
void buildQwen3Dense(ModelBuilder &model);
/// qwen3_moe: the same with mixtures of experts in some or all layers.
void buildQwen3Moe(ModelBuilder &model);

} // namespace quern

#endif // QUERN_FRONTEND_MODELS_FAMILIES_H
