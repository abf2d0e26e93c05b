//===- FuseSwiGLU.cpp - Gate and up projections with SwiGLU ---------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Graph/Match.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_FUSESWIGLUPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// Whether both are products of one input with one weight each, of one type.
static bool isPair(qwen::LinearOp gate, qwen::LinearOp up) {
  if (!gate || !up || gate == up || gate.getX() != up.getX() ||
      gate.getWeights().size() != 1 || up.getWeights().size() != 1)
    return false;
  auto gateWeight = lookupWeight<qwen::WeightOp>(gate, gate.getWeights()[0]);
  auto upWeight = lookupWeight<qwen::WeightOp>(up, up.getWeights()[0]);
  return gateWeight && upWeight &&
         gateWeight.getTensorType() == upWeight.getTensorType() &&
         gateWeight.getStoredElementType() == upWeight.getStoredElementType();
}

namespace {
struct FuseSwiGLUPass : quern::impl::FuseSwiGLUPassBase<FuseSwiGLUPass> {
  void runOnOperation() override {
    SmallVector<qwen::SwigluOp> activations;
    getOperation().walk(
        [&](qwen::SwigluOp activation) { activations.push_back(activation); });
    for (qwen::SwigluOp activation : activations) {
      auto gate = getSingleUseDef<qwen::LinearOp>(activation.getGate());
      auto up = getSingleUseDef<qwen::LinearOp>(activation.getUp());
      if (!isPair(gate, up))
        continue;
      OpBuilder builder(activation);
      Value fused = qwen::LinearSwigluOp::create(
          builder, builder.getFusedLoc({gate.getLoc(), up.getLoc()}),
          activation.getType(), gate.getX(),
          cast<FlatSymbolRefAttr>(gate.getWeights()[0]),
          cast<FlatSymbolRefAttr>(up.getWeights()[0]));
      activation.replaceAllUsesWith(fused);
      activation.erase();
      gate.erase();
      up.erase();
      ++numFused;
    }
  }
};
} // namespace
