//===- FuseAddRMSNorm.cpp - Residual add and norm in one op ---------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_FUSEADDRMSNORMPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// The first norm of the sum in the block of `add`; null if there is none.
static qwen::RmsNormOp findNorm(qwen::ResidualAddOp add) {
  qwen::RmsNormOp first;
  for (Operation *user : add->getUsers()) {
    auto norm = dyn_cast<qwen::RmsNormOp>(user);
    if (norm && norm->getBlock() == add->getBlock() &&
        (!first || norm->isBeforeInBlock(first)))
      first = norm;
  }
  return first;
}

namespace {
struct FuseAddRMSNormPass
    : quern::impl::FuseAddRMSNormPassBase<FuseAddRMSNormPass> {
  void runOnOperation() override {
    SmallVector<qwen::ResidualAddOp> adds;
    getOperation().walk([&](qwen::ResidualAddOp add) { adds.push_back(add); });
    for (qwen::ResidualAddOp add : adds) {
      qwen::RmsNormOp norm = findNorm(add);
      if (!norm)
        continue;
      // At the place of the add, which dominates all uses of both results.
      OpBuilder builder(add);
      auto fused = qwen::AddRmsNormOp::create(
          builder, builder.getFusedLoc({add.getLoc(), norm.getLoc()}),
          add.getType(), norm.getType(), add.getResidual(), add.getDelta(),
          norm.getWeightAttr(), norm.getEpsilonAttr(),
          norm.getUnitOffsetAttr());
      norm.replaceAllUsesWith(fused.getNormed());
      norm.erase();
      add.replaceAllUsesWith(fused.getSum());
      add.erase();
      ++numFused;
    }
  }
};
} // namespace
