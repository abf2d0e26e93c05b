//===- DeltaOps.cpp - gated delta net -------------------------------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern::qwen;
using namespace quern::qwen::detail;

using Effects =
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

static void addReadWrite(Effects &effects, ArrayRef<FlatSymbolRefAttr> states) {
  for (FlatSymbolRefAttr name : states) {
    effects.emplace_back(MemoryEffects::Read::get(), name,
                         StateResource::get());
    effects.emplace_back(MemoryEffects::Write::get(), name,
                         StateResource::get());
  }
}

/// Checks that a state has the shape `expected` behind its first dimensions,
/// which are slots or slots x ring.
static LogicalResult verifyState(Operation *op, SymbolTableCollection &symbols,
                                 FlatSymbolRefAttr name, StateKind kind,
                                 ArrayRef<int64_t> expected) {
  StateOp state = lookupState(op, symbols, name, kind);
  if (!state)
    return failure();
  ArrayRef<int64_t> found = state.getTensorType().getShape();
  if (found.take_back(expected.size()) == expected)
    return success();
  InFlightDiagnostic diagnostic =
      op->emitOpError() << "state " << name << " has the type "
                        << state.getTensorType() << ", expected to end in ";
  llvm::interleave(expected, diagnostic, "x");
  diagnostic.attachNote(state.getLoc()) << "state declared here";
  return diagnostic;
}

/// Checks the weight [channels, 1, K] and the state of a convolution.
static LogicalResult verifyConvolution(Operation *op,
                                       SymbolTableCollection &symbols,
                                       FlatSymbolRefAttr weightName,
                                       FlatSymbolRefAttr stateName,
                                       int64_t channels, Type element) {
  WeightOp weight = lookupWeight(op, symbols, weightName);
  if (!weight)
    return failure();
  int64_t width = weight.getTensorType().getShape().back();
  if (failed(verifyWeight(op, symbols, weightName, {channels, 1, width})) ||
      failed(verifyState(op, symbols, stateName, StateKind::Convolution,
                         channels)))
    return failure();
  auto state =
      symbols.lookupNearestSymbolFrom<StateOp>(op, stateName.getAttr());
  RankedTensorType type = state.getTensorType();
  InFlightDiagnostic diagnostic = op->emitOpError();
  if (type.getElementType() != element)
    diagnostic << "state " << stateName << " has elements of "
               << type.getElementType() << ", expected " << element;
  else if (type.getDimSize(1) < width)
    diagnostic << "state " << stateName << " keeps " << type.getDimSize(1)
               << " tokens, expected at least " << width;
  else {
    diagnostic.abandon();
    return success();
  }
  diagnostic.attachNote(state.getLoc()) << "state declared here";
  return diagnostic;
}

/// Checks that the per-head scalars of an op belong to `heads` heads.
static LogicalResult verifyScalars(Operation *op, StringRef what, Value value,
                                   int64_t heads) {
  int64_t found = tensorType(value).getDimSize(1);
  if (found == heads)
    return success();
  return op->emitOpError() << what << " has " << found << " heads, expected "
                           << heads;
}

/// Checks q and k [T, Hk, Dk] against v [T, Hv, Dv].
static LogicalResult verifyDeltaHeads(Operation *op, Value q, Value k,
                                      Value v) {
  if (failed(verifySameShape(op, "q", q, "k", k)))
    return failure();
  int64_t keyHeads = tensorType(k).getDimSize(1);
  int64_t valueHeads = tensorType(v).getDimSize(1);
  if (keyHeads > 0 && valueHeads % keyHeads == 0)
    return success();
  return op->emitOpError() << "has " << valueHeads
                           << " value heads, expected a multiple of the "
                           << keyHeads << " key heads";
}

//===----------------------------------------------------------------------===//
// CausalConv1dOp
//===----------------------------------------------------------------------===//

OperandRange CausalConv1dOp::getTokenOperands() {
  return getOperands().drop_back();
}

void CausalConv1dOp::getEffects(Effects &effects) {
  addReadWrite(effects, getStateAttr());
}

LogicalResult CausalConv1dOp::verify() {
  RankedTensorType from = getX().getType(), to = getType();
  if (from.getElementType() != to.getElementType())
    return emitOpError("changes the element type");
  if (to.getDimSize(1) <= from.getDimSize(1))
    return success();
  return emitOpError() << "has " << to.getDimSize(1) << " channels of "
                       << from.getDimSize(1) << " features";
}

LogicalResult CausalConv1dOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyConvolution(*this, symbols, getWeightAttr(), getStateAttr(),
                           getType().getDimSize(1), getType().getElementType());
}

//===----------------------------------------------------------------------===//
// L2NormOp, DeltaGatesOp
//===----------------------------------------------------------------------===//

LogicalResult L2NormOp::verify() {
  if (failed(verifyEpsilon(*this, getEpsilon())))
    return failure();
  return verifySameShape(*this, "x", getX(), "the result", getResult());
}

LogicalResult DeltaGatesOp::verify() {
  int64_t heads = getBeta().getType().getDimSize(1);
  if (failed(verifyScalars(*this, "decay", getDecay(), heads)))
    return failure();
  if (getBa().getType().getDimSize(1) == 2 * heads)
    return success();
  return emitOpError() << "ba has " << getBa().getType().getDimSize(1)
                       << " features, expected two for each of " << heads
                       << " heads";
}

