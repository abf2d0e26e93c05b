//===- MoeLowerings.cpp - Kernel requests of mixtures of experts ----------===//
#include "passes/Lower/MoeLowerings.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace quern;

using exec::Packing;

LogicalResult quern::lowerRouter(qwen::RouterOp op, ProgramBuilder &b) {
  RankedTensorType x = op.getX().getType();
  SymbolTableCollection symbols;
  int64_t numExperts =
      symbols.lookupNearestSymbolFrom<qwen::WeightOp>(op, op.getGateAttr())
          .getTensorType()
          .getDimSize(0);
  int64_t slots = op.getExperts().getType().getDimSize(1);
  auto f32 = Float32Type::get(op.getContext());
  DispatchArgument logits = b.writeTemporary(
      op.getLoc(), RankedTensorType::get({x.getDimSize(0), numExperts}, f32));
  b.dispatch(
      op, "linear", {x.getDimSize(1), numExperts},
      {b.read(op.getX()),
       b.readWeight(op.getLoc(), Packing::Plain, {op.getGateAttr()}), logits},
      {b.makeCountConfig(), b.makeConfig("epilogue", StringRef("none"))});
  b.dispatch(
      op, "router", {numExperts, slots},
      {asRead(logits), b.write(op.getExperts()), b.write(op.getWeights())},
      {b.makeCountConfig(), b.makeFlagConfig("normalize", op.getNormalize())});
  return success();
}

/// The sizes of a mixture in one program, and its weights as kernels see them.
namespace {
struct ExpertsLowering {
  ExpertsLowering(qwen::ExpertsOp op, ProgramBuilder &b) : op(op), b(b) {
    SymbolTableCollection symbols;
    qwen::ExpertsOp::Sizes sizes = op.getSizes(symbols);
    tokens = op.getX().getType().getDimSize(0);
    hidden = op.getX().getType().getDimSize(1);
    slots = op.getExperts().getType().getDimSize(1);
    numExperts = sizes.numExperts;
    intermediate = sizes.intermediateSize;
    std::tie(gateUpEncoding, downEncoding) = op.getEncodings(symbols);
  }

  /// What a product reads as its inputs: `x` itself, or its int8 codes and
  /// their factors, as rows of `features`.
  SmallVector<DispatchArgument> readInputs(DispatchArgument x,
                                           ArrayRef<int64_t> rows,
                                           int64_t features, Encoding weight);
  /// The family for inputs of this kind.
  std::string getFamily(StringRef family) {
    return ((op.getInt8Activations() ? "integer_" : "") + family).str();
  }

  DispatchArgument readGateUp() {
    DispatchArgument weight = b.readWeight(op.getLoc(), Packing::Interleave,
                                           op.getGateUp().getValue());
    return viewAs(weight, {numExperts, 2 * intermediate, hidden});
  }
  DispatchArgument readDown() {
    ArrayRef<Attribute> sources = op.getDown().getValue();
    DispatchArgument weight = b.readWeight(
        op.getLoc(),
        sources.size() == 1 ? Packing::Plain : Packing::Concatenate, sources);
    return viewAs(weight, {numExperts, hidden, intermediate});
  }

  LogicalResult lowerGathered();
  LogicalResult lowerSorted(int64_t tileRows);
  /// The pairs by expert: pairs, experts of the tiles, ends of their sizes.
  SmallVector<DispatchArgument> sort(int64_t tileRows);
  DispatchArgument makeIntegers(ArrayRef<int64_t> shape) {
    return b.writeTemporary(
        op.getLoc(),
        RankedTensorType::get(shape, IntegerType::get(op.getContext(), 32)));
  }

  static DispatchArgument viewAs(DispatchArgument argument,
                                 ArrayRef<int64_t> shape) {
    argument.tensor =
        RankedTensorType::get(shape, argument.tensor.getElementType());
    return argument;
  }

  qwen::ExpertsOp op;
  ProgramBuilder &b;
  int64_t tokens, hidden, slots, numExperts, intermediate;
  Encoding gateUpEncoding, downEncoding;
};
} // namespace

SmallVector<DispatchArgument>
ExpertsLowering::readInputs(DispatchArgument x, ArrayRef<int64_t> rows,
                            int64_t features, Encoding weight) {
  if (!op.getInt8Activations())
    return {x};
  // Groups do not cross rows: all rows of a token are one.
  int64_t perToken = ShapedType::getNumElements(rows) / tokens * features;
  DispatchArgument codes = makeIntegers({tokens, perToken / 4});
  DispatchArgument factors = b.writeTemporary(
      op.getLoc(), RankedTensorType::get({tokens, perToken / kGroupSize, 2},
                                         Float32Type::get(op.getContext())));
  b.dispatch(
      op, "quantize_activations", perToken,
      {viewAs(x, {tokens, perToken}), codes, factors},
      {b.makeCountConfig(),
       b.makeConfig("weight_bits", int64_t(getEncodingInfo(weight).bits))});
  SmallVector<int64_t> codesShape(rows), factorsShape(rows);
  codesShape.push_back(features / 4);
  factorsShape.append({features / kGroupSize, 2});
  return {viewAs(asRead(codes), codesShape),
          viewAs(asRead(factors), factorsShape)};
}

