//===- NormOps.cpp - normalisation and the residual stream ----------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern::qwen;
using namespace quern::qwen::detail;

LogicalResult RmsNormOp::verify() {
  if (failed(verifyEpsilon(*this, getEpsilon())) ||
      failed(verifySameShape(*this, "x", getX(), "result", getResult())))
    return failure();
  Type from = tensorType(getX()).getElementType();
  Type to = tensorType(getResult()).getElementType();
  if (from == to || from.isF32())
    return success();
  return emitOpError() << "result has element type " << to << ", expected "
                       << from;
}

LogicalResult RmsNormOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyWeight(*this, symbols, getWeightAttr(),
                      tensorType(getX()).getShape().back());
}

LogicalResult ResidualAddOp::verify() {
  return verifySameShape(*this, "residual", getResidual(), "delta", getDelta());
}

LogicalResult AddRmsNormOp::verify() {
  if (failed(verifyEpsilon(*this, getEpsilon())) ||
      failed(verifySameShape(*this, "residual", getResidual(), "delta",
                             getDelta())))
    return failure();
  return verifySameShape(*this, "residual", getResidual(), "normed",
                         getNormed());
}

LogicalResult AddRmsNormOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyWeight(*this, symbols, getWeightAttr(),
                      getResidual().getType().getShape().back());
}
