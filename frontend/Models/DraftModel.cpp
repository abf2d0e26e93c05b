//===- DraftModel.cpp - multi-token prediction ----------------------------===//
//
// One more decoder layer that predicts the token after next from the hidden
// state of a token and the token that follows it. Formula source: vLLM,
// model_executor/models/qwen3_next_mtp.py.
//   u = fc([norm_e(embed(next token)); norm_h(hidden)]);
//   x = layer(u); logits = lm_head(norm(x)).
// `hidden` is the normed state: of the main model for the first draft of a
// step, of the draft for those after it.
//
//===----------------------------------------------------------------------===//
#include "frontend/Models/Blocks.h"
#include "frontend/Models/Families.h"

using namespace mlir;
using namespace quern;

/// u of the next tokens and of hidden states that are normed already.
static Value combine(ModelBuilder &model, Blocks &draft, Value embedded,
                     Value hidden) {
  OpBuilder &builder = model.getOpBuilder();
  int64_t size = model.getConfig().hiddenSize;
  StringRef embeddingNorm = "mtp.pre_fc_norm_embedding";
  StringRef hiddenNorm = "mtp.pre_fc_norm_hidden";
  Value e = draft.norm(embedded, embeddingNorm, embeddingNorm);
  Value h = draft.norm(hidden, hiddenNorm, hiddenNorm);
  Value both = qwen::ConcatFeaturesOp::create(
      builder, model.at("mtp.concat"),
      model.tokens(2 * size, model.getComputeType()), e, h);
  return buildLinear(model, both, "mtp.fc", size, model.getF32());
}

/// A draft of a model with experts has them too, but for one with matrices of a
/// dense MLP. (A router that is missing is thus reported as such.)
static bool hasExperts(const ModelBuilder &model, const std::string &mlp) {
  auto isDense = [&](const char *matrix) {
    return model.getCheckpoint().find(mlp + "." + matrix + "_proj.weight");
  };
  return model.getConfig().moe && !isDense("gate") && !isDense("up") &&
         !isDense("down");
}

static void buildDraftStep(ModelBuilder &model, ModelFunction function,
                           StringRef prefix) {
  model.start(function);
  Blocks main(model,
              {.prefix = prefix, .unitOffsetNorms = true, .labels = "mtp."});
  Blocks draft(model,
               {.prefix = "", .unitOffsetNorms = true, .labels = "mtp."});
  Value embedded = main.embedding();
  Value hidden = model.getInputs().hidden;
  hidden = function == ModelFunction::Draft
               ? main.norm(hidden, "norm", "mtp.hidden_norm")
               : draft.norm(hidden, "mtp.norm", "mtp.hidden_norm");
  Value x = draft.decoderLayer(combine(model, draft, embedded, hidden),
                               "mtp.layers.0", LayerType::FullAttention,
                               hasExperts(model, "mtp.layers.0.mlp"));
  Value rows = draft.selectRows(x);
  auto [logits, chosen] =
      main.predict(draft.norm(rows, "mtp.norm", "mtp.norm"));
  model.finish({logits, chosen, rows});
}

void quern::buildDraft(ModelBuilder &model, StringRef prefix) {
  buildDraftStep(model, ModelFunction::Draft, prefix);
  buildDraftStep(model, ModelFunction::DraftNext, prefix);
}
