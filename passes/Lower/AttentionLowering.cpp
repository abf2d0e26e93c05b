//===- AttentionLowering.cpp - The requests of attention ------------------===//
#include "passes/Lower/AttentionLowering.h"

using namespace mlir;
using namespace quern;

/// A split of fewer positions costs more to merge than it saves.
static constexpr int64_t kMinSplitPositions = 128;

/// How many workgroups share the positions of a token: as many as it takes to
/// reach the wanted number of workgroups at the longest context.
static int64_t countSplits(qwen::AttentionOp op, int64_t pageSize,
                           int64_t keyHeads, int64_t wanted) {
  int64_t tokens = op.getType().getDimSize(0);
  int64_t context = op.getPageTable().getType().getDimSize(1) * pageSize;
  return std::min(wanted / (tokens * keyHeads), context / kMinSplitPositions);
}

LogicalResult quern::lowerAttention(qwen::AttentionOp op, ProgramBuilder &b) {
  Location loc = op.getLoc();
  RankedTensorType type = op.getType();
  DispatchArgument keys =
      b.useState(loc, op.getKeyCacheAttr(), exec::Effect::Read);
  DispatchArgument values =
      b.useState(loc, op.getValueCacheAttr(), exec::Effect::Read);
  SmallVector<DispatchArgument> arguments = {b.read(op.getQ()),
                                             keys,
                                             values,
                                             b.read(op.getSlots()),
                                             b.read(op.getPositions()),
                                             b.read(op.getPageTable())};
  NamedAttribute scale = b.makeConfig("scale", op.getScaleAttr());
  SmallVector<DispatchArgument> gate;
  SmallVector<NamedAttribute> gateConfig;
  if (op.getGate()) {
    gate.push_back(b.read(op.getGate()));
    gateConfig.push_back(b.makeConfig("gate_offset", op.getGateOffsetAttr()));
  }
  std::string prefix = op.getGate() ? "gated_" : "";

  int64_t splits =
      countSplits(op, keys.tensor.getDimSize(2), keys.tensor.getDimSize(1),
                  b.getOptions().attentionWorkgroups);
  if (splits < 2) {
    arguments.append(gate);
    arguments.push_back(b.write(op.getResult()));
    gateConfig.push_back(scale);
    b.dispatch(op, prefix + "attention", type.getShape().drop_front(),
               arguments, gateConfig);
    return success();
  }

  // Weighted values and, for each, their maximum score and sum of weights.
  auto f32 = Float32Type::get(op.getContext());
  int64_t tokens = type.getDimSize(0), heads = type.getDimSize(1);
  DispatchArgument partial = b.writeTemporary(
      loc,
      RankedTensorType::get({tokens, heads, splits, type.getDimSize(2)}, f32));
  DispatchArgument sums = b.writeTemporary(
      loc, RankedTensorType::get({tokens, heads, splits, 2}, f32));
  arguments.append({partial, sums});
  ArrayRef<int64_t> shape = partial.tensor.getShape().drop_front();
  b.dispatch(op, "attention_split", shape, arguments, {scale});

  SmallVector<DispatchArgument> merged = {asRead(partial), asRead(sums)};
  merged.append(gate);
  merged.push_back(b.write(op.getResult()));
  b.dispatch(op, prefix + "attention_merge", shape, merged, gateConfig);
  return success();
}
