//===- SplitMergedLinear.cpp - Takes apart unused merged projections ------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Graph/Match.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_SPLITMERGEDLINEARPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
/// Weights of a product with their parts, which may all be absent.
struct Weights {
  SmallVector<Attribute> symbols;
  SmallVector<Attribute> parts;
};
} // namespace

/// The weights whose outputs are exactly the features of `slice`; empty if it
/// cuts through one.
static Weights findWeights(qwen::SliceFeaturesOp slice, qwen::LinearOp linear) {
  int64_t begin = slice.getOffset();
  int64_t end = begin + slice.getType().getDimSize(1);
  int64_t at = 0;
  Weights weights;
  for (auto [index, symbol] : llvm::enumerate(linear.getWeights())) {
    auto weight = lookupWeight<qwen::WeightOp>(linear, symbol);
    if (!weight)
      return {};
    int64_t next = at + weight.getTensorType().getDimSize(0);
    bool isInside = begin <= at && next <= end;
    bool isOutside = next <= begin || end <= at;
    if (!isInside && !isOutside)
      return {};
    if (isInside) {
      weights.symbols.push_back(symbol);
      if (linear.getParts())
        weights.parts.push_back((*linear.getParts())[index]);
    }
    at = next;
  }
  return weights;
}

namespace {
struct SplitMergedLinearPass
    : quern::impl::SplitMergedLinearPassBase<SplitMergedLinearPass> {
  void runOnOperation() override {
    SmallVector<qwen::SliceFeaturesOp> slices;
    getOperation().walk(
        [&](qwen::SliceFeaturesOp slice) { slices.push_back(slice); });
    for (qwen::SliceFeaturesOp slice : slices) {
      auto linear = slice.getX().getDefiningOp<qwen::LinearOp>();
      if (!linear)
        continue;
      Weights weights = findWeights(slice, linear);
      if (weights.symbols.empty())
        continue;
      OpBuilder builder(slice);
      bool hasParts = llvm::any_of(weights.parts, [](Attribute parts) {
        return !cast<DenseI64ArrayAttr>(parts).empty();
      });
      Value product = qwen::LinearOp::create(
          builder, slice.getLoc(), slice.getType(), linear.getX(),
          builder.getArrayAttr(weights.symbols),
          hasParts ? builder.getArrayAttr(weights.parts) : ArrayAttr());
      slice.replaceAllUsesWith(product);
      slice.erase();
      if (linear.use_empty())
        linear.erase();
      ++numSplit;
    }
  }
};
} // namespace
