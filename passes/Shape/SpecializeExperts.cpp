//===- SpecializeExperts.cpp - How a program computes its experts ---------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cmath>

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_SPECIALIZEEXPERTSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// How often a chosen expert is chosen, if every choice is as likely as any
/// other: pairs / (E (1 - (1 - k/E)^T)).
static double estimateReuse(double tokens, double slots, double experts) {
  double chosen = experts * (1 - std::pow(1 - slots / experts, tokens));
  return tokens * slots / chosen;
}

namespace {
struct SpecializeExpertsPass
    : quern::impl::SpecializeExpertsPassBase<SpecializeExpertsPass> {
  using SpecializeExpertsPassBase::SpecializeExpertsPassBase;

  void runOnOperation() override {
    SymbolTableCollection symbols;
    for (auto op : getOperation().getOps<qwen::ExpertsOp>())
      if (failed(specialize(op, symbols)))
        return signalPassFailure();
  }

  LogicalResult specialize(qwen::ExpertsOp op, SymbolTableCollection &symbols) {
    RankedTensorType choices = op.getExperts().getType();
    if (!choices.hasStaticShape())
      return op.emitOpError("has no static number of tokens");
    double reuse =
        estimateReuse(choices.getDimSize(0), choices.getDimSize(1),
                      static_cast<double>(op.getSizes(symbols).numExperts));
    bool isSorted = form == "sorted" || (form == "auto" && reuse >= minReuse);
    if (form != "sorted" && form != "gathered" && form != "auto")
      return op.emitOpError() << "can't be computed in the form '" << form
                              << "', expected auto, gathered or sorted";
    if (!isSorted) {
      op.removeTileAttr();
      ++numGathered;
      return success();
    }
    // Two tiles of 16 share nothing; one of 32 pays if it is mostly full.
    int64_t rows = tile > 0 ? tile : reuse >= 32 ? 32 : 16;
    op.setTile(rows);
    ++numSorted;
    return success();
  }
};
} // namespace
