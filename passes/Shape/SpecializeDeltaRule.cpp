//===- SpecializeDeltaRule.cpp - How a program computes its delta rules ---===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"
#include "passes/ProgramAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_SPECIALIZEDELTARULEPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// Whether the steps of a program end in the state, not in the rings.
static bool foldsSteps(exec::ProgramKind kind) {
  return kind == exec::ProgramKind::Prefill ||
         kind == exec::ProgramKind::DraftPrefill;
}

namespace {
struct SpecializeDeltaRulePass
    : quern::impl::SpecializeDeltaRulePassBase<SpecializeDeltaRulePass> {
  using SpecializeDeltaRulePassBase::SpecializeDeltaRulePassBase;

  void runOnOperation() override {
    func::FuncOp func = getOperation();
    auto ops = func.getOps<qwen::GatedDeltaRuleOp>();
    if (ops.empty())
      return;
    std::optional<exec::ProgramKind> kind = getProgramKind(func);
    std::optional<ProgramShape> shape = getProgramShape(func);
    int64_t tokens = chunk;
    if (!kind || !shape || tokens < 1) {
      if (tokens < 1)
        func.emitOpError() << "expected a chunk of at least 1, found "
                           << tokens;
      else
        func.emitOpError() << "doesn't say which program it is";
      return signalPassFailure();
    }
    for (qwen::GatedDeltaRuleOp op : ops) {
      if (!foldsSteps(*kind)) {
        op.removeChunkAttr();
        ++numAppended;
        continue;
      }
      bool fits = shape->tokens >= minTokens;
      op.setChunk(fits ? tokens : 1);
      ++(fits && tokens > 1 ? numChunked : numScanned);
    }
  }
};
} // namespace
