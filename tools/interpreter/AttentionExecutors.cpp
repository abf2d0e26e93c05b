//===- AttentionExecutors.cpp - rotation, caches, attention ---------------===//
#include "tools/interpreter/Executor.h"

using namespace mlir;
using namespace quern;

using Results = Executor::Results;

reference::CacheShape Executor::cacheShape(FlatSymbolRefAttr cache) {
  RankedTensorType type = interpreter.getStateOp(cache).getTensorType();
  ArrayRef<int64_t> shape = type.getShape();
  return {shape[0], shape[1], shape[2], shape[3],
          isa<qwen::Int8RowsType>(type.getElementType())};
}

reference::Placement Executor::placement(unsigned first) const {
  return {in(first).integers, in(first + 1).integers, in(first + 2).integers,
          in(first + 2).shape[1]};
}

Results Executor::run(qwen::RopeTableOp table) {
  HostTensor out = result(in(0).shape[0]);
  auto values =
      llvm::to_vector(table.getInverseFrequencies().getValues<float>());
  reference::ropeTable(in(0).integers, values,
                       table.getAttentionFactor().convertToDouble(),
                       out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::RopeOp) {
  HostTensor out = result(in(0).shape[0]);
  reference::rope(in(0).floats, in(0).shape[1], in(0).shape[2], in(1).floats,
                  in(1).shape[1], resultType(), out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::CacheAppendOp append) {
  Status status =
      reference::cacheAppend(in(0).floats, in(1).floats, placement(2),
                             cacheShape(append.getKeyCacheAttr()),
                             interpreter.findState(append.getKeyCacheAttr()),
                             interpreter.findState(append.getValueCacheAttr()));
  if (status.isOk())
    return std::vector<HostTensor>();
  return take(status, {});
}

Results Executor::run(qwen::AttentionOp attention) {
  HostTensor out = result(in(0).shape[0]);
  // A gate multiplies before the result is rounded.
  bool isGated = bool(attention.getGate());
  unsigned first = attention.getSlotsMutable().getOperandNumber();
  Status status =
      reference::attention(in(0).floats, in(0).shape[1], placement(first),
                           cacheShape(attention.getKeyCacheAttr()),
                           interpreter.findState(attention.getKeyCacheAttr()),
                           interpreter.findState(attention.getValueCacheAttr()),
                           attention.getScale().convertToDouble(),
                           isGated ? DataType::F32 : resultType(), out.floats);
  if (isGated && status.isOk())
    reference::sigmoidGate(out.floats, gate(1, attention.getGateOffset()),
                           resultType(), out.floats);
  return take(status, std::move(out));
}

Results Executor::run(qwen::SigmoidGateOp) {
  HostTensor out = result(in(0).shape[0]);
  reference::sigmoidGate(in(0).floats, gate(1, 0), resultType(), out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::QkNormRopeAppendOp append) {
  FailureOr<reference::Norm> q =
      norm(append.getQNormAttr(), append.getEpsilon(), append.getUnitOffset());
  FailureOr<reference::Norm> k =
      norm(append.getKNormAttr(), append.getEpsilon(), append.getUnitOffset());
  if (failed(q) || failed(k))
    return failure();
  HostTensor out = result(in(0).shape[0]);
  reference::QkNormRope parts = {in(0).floats,     out.shape[1], in(1).floats,
                                 in(1).shape[1],   *q,           *k,
                                 append.getGated()};
  return take(reference::qkNormRopeAppend(
                  parts, placement(2), cacheShape(append.getKeyCacheAttr()),
                  resultType(), interpreter.findState(append.getKeyCacheAttr()),
                  interpreter.findState(append.getValueCacheAttr()),
                  out.floats),
              std::move(out));
}
