//===- OpLowerings.cpp - The kernel request of each qwen op ---------------===//
//
// One function per op. Families, arguments in binding order and config are the
// contract with codegen/Kernels.
//
//===----------------------------------------------------------------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Lower/AttentionLowering.h"
#include "passes/Lower/DeltaLowerings.h"
#include "passes/Lower/MoeLowerings.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quern;

using exec::Effect;
using exec::Packing;

/// A tensor as rows of its last dimension.
static RankedTensorType getAsRows(Value value) {
  RankedTensorType type = getTensorType(value);
  int64_t features = type.getShape().back();
  return RankedTensorType::get({type.getNumElements() / features, features},
                               type.getElementType());
}

static LogicalResult lower(qwen::EmbeddingOp op, ProgramBuilder &b) {
  b.dispatch(op, "embedding", getFeatures(op.getResult()),
             {b.read(op.getIds()),
              b.readWeight(op.getLoc(), Packing::Plain, {op.getWeightAttr()}),
              b.write(op.getResult())});
  return success();
}

static LogicalResult lower(qwen::RmsNormOp op, ProgramBuilder &b) {
  RankedTensorType input = getAsRows(op.getX());
  int64_t rowsPerToken =
      input.getDimSize(0) / getTensorType(op.getX()).getDimSize(0);
  b.dispatch(op, "rms_norm", getFeatures(op.getX()),
             {b.read(op.getX(), input),
              b.readWeight(op.getLoc(), Packing::Plain, {op.getWeightAttr()}),
              b.write(op.getResult(), getAsRows(op.getResult()))},
             {b.makeCountConfig(), b.makeConfig("epsilon", op.getEpsilonAttr()),
              b.makeConfig("rows_per_token", rowsPerToken),
              b.makeFlagConfig("unit_offset", op.getUnitOffset())});
  return success();
}

static LogicalResult lower(qwen::AddRmsNormOp op, ProgramBuilder &b) {
  b.dispatch(op, "add_rms_norm", getFeatures(op.getSum()),
             {b.read(op.getResidual()), b.read(op.getDelta()),
              b.readWeight(op.getLoc(), Packing::Plain, {op.getWeightAttr()}),
              b.write(op.getSum()), b.write(op.getNormed())},
             {b.makeConfig("epsilon", op.getEpsilonAttr()),
              b.makeFlagConfig("unit_offset", op.getUnitOffset())});
  return success();
}

static LogicalResult lower(qwen::ResidualAddOp op, ProgramBuilder &b) {
  b.dispatch(op, "residual_add", getFeatures(op.getResult()),
             {b.read(op.getResidual()), b.read(op.getDelta()),
              b.write(op.getResult())});
  return success();
}

static LogicalResult lower(qwen::LinearOp op, ProgramBuilder &b) {
  ArrayRef<Attribute> sources = op.getWeights().getValue();
  Packing packing = sources.size() == 1 ? Packing::Plain : Packing::Concatenate;
  b.dispatch(
      op, "linear", {getFeatures(op.getX())[0], getFeatures(op.getResult())[0]},
      {b.read(op.getX()),
       b.readWeight(op.getLoc(), packing, sources, op.getPartsAttr()),
       b.write(op.getResult())},
      {b.makeCountConfig(), b.makeConfig("epilogue", StringRef("none"))});
  return success();
}

static LogicalResult lower(qwen::LinearSwigluOp op, ProgramBuilder &b) {
  b.dispatch(
      op, "linear",
      {getFeatures(op.getX())[0], 2 * getFeatures(op.getResult())[0]},
      {b.read(op.getX()),
       b.readWeight(op.getLoc(), Packing::Interleave,
                    {op.getGateAttr(), op.getUpAttr()}),
       b.write(op.getResult())},
      {b.makeCountConfig(), b.makeConfig("epilogue", StringRef("swiglu"))});
  return success();
}

static LogicalResult lower(qwen::QuantizeActivationsOp op, ProgramBuilder &b) {
  b.dispatch(
      op, "quantize_activations", getFeatures(op.getX()),
      {b.read(op.getX()), b.write(op.getCodes()), b.write(op.getFactors())},
      {b.makeCountConfig(),
       b.makeConfig("weight_bits", int64_t(op.getWeightBits()))});
  return success();
}