/// One grid over (token, slot), twice.
LogicalResult ExpertsLowering::lowerGathered() {
  Type element = op.getX().getType().getElementType();
  DispatchArgument products = b.writeTemporary(
      op.getLoc(),
      RankedTensorType::get({tokens, slots, intermediate}, element));
  SmallVector<DispatchArgument> arguments =
      readInputs(b.read(op.getX()), {tokens}, hidden, gateUpEncoding);
  arguments.append({b.read(op.getExperts()), readGateUp(), products});
  b.dispatch(op, getFamily("expert_rows"),
             {numExperts, slots, hidden, 2 * intermediate}, arguments,
             {b.makeConfig("epilogue", StringRef("swiglu"))});
  arguments =
      readInputs(asRead(products), {tokens, slots}, intermediate, downEncoding);
  arguments.append({b.read(op.getExperts()), b.read(op.getWeights()),
                    readDown(), b.write(op.getResult())});
  b.dispatch(op, getFamily("expert_sum"),
             {numExperts, slots, intermediate, hidden}, arguments);
  return success();
}

SmallVector<DispatchArgument> ExpertsLowering::sort(int64_t tileRows) {
  // Every chosen expert may leave a tile with one row. Tiles have tileRows,
  // half as many, ..., one row.
  int64_t pairs = tokens * slots;
  int64_t tiles =
      (pairs + std::min(pairs, numExperts) * (tileRows - 1)) / tileRows;
  DispatchArgument counts = makeIntegers({numExperts});
  DispatchArgument sorted = makeIntegers({tiles, tileRows});
  DispatchArgument tileExperts = makeIntegers({tiles});
  DispatchArgument tileEnds = makeIntegers({llvm::Log2_64(tileRows) + 1});
  b.dispatch(op, "expert_count", {numExperts, slots},
             {b.read(op.getExperts()), counts});
  b.dispatch(
      op, "expert_sort", {numExperts, slots, tileRows},
      {b.read(op.getExperts()), asRead(counts), sorted, tileExperts, tileEnds});
  return {asRead(sorted), asRead(tileExperts), asRead(tileEnds)};
}

/// Sorted on the device; tiles of the pairs of one expert.
LogicalResult ExpertsLowering::lowerSorted(int64_t tileRows) {
  Type element = op.getX().getType().getElementType();
  SmallVector<DispatchArgument> work = sort(tileRows);
  DispatchArgument gated = b.writeTemporary(
      op.getLoc(),
      RankedTensorType::get({tokens, slots, intermediate}, element));
  SmallVector<DispatchArgument> arguments =
      readInputs(b.read(op.getX()), {tokens}, hidden, gateUpEncoding);
  arguments.append({work[0], work[1], work[2], readGateUp(), gated});
  b.dispatch(op, getFamily("expert_tiles"),
             {numExperts, slots, tileRows, hidden, 2 * intermediate}, arguments,
             {b.makeConfig("epilogue", StringRef("swiglu"))});
  DispatchArgument products = b.writeTemporary(
      op.getLoc(), RankedTensorType::get({tokens, slots, hidden},
                                         Float32Type::get(op.getContext())));
  arguments =
      readInputs(asRead(gated), {tokens, slots}, intermediate, downEncoding);
  arguments.append({work[0], work[1], work[2], readDown(), products});
  b.dispatch(op, getFamily("expert_tiles"),
             {numExperts, slots, tileRows, intermediate, hidden}, arguments,
             {b.makeConfig("epilogue", StringRef("none"))});
  b.dispatch(
      op, "expert_combine", {slots, hidden},
      {asRead(products), b.read(op.getWeights()), b.write(op.getResult())});
  return success();
}

LogicalResult quern::lowerExperts(qwen::ExpertsOp op, ProgramBuilder &b) {
  ExpertsLowering lowering(op, b);
  return op.getTile() ? lowering.lowerSorted(*op.getTile())
                      : lowering.lowerGathered();
}

LogicalResult quern::lowerScaleBySigmoid(qwen::ScaleBySigmoidOp op,
                                         ProgramBuilder &b) {
  b.dispatch(
      op, "scale_by_sigmoid", op.getX().getType().getDimSize(1),
      {b.read(op.getX()), b.read(op.getGate()), b.write(op.getResult())});
  return success();
}
