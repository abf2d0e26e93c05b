//===- Qwen3Hybrid.cpp - Qwen3-Next, Qwen3.5 and Qwen3.6 ------------------===//
//
// Formula sources: transformers, models/qwen3_next/modeling_qwen3_next.py and
// models/qwen3_5/modeling_qwen3_5.py (Qwen3.6 has the model type of 3.5).
// Decoder layers as in the other families, with gated attention or a gated
// delta net, dense or a mixture of experts, and norms of 1 + weight.
//
//===----------------------------------------------------------------------===//
#include "frontend/Models/Blocks.h"
#include "frontend/Models/Families.h"

using namespace mlir;
using namespace quern;

/// Multimodal checkpoints keep the language model one level further down; so
/// do text-only ones that were cut out of them.
static StringRef findPrefix(const Checkpoint &checkpoint) {
  constexpr StringLiteral nested = "model.language_model.";
  const Checkpoint::TensorMap &tensors = checkpoint.getTensors();
  auto it = tensors.lower_bound(std::string_view(nested));
  bool isNested =
      it != tensors.end() && StringRef(it->first).starts_with(nested);
  return isNested ? StringRef(nested) : StringRef("model.");
}

void quern::buildQwen3Hybrid(ModelBuilder &model) {
  const ModelConfig &config = model.getConfig();
  StringRef prefix = findPrefix(model.getCheckpoint());
  Blocks blocks(model, {.prefix = prefix, .unitOffsetNorms = true});
  Value x = blocks.embedding();
  for (int64_t i = 0; i < config.numHiddenLayers; ++i)
    x = blocks.decoderLayer(x, "layers." + std::to_string(i),
                            config.layerTypes[i], config.moeLayers[i]);
  blocks.head(x);
  if (model.hasDraft())
    buildDraft(model, prefix);
  model.skipAll("model.visual.", "vision tower: images are not supported yet");
}
