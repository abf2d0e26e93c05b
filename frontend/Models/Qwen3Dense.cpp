//===- Qwen3Dense.cpp - the dense Qwen3 family ----------------------------===//
//
// Formula source: transformers, models/qwen3/modeling_qwen3.py.
//   x += self_attn(input_layernorm(x)); x += mlp(post_attention_layernorm(x));
//   logits = lm_head(norm(x)).
//
//===----------------------------------------------------------------------===//
#include "frontend/Models/Blocks.h"
#include "frontend/Models/Families.h"

using namespace mlir;
using namespace quern;

void quern::buildQwen3Dense(ModelBuilder &model) {
  Blocks blocks(model, {.prefix = "model."});
  Value x = blocks.embedding();
  for (int64_t i = 0; i < model.getConfig().numHiddenLayers; ++i)
    x = blocks.decoderLayer(x, "layers." + std::to_string(i),
                            LayerType::FullAttention,
                            /*isMixtureOfExperts=*/false);
  blocks.head(x);
}
