//===- StructureOps.cpp - weights, states, shapes -------------------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern;
using namespace quern::qwen;
using namespace quern::qwen::detail;

LogicalResult WeightOp::verify() {
  if (getFile().empty())
    return emitOpError("file is empty");
  if (getTensorType().getRank() == 0)
    return emitOpError("is a scalar, expected a rank of at least 1");
  if (llvm::is_contained(getTensorType().getShape(), 0))
    return emitOpError() << "has no elements: " << getTensorType();
  if (getTransposed() && getTensorType().getRank() != 3)
    return emitOpError() << "is transposed, which takes a stack of matrices, "
                            "found "
                         << getTensorType();
  Type stored = getStoredElementType();
  if (stored.isF32() || stored.isF16() || stored.isBF16())
    return success();
  if (getEncoding(stored) == Encoding::None)
    return emitOpError() << "is stored as " << stored
                         << ", expected f32, f16, bf16 or !qwen.encoded";
  int64_t columns = getTensorType().getShape().back();
  if (getTensorType().getRank() < 2 || columns % kGroupSize != 0)
    return emitOpError() << "is stored as " << stored
                         << ", which takes matrices with rows of a multiple of "
                         << kGroupSize << " elements, found "
                         << getTensorType();
  return success();
}

SmallVector<int64_t> WeightOp::getFileShape() {
  SmallVector<int64_t> shape(getTensorType().getShape());
  if (getTransposed())
    std::swap(shape[1], shape[2]);
  return shape;
}

/// The dimensions of a state of this kind.
static StringRef getStateLayout(StateKind kind) {
  switch (kind) {
  case StateKind::KeyCache:
  case StateKind::ValueCache:
    return "pages x heads x page_size x head_dim";
  case StateKind::Recurrent:
    return "slots x heads x key_head_dim x value_head_dim";
  case StateKind::Convolution:
    return "slots x ring x channels";
  case StateKind::DeltaKeys:
  case StateKind::DeltaUpdates:
    return "slots x ring x heads x head_dim";
  case StateKind::DeltaDecays:
    return "slots x ring x heads";
  }
  llvm_unreachable("unknown kind");
}

LogicalResult StateOp::verify() {
  StringRef layout = getStateLayout(getKind());
  int64_t rank = layout.count(" x ") + 1;
  if (getTensorType().getRank() != rank)
    return emitOpError() << "of kind " << stringifyStateKind(getKind())
                         << " has rank " << getTensorType().getRank()
                         << ", expected " << rank << ": " << layout;
  bool isCache =
      getKind() == StateKind::KeyCache || getKind() == StateKind::ValueCache;
  if (isa<Int8RowsType>(getTensorType().getElementType())) {
    if (!isCache)
      return emitOpError() << "of kind " << stringifyStateKind(getKind())
                           << " has int8 rows, which only caches have";
    if (getTensorType().getShape().back() % kInt8RowUnit != 0)
      return emitOpError() << "has int8 rows of "
                           << getTensorType().getShape().back()
                           << " elements, expected a multiple of "
                           << kInt8RowUnit;
  }
  bool isDelta = getKind() == StateKind::Recurrent ||
                 getKind() == StateKind::DeltaKeys ||
                 getKind() == StateKind::DeltaUpdates ||
                 getKind() == StateKind::DeltaDecays;
  if (isDelta && !getTensorType().getElementType().isF32())
    return emitOpError() << "of kind " << stringifyStateKind(getKind())
                         << " has elements of "
                         << getTensorType().getElementType()
                         << ", expected f32";
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

LogicalResult ConcatFeaturesOp::verify() {
  RankedTensorType a = getA().getType(), b = getB().getType(), to = getType();
  if (a.getElementType() != to.getElementType() ||
      b.getElementType() != to.getElementType())
    return emitOpError("changes the element type");
  if (a.getDimSize(1) + b.getDimSize(1) == to.getDimSize(1))
    return success();
  return emitOpError() << "result has " << to.getDimSize(1)
                       << " features, expected "
                       << a.getDimSize(1) + b.getDimSize(1);
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
