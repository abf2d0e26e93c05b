//===- DeltaExecutors.cpp - ops of a gated delta net ----------------------===//
#include "tools/interpreter/Executor.h"

using namespace mlir;
using namespace quern;

using Results = Executor::Results;

FailureOr<reference::Convolution>
Executor::convolution(FlatSymbolRefAttr weight, FlatSymbolRefAttr state) {
  const std::vector<float> *values = interpreter.findWeight(op, weight);
  if (!values)
    return failure();
  ArrayRef<int64_t> shape =
      interpreter.getStateOp(state).getTensorType().getShape();
  int64_t channels = shape[2];
  return reference::Convolution{
      *values, static_cast<int64_t>(values->size()) / channels,
      interpreter.findState(state), shape[1], in(0).shape[1]};
}

Results Executor::run(qwen::CausalConv1dOp conv) {
  FailureOr<reference::Convolution> parts =
      convolution(conv.getWeightAttr(), conv.getStateAttr());
  if (failed(parts))
    return failure();
  HostTensor out = result(in(0).shape[0]);
  return take(reference::causalConv1d(in(0).floats, *parts, in(1).integers,
                                      resultType(), out.floats),
              std::move(out));
}

Results Executor::run(qwen::L2NormOp l2) {
  HostTensor out = result(in(0).shape[0]);
  reference::l2Norm(in(0).floats, in(0).shape[2],
                    l2.getEpsilon().convertToDouble(),
                    l2.getScale().convertToDouble(), out.floats);
  return take(std::move(out));
}

Results Executor::run(qwen::DeltaGatesOp gates) {
  const std::vector<float> *aLog =
      interpreter.findWeight(op, gates.getALogAttr());
  const std::vector<float> *dtBias =
      aLog ? interpreter.findWeight(op, gates.getDtBiasAttr()) : nullptr;
  if (!dtBias)
    return failure();
  std::vector<HostTensor> out = {result(in(0).shape[0]),
                                 result(in(0).shape[0], 1)};
  reference::deltaGates(in(0).floats, *aLog, *dtBias, out[0].floats,
                        out[1].floats);
  return out;
}

/// Shape of keys [T, Hk, Dk] and values [T, Hv, Dv].
static reference::DeltaShape shapeOf(ArrayRef<int64_t> k, ArrayRef<int64_t> v) {
  return {k[1], v[1], k[2], v[2]};
}

Results Executor::run(qwen::DeltaInputsOp inputs) {
  FailureOr<reference::Convolution> conv =
      convolution(inputs.getWeightAttr(), inputs.getStateAttr());
  if (failed(conv))
    return failure();
  const std::vector<float> *aLog =
      interpreter.findWeight(op, inputs.getALogAttr());
  const std::vector<float> *dtBias =
      aLog ? interpreter.findWeight(op, inputs.getDtBiasAttr()) : nullptr;
  if (!dtBias)
    return failure();
  std::vector<HostTensor> out;
  out.reserve(op->getNumResults());
  for (unsigned i = 0; i < op->getNumResults(); ++i)
    out.push_back(result(in(0).shape[0], i));
  reference::DeltaInputs parts = {shapeOf(out[1].shape, out[2].shape),
                                  in(0).floats,
                                  in(1).floats,
                                  *conv,
                                  *aLog,
                                  *dtBias,
                                  inputs.getEpsilon().convertToDouble()};
  Status status =
      reference::deltaInputs(parts, in(2).integers, resultType(2),
                             {out[0].floats, out[1].floats, out[2].floats,
                              out[3].floats, out[4].floats});
  if (status.isOk())
    return out;
  return take(status, {});
}

Results Executor::run(qwen::GatedDeltaRuleOp rule) {
  HostTensor out = result(in(0).shape[0]);
  reference::DeltaOperands parts = {shapeOf(in(1).shape, in(2).shape),
                                    in(0).floats,
                                    in(1).floats,
                                    in(2).floats,
                                    in(3).floats,
                                    in(4).floats};
  reference::DeltaStates states = {
      interpreter.findState(rule.getRecurrentAttr()),
      interpreter.findState(rule.getKeysAttr()),
      interpreter.findState(rule.getUpdatesAttr()),
      interpreter.findState(rule.getDecaysAttr()),
      interpreter.getStateOp(rule.getKeysAttr()).getTensorType().getDimSize(1)};
  return take(reference::gatedDeltaRule(parts, states, in(5).integers,
                                        resultType(), out.floats),
              std::move(out));
}

Results Executor::run(qwen::GatedRmsNormOp gated) {
  FailureOr<reference::Norm> parameters =
      norm(gated.getWeightAttr(), gated.getEpsilon(), /*unitOffset=*/false);
  if (failed(parameters))
    return failure();
  HostTensor out = result(in(0).shape[0]);
  reference::gatedRmsNorm(in(0).floats, *parameters,
                          gate(1, gated.getGateOffset()), resultType(),
                          out.floats);
  return take(std::move(out));
}