static LogicalResult lower(qwen::IntegerLinearOp op, ProgramBuilder &b) {
  ArrayRef<Attribute> sources = op.getWeights().getValue();
  int64_t rowsPerOutput = op.getSwiglu() ? 2 : 1;
  Packing packing = op.getSwiglu()        ? Packing::Interleave
                    : sources.size() == 1 ? Packing::Plain
                                          : Packing::Concatenate;
  b.dispatch(op, "integer_linear",
             {getFeatures(op.getCodes())[0] * 4,
              rowsPerOutput * getFeatures(op.getResult())[0]},
             {b.read(op.getCodes()), b.read(op.getFactors()),
              b.readWeight(op.getLoc(), packing, sources, op.getPartsAttr()),
              b.write(op.getResult())},
             {b.makeCountConfig(),
              b.makeConfig("epilogue",
                           StringRef(op.getSwiglu() ? "swiglu" : "none"))});
  return success();
}

static LogicalResult lower(qwen::SwigluOp op, ProgramBuilder &b) {
  b.dispatch(
      op, "swiglu", getFeatures(op.getResult()),
      {b.read(op.getGate()), b.read(op.getUp()), b.write(op.getResult())});
  return success();
}

static LogicalResult lower(qwen::RopeTableOp op, ProgramBuilder &b) {
  b.dispatch(op, "rope_table", getFeatures(op.getResult()),
             {b.read(op.getPositions()),
              b.readConstant(op.getLoc(), "inverse_frequencies",
                             op.getInverseFrequencies()),
              b.write(op.getResult())},
             {b.makeConfig("attention_factor", op.getAttentionFactorAttr())});
  return success();
}

static LogicalResult lower(qwen::RopeOp op, ProgramBuilder &b) {
  b.dispatch(
      op, "rope", getFeatures(op.getResult()),
      {b.read(op.getX()), b.read(op.getTable()), b.write(op.getResult())});
  return success();
}

static LogicalResult lower(qwen::CacheAppendOp op, ProgramBuilder &b) {
  b.dispatch(
      op, "cache_append", getFeatures(op.getK()),
      {b.read(op.getK()), b.read(op.getV()), b.read(op.getSlots()),
       b.read(op.getPositions()), b.read(op.getPageTable()),
       b.useState(op.getLoc(), op.getKeyCacheAttr(), Effect::ReadWrite),
       b.useState(op.getLoc(), op.getValueCacheAttr(), Effect::ReadWrite)});
  return success();
}

static LogicalResult lower(qwen::QkNormRopeAppendOp op, ProgramBuilder &b) {
  b.dispatch(
      op, "qk_norm_rope_append", getFeatures(op.getResult()),
      {b.read(op.getQkv()), b.read(op.getTable()), b.read(op.getSlots()),
       b.read(op.getPositions()), b.read(op.getPageTable()),
       b.readWeight(op.getLoc(), Packing::Plain, {op.getQNormAttr()}),
       b.readWeight(op.getLoc(), Packing::Plain, {op.getKNormAttr()}),
       b.useState(op.getLoc(), op.getKeyCacheAttr(), Effect::ReadWrite),
       b.useState(op.getLoc(), op.getValueCacheAttr(), Effect::ReadWrite),
       b.write(op.getResult())},
      {b.makeConfig("epsilon", op.getEpsilonAttr()),
       b.makeConfig("num_heads", op.getNumHeadsAttr()),
       b.makeConfig("num_kv_heads", op.getNumKvHeadsAttr()),
       b.makeFlagConfig("unit_offset", op.getUnitOffset()),
       b.makeFlagConfig("gated", op.getGated())});
  return success();
}

static LogicalResult lower(qwen::AttentionOp op, ProgramBuilder &b) {
  return lowerAttention(op, b);
}

static LogicalResult lower(qwen::SelectRowsOp op, ProgramBuilder &b) {
  b.beginRows();
  b.dispatch(
      op, "select_rows", getFeatures(op.getResult()),
      {b.read(op.getX()), b.read(op.getRows()), b.write(op.getResult())});
  return success();
}

static LogicalResult lower(qwen::SampleOp op, ProgramBuilder &b) {
  b.dispatch(op, "sample", getFeatures(op.getLogits()),
             {b.read(op.getLogits()), b.read(op.getSampling()),
              b.read(op.getSeen()), b.write(op.getResult())});
  return success();
}

