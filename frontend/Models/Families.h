//===- Families.h - the model families that can be built --------*- C++ -*-===//
#ifndef QUERN_FRONTEND_MODELS_FAMILIES_H
#define QUERN_FRONTEND_MODELS_FAMILIES_H

#include "frontend/HuggingFace/Config.h"
#include "llvm/ADT/StringRef.h"

namespace quern {

class ModelBuilder;

/// Builds the body of @forward, and further functions.
using BuildModel = void (*)(ModelBuilder &model);

/// Null for a family that Families.inc names but nobody builds yet.
BuildModel findFamily(ModelFamily family);

/// qwen3: dense decoder layers with per-head norms of q and k.
void buildQwen3Dense(ModelBuilder &model);
/// qwen3_moe: the same with mixtures of experts in some or all layers.
void buildQwen3Moe(ModelBuilder &model);
/// qwen3_next, qwen3_5, qwen3_5_moe: gated attention and gated delta nets.
void buildQwen3Hybrid(ModelBuilder &model);

/// @draft and @draft_next of the tensors mtp.*; `prefix` is that of the main
/// model's tensors.
void buildDraft(ModelBuilder &model, llvm::StringRef prefix);

} // namespace quern

#endif // QUERN_FRONTEND_MODELS_FAMILIES_H
