//===- DeltaLowerings.cpp - Kernel requests of gated delta nets -----------===//
#include "passes/Lower/DeltaLowerings.h"

using namespace mlir;
using namespace quern;

using exec::Effect;
using exec::Packing;

static DispatchArgument readPlain(ProgramBuilder &b, Operation *op,
                                  FlatSymbolRefAttr weight) {
  return b.readWeight(op->getLoc(), Packing::Plain, {weight});
}

namespace {
/// The convolution of an op: its weight and the inputs that it keeps.
struct ConvolutionLowering {
  ConvolutionLowering(Operation *op, Value x, Value sequences,
                      FlatSymbolRefAttr weightName, FlatSymbolRefAttr state,
                      ProgramBuilder &b)
      : op(op), b(b), x(b.read(x)), sequences(b.read(sequences)),
        weight(readPlain(b, op, weightName)),
        before(b.useState(op->getLoc(), state, Effect::Read)),
        after(b.useState(op->getLoc(), state, Effect::ReadWrite)) {}

  int64_t channels() const { return weight.tensor.getDimSize(0); }
  int64_t width() const { return weight.tensor.getShape().back(); }
  /// The step's rows of the ring are none of those that its tokens read.
  bool canStore() const {
    return x.tensor.getDimSize(0) + width() - 1 <= after.tensor.getDimSize(1);
  }

  /// Dispatches `family`, which stores rows if its name says so; else they are
  /// stored by a second dispatch. `arguments` lacks the state that is written;
  /// `results` stand behind it.
  void dispatch(StringRef family, ArrayRef<int64_t> shape,
                SmallVector<DispatchArgument> arguments,
                ArrayRef<DispatchArgument> results,
                ArrayRef<NamedAttribute> config) {
    std::string name = family.str();
    if (canStore()) {
      name += "_append";
      arguments.push_back(after);
    }
    llvm::append_range(arguments, results);
    b.dispatch(op, name, shape, arguments, config);
    if (!canStore())
      b.dispatch(op, "convolution_append", {channels()}, {x, sequences, after});
  }

  Operation *op;
  ProgramBuilder &b;
  DispatchArgument x, sequences, weight, before, after;
};
} // namespace

LogicalResult quern::lowerCausalConv1d(qwen::CausalConv1dOp op,
                                       ProgramBuilder &b) {
  ConvolutionLowering conv(op, op.getX(), op.getSequences(), op.getWeightAttr(),
                           op.getStateAttr(), b);
  conv.dispatch("causal_conv1d", {conv.channels(), conv.width()},
                {conv.x, conv.weight, conv.before, conv.sequences},
                {b.write(op.getResult())}, {});
  return success();
}

LogicalResult quern::lowerDeltaInputs(qwen::DeltaInputsOp op,
                                      ProgramBuilder &b) {
  ConvolutionLowering conv(op, op.getX(), op.getSequences(), op.getWeightAttr(),
                           op.getStateAttr(), b);
  ArrayRef<int64_t> key = getFeatures(op.getK()),
                    value = getFeatures(op.getV());
  conv.dispatch(
      "delta_inputs", {key[0], key[1], value[0], value[1], conv.width()},
      {conv.x, b.read(op.getBa()), conv.weight,
       readPlain(b, op, op.getALogAttr()), readPlain(b, op, op.getDtBiasAttr()),
       conv.before, conv.sequences},
      {b.write(op.getQ()), b.write(op.getK()), b.write(op.getV()),
       b.write(op.getDecay()), b.write(op.getBeta())},
      {b.makeConfig("epsilon", op.getEpsilonAttr())});
  return success();
}

LogicalResult quern::lowerL2Norm(qwen::L2NormOp op, ProgramBuilder &b) {
  b.dispatch(op, "l2_norm", getFeatures(op.getX()),
             {b.read(op.getX()), b.write(op.getResult())},
             {b.makeConfig("epsilon", op.getEpsilonAttr()),
              b.makeConfig("scale", op.getScaleAttr())});
  return success();
}

LogicalResult quern::lowerDeltaGates(qwen::DeltaGatesOp op, ProgramBuilder &b) {
  b.dispatch(op, "delta_gates", getFeatures(op.getBeta()),
             {b.read(op.getBa()), readPlain(b, op, op.getALogAttr()),
              readPlain(b, op, op.getDtBiasAttr()), b.write(op.getDecay()),
              b.write(op.getBeta())});
  return success();
}

LogicalResult quern::lowerGatedDeltaRule(qwen::GatedDeltaRuleOp op,
                                         ProgramBuilder &b) {
  auto use = [&](FlatSymbolRefAttr state, Effect effect) {
    return b.useState(op.getLoc(), state, effect);
  };
  std::optional<uint64_t> chunk = op.getChunk();
  ArrayRef<int64_t> key = getFeatures(op.getK()),
                    value = getFeatures(op.getV());
  SmallVector<int64_t> shape = {key[0], key[1], value[0], value[1]};
  SmallVector<DispatchArgument> arguments = {
      b.read(op.getQ()),
      b.read(op.getK()),
      b.read(op.getV()),
      b.read(op.getDecay()),
      b.read(op.getBeta()),
      use(op.getRecurrentAttr(), Effect::Read),
      use(op.getKeysAttr(), Effect::Read),
      use(op.getUpdatesAttr(), Effect::Read),
      use(op.getDecaysAttr(), Effect::Read),
      b.read(op.getSequences())};
  DispatchArgument result = b.write(op.getResult());
  // The states once more, to be written.
  arguments.push_back(use(op.getRecurrentAttr(), Effect::ReadWrite));
  if (!chunk)
    for (FlatSymbolRefAttr state :
         {op.getKeysAttr(), op.getUpdatesAttr(), op.getDecaysAttr()})
      arguments.push_back(use(state, Effect::ReadWrite));
  arguments.push_back(result);
  if (chunk && *chunk > 1) {
    shape.push_back(*chunk);
    b.dispatch(op, "delta_chunk", shape, arguments,
               {b.makeConfig("chunk", op.getChunkAttr())});
    return success();
  }
  b.dispatch(op, chunk ? "delta_scan" : "delta_rule", shape, arguments);
  return success();
}

LogicalResult quern::lowerGatedRmsNorm(qwen::GatedRmsNormOp op,
                                       ProgramBuilder &b) {
  int64_t offset = static_cast<int64_t>(op.getGateOffset());
  b.dispatch(op, "gated_rms_norm", getFeatures(op.getX()),
             {b.read(op.getX()), b.read(op.getGate()),
              readPlain(b, op, op.getWeightAttr()), b.write(op.getResult())},
             {b.makeConfig("epsilon", op.getEpsilonAttr()),
              b.makeConfig("gate_offset", offset)});
  return success();
}