static LogicalResult lower(qwen::RouterOp op, ProgramBuilder &b) {
  return lowerRouter(op, b);
}
static LogicalResult lower(qwen::ExpertsOp op, ProgramBuilder &b) {
  return lowerExperts(op, b);
}
static LogicalResult lower(qwen::ScaleBySigmoidOp op, ProgramBuilder &b) {
  return lowerScaleBySigmoid(op, b);
}

static LogicalResult lower(qwen::CausalConv1dOp op, ProgramBuilder &b) {
  return lowerCausalConv1d(op, b);
}
static LogicalResult lower(qwen::DeltaInputsOp op, ProgramBuilder &b) {
  return lowerDeltaInputs(op, b);
}
static LogicalResult lower(qwen::L2NormOp op, ProgramBuilder &b) {
  return lowerL2Norm(op, b);
}
static LogicalResult lower(qwen::DeltaGatesOp op, ProgramBuilder &b) {
  return lowerDeltaGates(op, b);
}
static LogicalResult lower(qwen::GatedDeltaRuleOp op, ProgramBuilder &b) {
  return lowerGatedDeltaRule(op, b);
}
static LogicalResult lower(qwen::GatedRmsNormOp op, ProgramBuilder &b) {
  return lowerGatedRmsNorm(op, b);
}

static LogicalResult lower(qwen::SigmoidGateOp op, ProgramBuilder &b) {
  b.dispatch(op, "sigmoid_gate", getFeatures(op.getResult()),
             {b.read(op.getX()), b.read(op.getGate()), b.write(op.getResult())},
             {b.makeCountConfig()});
  return success();
}

static LogicalResult lower(qwen::SliceFeaturesOp op, ProgramBuilder &b) {
  int64_t offset = static_cast<int64_t>(op.getOffset());
  b.dispatch(op, "slice_features",
             {getFeatures(op.getX())[0], getFeatures(op.getResult())[0]},
             {b.read(op.getX()), b.write(op.getResult())},
             {b.makeCountConfig(), b.makeConfig("offset", offset)});
  return success();
}

static LogicalResult lower(qwen::ConcatFeaturesOp op, ProgramBuilder &b) {
  b.dispatch(op, "concat_features",
             {getFeatures(op.getA())[0], getFeatures(op.getB())[0]},
             {b.read(op.getA()), b.read(op.getB()), b.write(op.getResult())},
             {b.makeCountConfig()});
  return success();
}

// Dense buffers: heads and features are two views of the same elements.
static LogicalResult lower(qwen::SplitHeadsOp op, ProgramBuilder &b) {
  b.bindView(op.getResult(), op.getX());
  return success();
}
static LogicalResult lower(qwen::MergeHeadsOp op, ProgramBuilder &b) {
  b.bindView(op.getResult(), op.getX());
  return success();
}

LogicalResult quern::lowerOp(Operation *op, ProgramBuilder &builder) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<qwen::AddRmsNormOp, qwen::AttentionOp, qwen::CacheAppendOp,
            qwen::CausalConv1dOp, qwen::ConcatFeaturesOp, qwen::DeltaGatesOp,
            qwen::DeltaInputsOp, qwen::EmbeddingOp, qwen::ExpertsOp,
            qwen::GatedDeltaRuleOp, qwen::GatedRmsNormOp, qwen::IntegerLinearOp,
            qwen::L2NormOp, qwen::LinearOp, qwen::LinearSwigluOp,
            qwen::MergeHeadsOp, qwen::QkNormRopeAppendOp,
            qwen::QuantizeActivationsOp, qwen::ResidualAddOp, qwen::RmsNormOp,
            qwen::RopeOp, qwen::RopeTableOp, qwen::RouterOp, qwen::SampleOp,
            qwen::ScaleBySigmoidOp, qwen::SelectRowsOp, qwen::SigmoidGateOp,
            qwen::SliceFeaturesOp, qwen::SplitHeadsOp, qwen::SwigluOp>(
          [&](auto typed) { return lower(typed, builder); })
      .Default([](Operation *other) {
        return other->emitOpError() << "has no kernel";
      });
}
