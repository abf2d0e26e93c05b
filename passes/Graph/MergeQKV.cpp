//===- MergeQKV.cpp - Merges the projections of a layer -------------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Graph/Match.h"
#include "passes/Graph/MergeLinears.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_MERGEQKVPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// The projection of which only slices are used, one of them `features`: that
/// of queries and their gates.
static qwen::LinearOp findSliced(Value features) {
  auto slice = getSingleUseDef<qwen::SliceFeaturesOp>(features);
  auto linear =
      slice ? slice.getX().getDefiningOp<qwen::LinearOp>() : qwen::LinearOp();
  bool isSliced = linear && llvm::all_of(linear->getUsers(), [](Operation *op) {
                    return isa<qwen::SliceFeaturesOp>(op);
                  });
  return isSliced ? linear : qwen::LinearOp();
}

/// The projection whose heads `heads` are, through norm and rotation. Null if
/// one of the values on the way has another use.
static qwen::LinearOp findProjection(Value heads) {
  while (true) {
    if (auto rope = getSingleUseDef<qwen::RopeOp>(heads))
      heads = rope.getX();
    else if (auto norm = getSingleUseDef<qwen::RmsNormOp>(heads))
      heads = norm.getX();
    else if (auto split = getSingleUseDef<qwen::SplitHeadsOp>(heads))
      return split.getX().getDefiningOp<qwen::SliceFeaturesOp>()
                 ? findSliced(split.getX())
                 : getSingleUseDef<qwen::LinearOp>(split.getX());
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

static void replaceBySlice(OpBuilder &builder, Operation *old, Value row,
                           int64_t offset) {
  Value slice = qwen::SliceFeaturesOp::create(
      builder, old->getLoc(), old->getResult(0).getType(), row,
      builder.getI64IntegerAttr(offset));
  old->getResult(0).replaceAllUsesWith(slice);
}

/// Replaces the projections, and slices of them, by slices of one product.
static void merge(ArrayRef<qwen::LinearOp> linears) {
  qwen::LinearOp merged = mergeLinears(linears);
  OpBuilder builder(merged->getContext());
  builder.setInsertionPointAfter(merged);
  // Erased last: the builder may stand in front of one of them.
  SmallVector<Operation *> replaced;
  int64_t offset = 0;
  for (qwen::LinearOp linear : linears) {
    SmallVector<Operation *> users(linear->getUsers());
    if (llvm::all_of(users, llvm::IsaPred<qwen::SliceFeaturesOp>)) {
      for (Operation *user : llvm::reverse(users))
        replaceBySlice(builder, user, merged.getResult(),
                       offset + cast<qwen::SliceFeaturesOp>(user).getOffset());
      llvm::append_range(replaced, users);
    } else {
      replaceBySlice(builder, linear, merged.getResult(), offset);
    }
    replaced.push_back(linear);
    offset += linear.getType().getDimSize(1);
  }
  for (Operation *op : replaced)
    op->erase();
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
      if (!canMergeLinears(linears))
        return;
      merge(linears);
      ++numMerged;
    });
  }
};
} // namespace
