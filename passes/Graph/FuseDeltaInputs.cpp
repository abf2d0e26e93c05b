//===- FuseDeltaInputs.cpp - What the delta rule takes, in one op ---------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Graph/Match.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cmath>

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_FUSEDELTAINPUTSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
/// Heads cut out of the convolution's result.
struct HeadSlice {
  qwen::SplitHeadsOp split;
  qwen::SliceFeaturesOp slice;

  int64_t begin() { return slice.getOffset(); }
  int64_t end() { return begin() + slice.getType().getDimSize(1); }
};

/// All that qwen.delta_inputs does at once.
struct Inputs {
  qwen::CausalConv1dOp conv;
  HeadSlice q, k, v;
  qwen::L2NormOp qNorm, kNorm;
  qwen::DeltaGatesOp gates;
};
} // namespace

static bool matchHeads(Value heads, HeadSlice &out) {
  out.split = getSingleUseDef<qwen::SplitHeadsOp>(heads);
  if (out.split)
    out.slice = getSingleUseDef<qwen::SliceFeaturesOp>(out.split.getX());
  return bool(out.slice);
}

/// Finds the ops behind the operands of a rule.
static bool match(qwen::GatedDeltaRuleOp rule, Inputs &in) {
  in.qNorm = getSingleUseDef<qwen::L2NormOp>(rule.getQ());
  in.kNorm = getSingleUseDef<qwen::L2NormOp>(rule.getK());
  if (!in.qNorm || !in.kNorm || !matchHeads(in.qNorm.getX(), in.q) ||
      !matchHeads(in.kNorm.getX(), in.k) || !matchHeads(rule.getV(), in.v))
    return false;
  in.conv = in.v.slice.getX().getDefiningOp<qwen::CausalConv1dOp>();
  in.gates = getSingleUseDef<qwen::DeltaGatesOp>(rule.getDecay());
  return in.conv && in.gates && rule.getBeta() == in.gates.getBeta() &&
         rule.getBeta().hasOneUse() && in.q.slice.getX() == in.conv &&
         in.k.slice.getX() == in.conv &&
         in.conv.getSequences() == rule.getSequences();
}

/// Whether queries, keys and values fill the convolution's result in order, and
/// the norms are those of qwen.delta_inputs.
static bool isFusable(Inputs &in) {
  double keyDim = in.qNorm.getType().getDimSize(2);
  return llvm::range_size(in.conv->getUsers()) == 3 && in.q.begin() == 0 &&
         in.k.begin() == in.q.end() && in.v.begin() == in.k.end() &&
         in.v.end() == in.conv.getType().getDimSize(1) &&
         in.qNorm.getType() == in.kNorm.getType() &&
         in.qNorm.getEpsilonAttr() == in.kNorm.getEpsilonAttr() &&
         in.qNorm.getScale().convertToDouble() == 1 / std::sqrt(keyDim) &&
         in.kNorm.getScale().convertToDouble() == 1;
}

/// Whether an op between `first` and `last` names the state.
static bool isTouched(Attribute state, Operation *first, Operation *last) {
  if (first->getBlock() != last->getBlock())
    return true;
  for (Operation *op = first->getNextNode(); op && op != last;
       op = op->getNextNode())
    for (NamedAttribute attribute : op->getAttrs())
      if (attribute.getValue() == state)
        return true;
  return false;
}

static void fuse(qwen::GatedDeltaRuleOp rule, Inputs &in) {
  OpBuilder builder(rule);
  Location loc = builder.getFusedLoc({in.conv.getLoc(), in.qNorm.getLoc(),
                                      in.kNorm.getLoc(), in.v.split.getLoc(),
                                      in.gates.getLoc()});
  auto fused = qwen::DeltaInputsOp::create(
      builder, loc, in.qNorm.getType(), in.kNorm.getType(),
      in.v.split.getType(), in.gates.getDecay().getType(),
      in.gates.getBeta().getType(), in.conv.getX(), in.gates.getBa(),
      in.conv.getWeightAttr(), in.gates.getALogAttr(), in.gates.getDtBiasAttr(),
      in.conv.getStateAttr(), in.conv.getSequences(),
      in.qNorm.getEpsilonAttr());
  rule.getQMutable().assign(fused.getQ());
  rule.getKMutable().assign(fused.getK());
  rule.getVMutable().assign(fused.getV());
  rule.getDecayMutable().assign(fused.getDecay());
  rule.getBetaMutable().assign(fused.getBeta());
  for (Operation *op : std::initializer_list<Operation *>{
           in.qNorm, in.kNorm, in.q.split, in.k.split, in.v.split, in.q.slice,
           in.k.slice, in.v.slice, in.conv, in.gates})
    op->erase();
}

namespace {
struct FuseDeltaInputsPass
    : quern::impl::FuseDeltaInputsPassBase<FuseDeltaInputsPass> {
  void runOnOperation() override {
    getOperation().walk([&](qwen::GatedDeltaRuleOp rule) {
      Inputs in;
      if (!match(rule, in) || !isFusable(in) ||
          isTouched(in.conv.getStateAttr(), in.conv, rule))
        return;
      fuse(rule, in);
      ++numFused;
    });
  }
};
} // namespace
