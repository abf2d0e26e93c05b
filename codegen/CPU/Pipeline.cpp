//===- Pipeline.cpp - The passes from kernel functions to LLVM ------------===//
#include "codegen/CPU/Passes.h"
#include "codegen/Targets/TargetDescription.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

namespace quern {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "codegen/CPU/CPUPasses.h.inc"
} // namespace quern

using namespace mlir;

namespace {
class ExpandMath : public quern::impl::ExpandMathPassBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return name == math::ExpOp::getOperationName() ||
             name == math::LogOp::getOperationName();
    });
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace

void quern::buildVectorizePipeline(OpPassManager &manager, unsigned lanes) {
  // Address arithmetic is shared while the function is small.
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  VectorizeSubgroupsPassOptions options;
  options.lanes = lanes;
  manager.addPass(createVectorizeSubgroupsPass(options));
  // Conversions between representations are made at every use.
  manager.addPass(createCSEPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createLoopInvariantCodeMotionPass());
  manager.addPass(createCSEPass());
}

void quern::buildConvertToLLVMPipeline(OpPassManager &manager,
                                       const TargetDescription &target) {
  SelectByteDotPassOptions products;
  products.instructions = getByteDotName(target.byteDot);
  manager.addPass(createSelectByteDotPass(products));
  manager.addPass(createExpandMathPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createConvertMathToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createConvertIndexToLLVMPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createUBToLLVMConversionPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
}
