//===- LinearOps.cpp - weight matrices: linear, embedding, glu, head ------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern::qwen;
using namespace quern::qwen::detail;

LogicalResult EmbeddingOp::verifySymbolUses(SymbolTableCollection &symbols) {
  WeightOp weight = lookupWeight(*this, symbols, getWeightAttr());
  if (!weight)
    return failure();
  // The vocabulary is the table's own; only the features can disagree.
  ArrayRef<int64_t> shape = weight.getTensorType().getShape();
  return verifyWeight(*this, symbols, getWeightAttr(),
                      {shape[0], getType().getDimSize(1)});
}

LogicalResult LinearOp::verify() {
  if (failed(verifyPartLists(*this, getWeights(), getParts())))
    return failure();
  Type from = getX().getType().getElementType();
  Type to = getType().getElementType();
  if (to == from || to.isF32())
    return success();
  return emitOpError() << "result has element type " << to << ", expected "
                       << from << " or f32";
}

LogicalResult LinearOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyStackedWeights(*this, symbols, getWeights(), getParts(),
                              getX().getType().getDimSize(1),
                              getType().getDimSize(1));
}

LogicalResult LinearSwigluOp::verify() {
  if (getX().getType().getElementType() == getType().getElementType())
    return success();
  return emitOpError("changes the element type");
}

LogicalResult LinearSwigluOp::verifySymbolUses(SymbolTableCollection &symbols) {
  int64_t shape[] = {getType().getDimSize(1), getX().getType().getDimSize(1)};
  for (FlatSymbolRefAttr name : {getGateAttr(), getUpAttr()})
    if (failed(verifyWeight(*this, symbols, name, shape)))
      return failure();
  return success();
}

LogicalResult SampleOp::verify() {
  int64_t words = llvm::divideCeil(getLogits().getType().getDimSize(1), 32);
  if (getSampling().getType().getDimSize(1) != 8)
    return emitOpError() << "sampling rows have "
                         << getSampling().getType().getDimSize(1)
                         << " numbers, expected 8";
  if (getSeen().getType().getDimSize(1) != words)
    return emitOpError() << "seen rows have "
                         << getSeen().getType().getDimSize(1)
                         << " words, expected " << words << " for "
                         << getLogits().getType().getDimSize(1) << " tokens";
  return success();
}
