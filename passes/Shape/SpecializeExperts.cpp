//===- SpecializeExperts.cpp - How a program computes its experts ---------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"
#include "passes/Shape/ExpertForm.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_SPECIALIZEEXPERTSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

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
    if (form != "sorted" && form != "gathered" && form != "auto")
      return op.emitOpError() << "can't be computed in the form '" << form
                              << "', expected auto, gathered or sorted";
    int64_t wanted = tile;
    if (wanted < 0 || (wanted & (wanted - 1)) != 0)
      return op.emitOpError() << "can't be computed in tiles of " << wanted
                              << " rows, expected a power of two";
    double reuse = estimateExpertReuse(
        choices.getDimSize(0), choices.getDimSize(1),
        static_cast<double>(op.getSizes(symbols).numExperts));
    int64_t rows =
        form == "gathered"
            ? 0
            : chooseExpertTile(reuse,
                               {form == "sorted" ? 0.0 : minReuse.getValue(),
                                tile4Reuse, tile8Reuse, maxTile});
    if (rows == 0) {
      op.removeTileAttr();
      ++numGathered;
      return success();
    }
    op.setTile(wanted > 0 ? wanted : rows);
    ++numSorted;
    return success();
  }
};
} // namespace
