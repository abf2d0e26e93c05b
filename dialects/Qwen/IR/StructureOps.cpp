//===- StructureOps.cpp - weights, states, shapes -------------------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern::qwen;
using namespace quern::qwen::detail;

LogicalResult WeightOp::verify() {
  if (getFile().empty())
    return emitOpError("file is empty");
  if (getTensorType().getRank() == 0)
    return emitOpError("is a scalar, expected a rank of at least 1");
  if (llvm::is_contained(getTensorType().getShape(), 0))
    return emitOpError() << "has no elements: " << getTensorType();
  return success();
}

LogicalResult StateOp::verify() {
  if (getTensorType().getRank() != 4)
    return emitOpError() << "of kind " << stringifyStateKind(getKind())
                         << " has rank " << getTensorType().getRank()
                         << ", expected 4: pages x page_size x heads x "
                            "head_dim";
  return success();
}

/// Checks that `heads` [T, h, D] and `features` [T, N] hold the same numbers.
static LogicalResult verifyHeads(Operation *op, Value heads, Value features) {
  RankedTensorType h = tensorType(heads), f = tensorType(features);
  if (h.getElementType() != f.getElementType())
    return op->emitOpError("changes the element type");
  if (h.getDimSize(1) * h.getDimSize(2) == f.getDimSize(1))
    return success();
  return op->emitOpError() << "has " << h.getDimSize(1) << " heads of "
                           << h.getDimSize(2) << ", which are not "
                           << f.getDimSize(1) << " features";
}

LogicalResult SplitHeadsOp::verify() {
  return verifyHeads(*this, getResult(), getX());
}

LogicalResult MergeHeadsOp::verify() {
  return verifyHeads(*this, getX(), getResult());
}

OpFoldResult MergeHeadsOp::fold(FoldAdaptor) {
  if (auto split = getX().getDefiningOp<SplitHeadsOp>())
    if (split.getX().getType() == getType())
      return split.getX();
  return {};
}

LogicalResult SliceFeaturesOp::verify() {
  RankedTensorType from = getX().getType(), to = getType();
  if (from.getElementType() != to.getElementType())
    return emitOpError("changes the element type");
  uint64_t total = from.getDimSize(1), count = to.getDimSize(1);
  if (getOffset() <= total && count <= total - getOffset())
    return success();
  return emitOpError() << "takes " << count << " features from offset "
                       << getOffset() << " of " << total;
}

OpFoldResult SliceFeaturesOp::fold(FoldAdaptor) {
  return getX().getType() == getType() ? getX() : Value();
}

OperandRange SelectRowsOp::getTokenOperands() { return getODSOperands(1); }

LogicalResult SelectRowsOp::verify() {
  RankedTensorType from = getX().getType(), to = getType();
  if (from.getElementType() == to.getElementType() &&
      from.getDimSize(1) == to.getDimSize(1))
    return success();
  return emitOpError() << "result " << to << " has other features than "
                       << from;
}