/// The two vectors of a gate, one number for each value head.
static LogicalResult verifyGateWeights(Operation *op,
                                       SymbolTableCollection &symbols,
                                       FlatSymbolRefAttr aLog,
                                       FlatSymbolRefAttr dtBias,
                                       int64_t heads) {
  if (failed(verifyWeight(op, symbols, aLog, heads)))
    return failure();
  return verifyWeight(op, symbols, dtBias, heads);
}

LogicalResult DeltaGatesOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyGateWeights(*this, symbols, getALogAttr(), getDtBiasAttr(),
                           getBeta().getType().getDimSize(1));
}

//===----------------------------------------------------------------------===//
// DeltaInputsOp
//===----------------------------------------------------------------------===//

OperandRange DeltaInputsOp::getTokenOperands() {
  return getOperands().drop_back();
}

void DeltaInputsOp::getEffects(Effects &effects) {
  addReadWrite(effects, getStateAttr());
}

static int64_t countChannels(DeltaInputsOp op) {
  RankedTensorType k = op.getK().getType(), v = op.getV().getType();
  return 2 * k.getDimSize(1) * k.getDimSize(2) +
         v.getDimSize(1) * v.getDimSize(2);
}

LogicalResult DeltaInputsOp::verify() {
  if (failed(verifyEpsilon(*this, getEpsilon())) ||
      failed(verifyDeltaHeads(*this, getQ(), getK(), getV())))
    return failure();
  int64_t heads = getV().getType().getDimSize(1);
  if (failed(verifyScalars(*this, "decay", getDecay(), heads)) ||
      failed(verifyScalars(*this, "beta", getBeta(), heads)) ||
      failed(verifyScalars(*this, "ba", getBa(), 2 * heads)))
    return failure();
  if (getV().getType().getElementType() != getX().getType().getElementType())
    return emitOpError("v has another element type than x");
  if (countChannels(*this) <= getX().getType().getDimSize(1))
    return success();
  return emitOpError() << "has " << countChannels(*this) << " channels of "
                       << getX().getType().getDimSize(1) << " features";
}

LogicalResult DeltaInputsOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyGateWeights(*this, symbols, getALogAttr(), getDtBiasAttr(),
                               getV().getType().getDimSize(1))))
    return failure();
  return verifyConvolution(*this, symbols, getWeightAttr(), getStateAttr(),
                           countChannels(*this),
                           getX().getType().getElementType());
}

//===----------------------------------------------------------------------===//
// GatedDeltaRuleOp
//===----------------------------------------------------------------------===//

OperandRange GatedDeltaRuleOp::getTokenOperands() {
  return getOperands().drop_back();
}

void GatedDeltaRuleOp::getEffects(Effects &effects) {
  addReadWrite(effects, {getRecurrentAttr(), getKeysAttr(), getUpdatesAttr(),
                         getDecaysAttr()});
}

LogicalResult GatedDeltaRuleOp::verify() {
  if (failed(verifyDeltaHeads(*this, getQ(), getK(), getV())))
    return failure();
  int64_t heads = getV().getType().getDimSize(1);
  if (failed(verifyScalars(*this, "decay", getDecay(), heads)) ||
      failed(verifyScalars(*this, "beta", getBeta(), heads)))
    return failure();
  return verifySameShape(*this, "v", getV(), "the result", getResult());
}

LogicalResult
GatedDeltaRuleOp::verifySymbolUses(SymbolTableCollection &symbols) {
  RankedTensorType k = getK().getType(), v = getV().getType();
  int64_t keyHeads = k.getDimSize(1), keyDim = k.getDimSize(2);
  int64_t valueHeads = v.getDimSize(1), valueDim = v.getDimSize(2);
  if (failed(verifyState(*this, symbols, getRecurrentAttr(),
                         StateKind::Recurrent, {valueHeads, keyDim, valueDim})))
    return failure();
  StateOp keys =
      lookupState(*this, symbols, getKeysAttr(), StateKind::DeltaKeys);
  if (!keys)
    return failure();
  int64_t ring = keys.getTensorType().getDimSize(1);
  if (failed(verifyState(*this, symbols, getKeysAttr(), StateKind::DeltaKeys,
                         {ring, keyHeads, keyDim})) ||
      failed(verifyState(*this, symbols, getUpdatesAttr(),
                         StateKind::DeltaUpdates,
                         {ring, valueHeads, valueDim})))
    return failure();
  return verifyState(*this, symbols, getDecaysAttr(), StateKind::DeltaDecays,
                     {ring, valueHeads});
}

//===----------------------------------------------------------------------===//
// GatedRmsNormOp
//===----------------------------------------------------------------------===//

LogicalResult GatedRmsNormOp::verify() {
  if (failed(verifyEpsilon(*this, getEpsilon())) ||
      failed(verifySameShape(*this, "x", getX(), "the result", getResult())))
    return failure();
  RankedTensorType x = getType();
  uint64_t needed = x.getDimSize(1) * x.getDimSize(2);
  uint64_t features = getGate().getType().getDimSize(1);
  if (getGateOffset() <= features && needed <= features - getGateOffset())
    return success();
  return emitOpError() << "gate takes " << needed << " features from offset "
                       << getGateOffset() << " of " << features;
}

LogicalResult GatedRmsNormOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyWeight(*this, symbols, getWeightAttr(), getType().getDimSize(2));
}
