//===- MoeBlock.cpp - the mixture of experts of a decoder layer -----------===//
//
// Formula source: transformers, models/qwen3_next/modeling_qwen3_next.py, of
// which that of qwen3_moe is the case without a shared expert.
//   y = sum over the chosen e of weight_e * expert_e(x)
//     + sigmoid(shared_expert_gate x) * shared_expert(x).
//
//===----------------------------------------------------------------------===//
#include "frontend/HuggingFace/ExpertTensors.h"
#include "frontend/Models/Blocks.h"

using namespace mlir;
using namespace quern;

/// Names the tensors of a stack of experts.
static ArrayAttr expertWeights(ModelBuilder &model,
                               const std::vector<std::string> &names,
                               ArrayRef<int64_t> shape, bool isTransposed) {
  SmallVector<Attribute> weights;
  for (const std::string &name : names)
    weights.push_back(model.weight(name, shape, isTransposed));
  return model.getOpBuilder().getArrayAttr(weights);
}

Value Blocks::routedExperts(Value normed, StringRef place) {
  const MoeConfig &moe = *model.getConfig().moe;
  OpBuilder &builder = model.getOpBuilder();
  int64_t hidden = model.getConfig().hiddenSize,
          inner = moe.moeIntermediateSize;
  std::string path = (style.prefix + place).str();
  Result<ExpertTensors> found =
      findExperts(model.getCheckpoint(), path, moe, hidden);
  if (!found.isOk()) {
    model.refuse(found.getStatus());
    return normed;
  }
  Type i32 = builder.getI32Type();
  auto router = qwen::RouterOp::create(
      builder, model.at(place + ".gate"),
      model.tokens(moe.numExpertsPerTok, i32),
      model.tokens(moe.numExpertsPerTok, model.getF32()), normed,
      model.weight(path + ".gate.weight", {moe.numExperts, hidden}),
      moe.normTopkProb ? builder.getUnitAttr() : UnitAttr());
  SmallVector<int64_t> gateUp = {inner, hidden}, down = {hidden, inner};
  if (found->isFused) {
    gateUp = {moe.numExperts, 2 * inner, hidden};
    down = {moe.numExperts, hidden, inner};
  }
  return qwen::ExpertsOp::create(
      builder, model.at(place + ".experts"), normed.getType(), normed,
      router.getExperts(), router.getWeights(),
      expertWeights(model, found->gateUp, gateUp, found->isGateUpTransposed),
      expertWeights(model, found->down, down, found->isDownTransposed),
      IntegerAttr());
}

Value Blocks::sharedExpert(Value normed, StringRef place) {
  std::string expert = (place + ".shared_expert").str();
  Value y = swigluMlp(normed, expert,
                      model.getConfig().moe->sharedExpertIntermediateSize);
  Value gate = buildLinear(model, normed, style.prefix + expert + "_gate", 1,
                           model.getF32());
  return qwen::ScaleBySigmoidOp::create(
      model.getOpBuilder(), model.at(expert + ".scale"), y.getType(), y, gate);
}

Value Blocks::addMixtureOfExperts(Value residual, Value normed,
                                  StringRef layer) {
  std::string place = (layer + ".mlp").str();
  Value routed = routedExperts(normed, place);
  if (!model.getConfig().moe->sharedExpertIntermediateSize)
    return residualAdd(residual, routed, place + ".residual");
  // The two sums go to the f32 stream one after the other: adding them first
  // would round the sum to the compute type.
  residual = residualAdd(residual, routed, place + ".experts.residual");
  return residualAdd(residual, sharedExpert(normed, place),
                     place + ".residual");
}
