//===- MoeOps.cpp - mixtures of experts -----------------------------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern::qwen;
using namespace quern::qwen::detail;

LogicalResult RouterOp::verify() {
  int64_t slots = getExperts().getType().getDimSize(1);
  if (slots < 1)
    return emitOpError("chooses no expert");
  if (getWeights().getType().getDimSize(1) == slots)
    return success();
  return emitOpError() << "has " << getWeights().getType().getDimSize(1)
                       << " weights for " << slots << " experts of a token";
}

LogicalResult RouterOp::verifySymbolUses(SymbolTableCollection &symbols) {
  WeightOp gate = lookupWeight(*this, symbols, getGateAttr());
  if (!gate)
    return failure();
  int64_t numExperts = gate.getTensorType().getDimSize(0);
  if (failed(verifyWeight(*this, symbols, getGateAttr(),
                          {numExperts, getX().getType().getDimSize(1)})))
    return failure();
  int64_t slots = getExperts().getType().getDimSize(1);
  if (slots <= numExperts)
    return success();
  InFlightDiagnostic diagnostic = emitOpError() << "chooses " << slots << " of "
                                                << numExperts << " experts";
  diagnostic.attachNote(gate.getLoc()) << "weight declared here";
  return diagnostic;
}

/// Checks that `names` are one weight [E, matrix...] or `perExpert` matrices
/// of each expert, stacked along their rows; returns E.
static FailureOr<int64_t>
verifyStack(ExpertsOp op, SymbolTableCollection &symbols, StringRef what,
            ArrayAttr names, int64_t perExpert, ArrayRef<int64_t> matrix) {
  if (names.empty())
    return op.emitOpError() << "names no weight for " << what;
  auto firstName = cast<FlatSymbolRefAttr>(names[0]);
  WeightOp first = lookupWeight(op, symbols, firstName);
  if (!first)
    return failure();
  if (first.getTensorType().getRank() == 3) {
    int64_t experts = first.getTensorType().getDimSize(0);
    if (names.size() != 1)
      return op.emitOpError() << "names " << names.size() << " weights for "
                              << what << ", expected one of rank 3";
    if (failed(verifyWeight(op, symbols, firstName,
                            {experts, matrix[0], matrix[1]})))
      return failure();
    return experts;
  }
  if (names.size() % perExpert != 0)
    return op.emitOpError()
           << "names " << names.size() << " weights for " << what
           << ", expected " << perExpert << " of each expert";
  Type element = first.getTensorType().getElementType();
  for (auto name : names.getAsRange<FlatSymbolRefAttr>()) {
    if (failed(verifyWeight(op, symbols, name,
                            {matrix[0] / perExpert, matrix[1]})))
      return failure();
    WeightOp weight = lookupWeight(op, symbols, name);
    if (weight.getTensorType().getElementType() == element)
      continue;
    InFlightDiagnostic diagnostic = op.emitOpError()
                                    << "weight " << name << " has element type "
                                    << weight.getTensorType().getElementType()
                                    << ", expected that of " << firstName
                                    << ", " << element;
    diagnostic.attachNote(weight.getLoc()) << "weight declared here";
    return diagnostic;
  }
  return names.size() / perExpert;
}

/// I: half of the rows of an expert's gate and up.
static int64_t getIntermediateSize(WeightOp gateUp) {
  RankedTensorType type = gateUp.getTensorType();
  return type.getRank() == 3 ? type.getDimSize(1) / 2 : type.getDimSize(0);
}

/// Checks that int8 inputs have weights to be multiplied with.
static LogicalResult verifyEncoded(ExpertsOp op,
                                   SymbolTableCollection &symbols) {
  for (ArrayAttr names : {op.getGateUp(), op.getDown()})
    for (auto name : names.getAsRange<FlatSymbolRefAttr>()) {
      WeightOp weight = lookupWeight(op, symbols, name);
      Type stored = weight.getStoredElementType();
      bool isFirst = name == names[0];
      if (isFirst && getEncoding(stored) != Encoding::None)
        continue;
      auto first = lookupWeight(op, symbols, cast<FlatSymbolRefAttr>(names[0]));
      if (!isFirst && stored == first.getStoredElementType())
        continue;
      InFlightDiagnostic diagnostic =
          op.emitOpError()
          << "int8_activations: weight " << name
          << (isFirst ? " is not quantised"
                      : " is stored in another encoding than the first one");
      diagnostic.attachNote(weight.getLoc()) << "weight declared here";
      return diagnostic;
    }
  return success();
}

LogicalResult ExpertsOp::verify() {
  return verifySameShape(*this, "experts", getExperts(), "weights",
                         getWeights());
}

LogicalResult ExpertsOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (getGateUp().empty())
    return emitOpError("names no weight for gate and up");
  WeightOp first =
      lookupWeight(*this, symbols, cast<FlatSymbolRefAttr>(getGateUp()[0]));
  if (!first)
    return failure();
  int64_t hidden = getX().getType().getDimSize(1);
  int64_t intermediate = getIntermediateSize(first);
  FailureOr<int64_t> gateUp =
      verifyStack(*this, symbols, "gate and up", getGateUp(), 2,
                  {2 * intermediate, hidden});
  FailureOr<int64_t> down =
      verifyStack(*this, symbols, "down", getDown(), 1, {hidden, intermediate});
  if (failed(gateUp) || failed(down))
    return failure();
  if (*gateUp != *down)
    return emitOpError() << "has gate and up of " << *gateUp
                         << " experts, but down of " << *down;
  if (getInt8Activations() && failed(verifyEncoded(*this, symbols)))
    return failure();
  auto router = getExperts().getDefiningOp<RouterOp>();
  if (!router)
    return success();
  WeightOp gate = lookupWeight(router, symbols, router.getGateAttr());
  if (!gate)
    return failure();
  if (gate.getTensorType().getDimSize(0) == *gateUp)
    return success();
  InFlightDiagnostic diagnostic = emitOpError()
                                  << "has " << *gateUp
                                  << " experts, but its router chooses of "
                                  << gate.getTensorType().getDimSize(0);
  diagnostic.attachNote(gate.getLoc()) << "weight declared here";
  return diagnostic;
}

ExpertsOp::Sizes ExpertsOp::getSizes(SymbolTableCollection &symbols) {
  auto first = symbols.lookupNearestSymbolFrom<WeightOp>(
      *this, cast<FlatSymbolRefAttr>(getGateUp()[0]));
  RankedTensorType type = first.getTensorType();
  return {type.getRank() == 3 ? type.getDimSize(0)
                              : static_cast<int64_t>(getGateUp().size()) / 2,
          getIntermediateSize(first)};
}

std::pair<Encoding, Encoding>
ExpertsOp::getEncodings(SymbolTableCollection &symbols) {
  auto encodingOf = [&](ArrayAttr names) {
    return getEncoding(symbols
                           .lookupNearestSymbolFrom<WeightOp>(
                               *this, cast<FlatSymbolRefAttr>(names[0]))
                           .getStoredElementType());
  };
  return {encodingOf(getGateUp()), encodingOf(getDown())};
}

LogicalResult ScaleBySigmoidOp::verify() {
  if (getGate().getType().getDimSize(1) == 1)
    return success();
  return emitOpError() << "has " << getGate().getType().getDimSize(1)
                       << " gates per token, expected 1";
}
