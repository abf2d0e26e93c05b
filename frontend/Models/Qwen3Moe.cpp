//===- Qwen3Moe.cpp - the Qwen3 family of mixtures of experts -------------===//
//
// Formula source: transformers, models/qwen3_moe/modeling_qwen3_moe.py: the
// dense family with mixtures of experts in the layers that
// decoder_sparse_step and mlp_only_layers leave to them.
//
//===----------------------------------------------------------------------===//
#include "frontend/Models/Blocks.h"
#include "frontend/Models/Families.h"

using namespace mlir;
using namespace quern;

void quern::buildQwen3Moe(ModelBuilder &model) {
  const ModelConfig &config = model.getConfig();
  Blocks blocks(model, {.prefix = "model."});
  Value x = blocks.embedding();
  for (int64_t i = 0; i < config.numHiddenLayers; ++i)
    x = blocks.decoderLayer(x, "layers." + std::to_string(i),
                            LayerType::FullAttention, config.moeLayers[i]);
  blocks.head(x);
}
