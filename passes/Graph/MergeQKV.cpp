//===- MergeQKV.cpp - Merges the projections of a layer -------------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Graph/Match.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_MERGEQKVPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// The projection whose heads `heads` are, through norm and rotation. Null if
/// one of the values on the way has another use.
static qwen::LinearOp findProjection(Value heads) {
  while (true) {
    if (auto rope = getSingleUseDef<qwen::RopeOp>(heads))
      heads = rope.getX();
    else if (auto norm = getSingleUseDef<qwen::RmsNormOp>(heads))
      heads = norm.getX();
    else if (auto split = getSingleUseDef<qwen::SplitHeadsOp>(heads))
      return getSingleUseDef<qwen::LinearOp>(split.getX());
    else
      return {};
  }
}

/// The append to the caches that `attention` reads, in front of it.
static qwen::CacheAppendOp findAppend(qwen::AttentionOp attention) {
  for (Operation *op = attention->getPrevNode(); op; op = op->getPrevNode())
    if (auto append = dyn_cast<qwen::CacheAppendOp>(op))
      if (append.getKeyCacheAttr() == attention.getKeyCacheAttr() &&
          append.getValueCacheAttr() == attention.getValueCacheAttr())
        return append;
  return {};
}

/// Whether the projections can be one product: one input, one element type of
/// results and of weights.
static bool canMerge(ArrayRef<qwen::LinearOp> linears) {
  Type weightElement;
  for (qwen::LinearOp linear : linears) {
    qwen::LinearOp first = linears.front();
    if (!linear || linear.getX() != first.getX() ||
        linear->getBlock() != first->getBlock() ||
        linear.getType().getElementType() != first.getType().getElementType())
      return false;
    for (Attribute symbol : linear.getWeights()) {
      auto weight = lookupWeight<qwen::WeightOp>(linear, symbol);
      if (!weight)
        return false;
      Type element = weight.getTensorType().getElementType();
      if (weightElement && weightElement != element)
        return false;
      weightElement = element;
    }
  }
  return linears[0] != linears[1] && linears[0] != linears[2] &&
         linears[1] != linears[2];
}

/// Replaces the projections by slices of one product.
static void merge(ArrayRef<qwen::LinearOp> linears) {
  qwen::LinearOp first = linears.front();
  int64_t features = 0;
  SmallVector<Attribute> weights;
  SmallVector<Location> locations;
  for (qwen::LinearOp linear : linears) {
    if (linear->isBeforeInBlock(first))
      first = linear;
    features += linear.getType().getDimSize(1);
    llvm::append_range(weights, linear.getWeights());
    locations.push_back(linear.getLoc());
  }
  OpBuilder builder(first);
  RankedTensorType type = first.getType();
  auto merged = qwen::LinearOp::create(
      builder, builder.getFusedLoc(locations),
      RankedTensorType::get({type.getDimSize(0), features},
                            type.getElementType()),
      first.getX(), builder.getArrayAttr(weights));
  int64_t offset = 0;
  for (qwen::LinearOp linear : linears) {
    Value slice = qwen::SliceFeaturesOp::create(
        builder, linear.getLoc(), linear.getType(), merged.getResult(),
        builder.getI64IntegerAttr(offset));
    offset += linear.getType().getDimSize(1);
    linear.replaceAllUsesWith(slice);
  }
  for (qwen::LinearOp linear : linears)
    linear.erase();
}

namespace {
struct MergeQKVPass : quern::impl::MergeQKVPassBase<MergeQKVPass> {
  void runOnOperation() override {
    getOperation().walk([&](qwen::AttentionOp attention) {
      qwen::CacheAppendOp append = findAppend(attention);
      if (!append)
        return;
      qwen::LinearOp linears[] = {findProjection(attention.getQ()),
                                  findProjection(append.getK()),
                                  findProjection(append.getV())};
      if (!canMerge(linears))
        return;
      merge(linears);
      ++numMerged;
    });
  }
};
} // namespace
