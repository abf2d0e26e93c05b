//===- MergeDeltaProjections.cpp - One product for a delta net's inputs ---===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Graph/Match.h"
#include "passes/Graph/MergeLinears.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_MERGEDELTAPROJECTIONSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// The convolution whose values a norm's input was computed from.
static qwen::CausalConv1dOp findConvolution(qwen::GatedRmsNormOp norm) {
  auto rule = norm.getX().getDefiningOp<qwen::GatedDeltaRuleOp>();
  auto split = rule ? rule.getV().getDefiningOp<qwen::SplitHeadsOp>() : nullptr;
  auto slice =
      split ? split.getX().getDefiningOp<qwen::SliceFeaturesOp>() : nullptr;
  return slice ? slice.getX().getDefiningOp<qwen::CausalConv1dOp>()
               : qwen::CausalConv1dOp();
}

static bool merge(qwen::GatedRmsNormOp norm) {
  qwen::CausalConv1dOp conv = findConvolution(norm);
  if (!conv)
    return false;
  qwen::LinearOp linears[] = {getSingleUseDef<qwen::LinearOp>(conv.getX()),
                              getSingleUseDef<qwen::LinearOp>(norm.getGate())};
  if (!canMergeLinears(linears))
    return false;
  int64_t features = linears[0].getType().getDimSize(1);
  qwen::LinearOp merged = mergeLinears(linears);
  conv.getXMutable().assign(merged.getResult());
  norm.getGateMutable().assign(merged.getResult());
  norm.setGateOffset(features + norm.getGateOffset());
  for (qwen::LinearOp linear : linears)
    linear.erase();
  return true;
}

namespace {
struct MergeDeltaProjectionsPass
    : quern::impl::MergeDeltaProjectionsPassBase<MergeDeltaProjectionsPass> {
  void runOnOperation() override {
    SmallVector<qwen::GatedRmsNormOp> norms;
    getOperation().walk(
        [&](qwen::GatedRmsNormOp norm) { norms.push_back(norm); });
    for (qwen::GatedRmsNormOp norm : norms)
      numMerged += merge(norm);
  }
};
} // namespace
