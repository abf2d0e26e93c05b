//===- IntegerOps.cpp - products of int8 activations ----------------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern;
using namespace quern::qwen;
using namespace quern::qwen::detail;

/// The features that codes and factors are of, if they agree.
static FailureOr<int64_t> verifyGroups(Operation *op, RankedTensorType codes,
                                       RankedTensorType factors) {
  int64_t inputs = codes.getDimSize(1) * 4;
  if (inputs % kGroupSize == 0 && factors.getDimSize(2) == 2 &&
      factors.getDimSize(1) == inputs / kGroupSize)
    return inputs;
  return op->emitOpError() << "expected codes of whole groups of " << kGroupSize
                           << " features and two factors for each, found "
                           << codes << " and " << factors;
}

LogicalResult QuantizeActivationsOp::verify() {
  FailureOr<int64_t> features =
      verifyGroups(*this, getCodes().getType(), getFactors().getType());
  if (failed(features))
    return failure();
  if (*features != getX().getType().getDimSize(1))
    return emitOpError() << "has codes of " << *features
                         << " features, the input has "
                         << getX().getType().getDimSize(1);
  if (llvm::none_of(getEncodings(), [&](const EncodingInfo &info) {
        return info.bits == getWeightBits();
      }))
    return emitOpError() << "no encoding of weights has codes of "
                         << getWeightBits() << " bits";
  return success();
}

LogicalResult IntegerLinearOp::verify() {
  if (failed(verifyPartLists(*this, getWeights(), getParts())))
    return failure();
  if (getSwiglu() && (getParts() || getWeights().size() != 2))
    return emitOpError("swiglu takes a gate and an up weight without parts");
  return verifyGroups(*this, getCodes().getType(), getFactors().getType());
}

LogicalResult
IntegerLinearOp::verifySymbolUses(SymbolTableCollection &symbols) {
  int64_t outputs = getType().getDimSize(1) * (getSwiglu() ? 2 : 1);
  if (failed(verifyStackedWeights(*this, symbols, getWeights(), getParts(),
                                  getCodes().getType().getDimSize(1) * 4,
                                  outputs)))
    return failure();
  Type first;
  for (auto name : getWeights().getAsRange<FlatSymbolRefAttr>()) {
    WeightOp weight = lookupWeight(*this, symbols, name);
    Type stored = weight.getStoredElementType();
    Encoding encoding = getEncoding(stored);
    auto error = [&](const Twine &text) {
      InFlightDiagnostic diagnostic = emitOpError()
                                      << "weight " << name << text;
      diagnostic.attachNote(weight.getLoc()) << "weight declared here";
      return diagnostic;
    };
    if (encoding == Encoding::None)
      return error(" is not quantised");
    if (first && stored != first)
      return error(" is stored in another encoding than the first one");
    first = stored;
    auto source = getCodes().getDefiningOp<QuantizeActivationsOp>();
    if (source && source.getWeightBits() != getEncodingInfo(encoding).bits)
      return error(" has codes of other bits than the activations are for");
  }
  return success();
}
