//===- FuseAttentionGate.cpp - Output gate of an attention ----------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Graph/Match.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_FUSEATTENTIONGATEPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// Whether `value` is there when `op` runs.
static bool isBefore(Value value, Operation *op) {
  Operation *def = value.getDefiningOp();
  return !def ||
         (def->getBlock() == op->getBlock() && def->isBeforeInBlock(op));
}

static bool fuse(qwen::SigmoidGateOp gate) {
  auto merge = getSingleUseDef<qwen::MergeHeadsOp>(gate.getX());
  if (!merge)
    return false;
  auto attention = getSingleUseDef<qwen::AttentionOp>(merge.getX());
  if (!attention || attention.getGate())
    return false;
  // A slice of a row needs no copy: the attention takes the row.
  Value row = gate.getGate();
  int64_t offset = 0;
  if (auto slice = row.getDefiningOp<qwen::SliceFeaturesOp>()) {
    row = slice.getX();
    offset = slice.getOffset();
  }
  if (!isBefore(row, attention))
    return false;
  OpBuilder builder(attention);
  // The label of the gate stands last: the result is what it gave.
  auto fused = qwen::AttentionOp::create(
      builder, builder.getFusedLoc({attention.getLoc(), gate.getLoc()}),
      attention.getType(), attention.getQ(), row, attention.getKeyCacheAttr(),
      attention.getValueCacheAttr(), attention.getSlots(),
      attention.getPositions(), attention.getPageTable(),
      attention.getScaleAttr(), builder.getI64IntegerAttr(offset));
  Value old = gate.getGate();
  attention.replaceAllUsesWith(fused.getResult());
  attention.erase();
  gate.replaceAllUsesWith(merge.getResult());
  gate.erase();
  if (old.use_empty() && old.getDefiningOp<qwen::SliceFeaturesOp>())
    old.getDefiningOp()->erase();
  return true;
}

namespace {
struct FuseAttentionGatePass
    : quern::impl::FuseAttentionGatePassBase<FuseAttentionGatePass> {
  void runOnOperation() override {
    SmallVector<qwen::SigmoidGateOp> gates;
    getOperation().walk(
        [&](qwen::SigmoidGateOp gate) { gates.push_back(gate); });
    for (qwen::SigmoidGateOp gate : gates)
      numFused += fuse(gate);
  }
};
} // namespace
