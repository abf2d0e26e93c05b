//===- AttentionOps.cpp - paged cache and attention -----------------------===//
#include "dialects/Qwen/IR/Verification.h"

using namespace mlir;
using namespace quern::qwen;
using namespace quern::qwen::detail;

using Effects =
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>;

/// Checks both caches of an op; entries are `heads` x `headDim` of `element`,
/// or both have int8 rows.
template <typename Op>
static LogicalResult verifyCaches(Op op, SymbolTableCollection &symbols,
                                  int64_t heads, int64_t headDim,
                                  Type element) {
  int64_t entry[] = {heads, headDim};
  if (failed(verifyCache(op, symbols, op.getKeyCacheAttr(), StateKind::KeyCache,
                         entry, element)) ||
      failed(verifyCache(op, symbols, op.getValueCacheAttr(),
                         StateKind::ValueCache, entry, element)))
    return failure();
  Operation *caches[] = {
      symbols.lookupNearestSymbolFrom(op, op.getKeyCacheAttr()),
      symbols.lookupNearestSymbolFrom(op, op.getValueCacheAttr())};
  auto hasInt8Rows = [](Operation *cache) {
    return isa<Int8RowsType>(
        cast<StateOp>(cache).getTensorType().getElementType());
  };
  if (hasInt8Rows(caches[0]) == hasInt8Rows(caches[1]))
    return success();
  InFlightDiagnostic diagnostic =
      op.emitOpError("has int8 rows in one of its caches, expected them in "
                     "both or in none");
  for (Operation *cache : caches)
    diagnostic.attachNote(cache->getLoc()) << "state declared here";
  return diagnostic;
}

template <typename Op> static void addCacheWrites(Op op, Effects &effects) {
  for (FlatSymbolRefAttr name : {op.getKeyCacheAttr(), op.getValueCacheAttr()})
    effects.emplace_back(MemoryEffects::Write::get(), name,
                         StateResource::get());
}

// The page table is the last operand of these ops and the only one without a
// row per token.

OperandRange CacheAppendOp::getTokenOperands() {
  return getOperands().drop_back();
}

void CacheAppendOp::getEffects(Effects &effects) {
  addCacheWrites(*this, effects);
}

LogicalResult CacheAppendOp::verify() {
  if (getK().getType() == getV().getType())
    return success();
  return emitOpError() << "k has type " << getK().getType() << ", v has type "
                       << getV().getType() << ", expected the same";
}

LogicalResult CacheAppendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  RankedTensorType k = getK().getType();
  return verifyCaches(*this, symbols, k.getDimSize(1), k.getDimSize(2),
                      k.getElementType());
}

OperandRange AttentionOp::getTokenOperands() {
  return getOperands().drop_back();
}

void AttentionOp::getEffects(Effects &effects) {
  for (FlatSymbolRefAttr name : {getKeyCacheAttr(), getValueCacheAttr()})
    effects.emplace_back(MemoryEffects::Read::get(), name,
                         StateResource::get());
}

LogicalResult AttentionOp::verify() {
  if (getGate()) {
    RankedTensorType gate = getGate().getType(), q = getType();
    uint64_t needed = q.getDimSize(1) * q.getDimSize(2);
    uint64_t features = gate.getDimSize(1);
    if (gate.getElementType() != q.getElementType())
      return emitOpError() << "gate has elements of " << gate.getElementType()
                           << ", expected " << q.getElementType();
    if (getGateOffset() > features || needed > features - getGateOffset())
      return emitOpError() << "gate takes " << needed
                           << " features from offset " << getGateOffset()
                           << " of " << features;
  } else if (getGateOffset() != 0) {
    return emitOpError("has a gate_offset without a gate");
  }
  if (getScale().isFinite() && !getScale().isNegative() && !getScale().isZero())
    return success();
  return emitOpError("scale must be positive and finite");
}

LogicalResult AttentionOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto state = dyn_cast_or_null<StateOp>(
      symbols.lookupNearestSymbolFrom(*this, getKeyCacheAttr()));
  // The number of key/value heads is the cache's own.
  RankedTensorType q = getType();
  int64_t heads = state ? state.getTensorType().getDimSize(1) : 0;
  if (failed(verifyCaches(*this, symbols, heads, q.getDimSize(2),
                          q.getElementType())))
    return failure();
  if (heads > 0 && q.getDimSize(1) % heads == 0)
    return success();
  InFlightDiagnostic diagnostic =
      emitOpError() << "has " << q.getDimSize(1)
                    << " query heads, expected a multiple of the cache's "
                    << heads;
  diagnostic.attachNote(state.getLoc()) << "state declared here";
  return diagnostic;
}

LogicalResult SigmoidGateOp::verify() {
  if (getGate().getType().getElementType() != getType().getElementType())
    return emitOpError("gate has another element type than x");
  return verifySameShape(*this, "x", getX(), "gate", getGate());
}

OperandRange QkNormRopeAppendOp::getTokenOperands() {
  return getOperands().drop_back();
}

void QkNormRopeAppendOp::getEffects(Effects &effects) {
  addCacheWrites(*this, effects);
}

LogicalResult QkNormRopeAppendOp::verify() {
  if (failed(verifyEpsilon(*this, getEpsilon())))
    return failure();
  RankedTensorType q = getType(), qkv = getQkv().getType();
  int64_t headDim = q.getDimSize(2);
  int64_t rotary = getTable().getType().getDimSize(1);
  if (static_cast<int64_t>(getNumHeads()) != q.getDimSize(1))
    return emitOpError() << "num_heads is " << getNumHeads()
                         << ", expected the result's " << q.getDimSize(1);
  if (getNumHeads() % getNumKvHeads() != 0)
    return emitOpError() << "num_kv_heads is " << getNumKvHeads()
                         << ", expected a divisor of num_heads "
                         << getNumHeads();
  int64_t queries = (getGated() ? 2 : 1) * getNumHeads();
  int64_t features =
      (queries + 2 * static_cast<int64_t>(getNumKvHeads())) * headDim;
  if (qkv.getDimSize(1) != features ||
      qkv.getElementType() != q.getElementType())
    return emitOpError() << "qkv has " << qkv.getDimSize(1) << " features of "
                         << qkv.getElementType() << ", expected " << features
                         << " of " << q.getElementType();
  if (rotary % 2 != 0 || rotary > headDim)
    return emitOpError() << "table has " << rotary
                         << " columns, expected an even number up to the "
                            "head_dim "
                         << headDim;
  return success();
}

LogicalResult
QkNormRopeAppendOp::verifySymbolUses(SymbolTableCollection &symbols) {
  RankedTensorType q = getType();
  int64_t headDim = q.getDimSize(2);
  for (FlatSymbolRefAttr name : {getQNormAttr(), getKNormAttr()})
    if (failed(verifyWeight(*this, symbols, name, headDim)))
      return failure();
  return verifyCaches(*this, symbols, getNumKvHeads(), headDim,
                      q.getElementType());
}
