//===- FuseQKNormRopeAppend.cpp - QK norm, rotation, append in one op -----===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Graph/Match.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_FUSEQKNORMROPEAPPENDPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
/// A slice of the merged projection, split into heads, then normed and rotated.
struct HeadChain {
  qwen::SliceFeaturesOp slice;
  qwen::SplitHeadsOp split;
  qwen::RmsNormOp norm;
  qwen::RopeOp rope;
};
} // namespace

static bool matchSplit(Value heads, HeadChain &chain) {
  chain.split = getSingleUseDef<qwen::SplitHeadsOp>(heads);
  if (!chain.split)
    return false;
  chain.slice = getSingleUseDef<qwen::SliceFeaturesOp>(chain.split.getX());
  return bool(chain.slice);
}

static bool matchRotated(Value heads, HeadChain &chain) {
  chain.rope = getSingleUseDef<qwen::RopeOp>(heads);
  if (!chain.rope)
    return false;
  chain.norm = getSingleUseDef<qwen::RmsNormOp>(chain.rope.getX());
  return chain.norm && matchSplit(chain.norm.getX(), chain);
}

/// The only op that uses `value` as queries of the appended caches.
static qwen::AttentionOp findAttention(qwen::CacheAppendOp append) {
  for (Operation *op = append->getNextNode(); op; op = op->getNextNode())
    if (auto attention = dyn_cast<qwen::AttentionOp>(op))
      if (append.getKeyCacheAttr() == attention.getKeyCacheAttr() &&
          append.getValueCacheAttr() == attention.getValueCacheAttr())
        return attention;
  return {};
}

/// Whether gates stand between the queries and the keys, one for each query.
static bool isGated(HeadChain &q, HeadChain &k) {
  int64_t queries = q.slice.getType().getDimSize(1);
  return int64_t(k.slice.getOffset()) == 2 * queries;
}

/// Whether the slices are queries, keys and values of one value, in order and
/// without a gap but the gates, and norms and rotations are alike.
static bool isFusable(HeadChain &q, HeadChain &k, HeadChain &v) {
  auto getSize = [](HeadChain &chain) {
    return chain.slice.getType().getDimSize(1);
  };
  Value qkv = q.slice.getX();
  auto type = cast<RankedTensorType>(qkv.getType());
  int64_t keysAt = (isGated(q, k) ? 2 : 1) * getSize(q);
  int64_t valuesAt = keysAt + getSize(k);
  return k.slice.getX() == qkv && v.slice.getX() == qkv &&
         q.slice.getOffset() == 0 && int64_t(k.slice.getOffset()) == keysAt &&
         int64_t(v.slice.getOffset()) == valuesAt &&
         type.getDimSize(1) == valuesAt + getSize(v) &&
         getSize(k) == getSize(v) && k.split.getType() == v.split.getType() &&
         q.split.getType().getDimSize(2) == k.split.getType().getDimSize(2) &&
         q.rope.getTable() == k.rope.getTable() &&
         q.norm.getType() == q.split.getType() &&
         k.norm.getType() == k.split.getType() &&
         q.norm.getEpsilonAttr() == k.norm.getEpsilonAttr() &&
         q.norm.getUnitOffset() == k.norm.getUnitOffset();
}

static void fuse(qwen::CacheAppendOp append, HeadChain &q, HeadChain &k,
                 HeadChain &v) {
  OpBuilder builder(append);
  // The projections keep their own op, so the norms and what follows name it.
  Location loc =
      builder.getFusedLoc({q.norm.getLoc(), k.norm.getLoc(), q.rope.getLoc(),
                           k.rope.getLoc(), append.getLoc()});
  RankedTensorType queries = q.rope.getType(), keys = k.rope.getType();
  auto fused = qwen::QkNormRopeAppendOp::create(
      builder, loc, queries, q.slice.getX(), q.rope.getTable(),
      append.getSlots(), append.getPositions(), append.getPageTable(),
      q.norm.getWeightAttr(), k.norm.getWeightAttr(), append.getKeyCacheAttr(),
      append.getValueCacheAttr(),
      builder.getI64IntegerAttr(queries.getDimSize(1)),
      builder.getI64IntegerAttr(keys.getDimSize(1)), q.norm.getEpsilonAttr(),
      q.norm.getUnitOffsetAttr(),
      isGated(q, k) ? builder.getUnitAttr() : UnitAttr());
  q.rope.replaceAllUsesWith(fused.getResult());
  append.erase();
  for (HeadChain *chain : {&q, &k}) {
    chain->rope.erase();
    chain->norm.erase();
  }
  for (HeadChain *chain : {&q, &k, &v}) {
    chain->split.erase();
    chain->slice.erase();
  }
}

namespace {
struct FuseQKNormRopeAppendPass
    : quern::impl::FuseQKNormRopeAppendPassBase<FuseQKNormRopeAppendPass> {
  void runOnOperation() override {
    SmallVector<qwen::CacheAppendOp> appends;
    getOperation().walk(
        [&](qwen::CacheAppendOp append) { appends.push_back(append); });
    for (qwen::CacheAppendOp append : appends) {
      HeadChain q, k, v;
      qwen::AttentionOp attention = findAttention(append);
      if (!attention || !matchRotated(attention.getQ(), q) ||
          !matchRotated(append.getK(), k) || !matchSplit(append.getV(), v) ||
          !isFusable(q, k, v))
        continue;
      fuse(append, q, k, v);
      ++numFused;
    }
  }
};
} // namespace
