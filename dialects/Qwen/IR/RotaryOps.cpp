//===- RotaryOps.cpp - rotary position embedding --------------------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern::qwen;
using namespace quern::qwen::detail;

LogicalResult RopeTableOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getInverseFrequencies().getType());
  if (!type || type.getRank() != 1 || !type.getElementType().isF32())
    return emitOpError() << "inverse_frequencies have type "
                         << getInverseFrequencies().getType()
                         << ", expected a 1D tensor of f32";
  if (type.getDimSize(0) * 2 != getType().getDimSize(1))
    return emitOpError() << "result has " << getType().getDimSize(1)
                         << " columns, expected twice the "
                         << type.getDimSize(0) << " inverse_frequencies";
  return success();
}

LogicalResult RopeOp::verify() {
  int64_t rotary = getTable().getType().getDimSize(1);
  int64_t headDim = getType().getDimSize(2);
  if (rotary % 2 == 0 && rotary <= headDim)
    return success();
  return emitOpError() << "table has " << rotary
                       << " columns, expected an even number up to the "
                          "head_dim "
                       << headDim;
}
