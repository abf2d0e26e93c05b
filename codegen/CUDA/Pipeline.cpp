//===- Pipeline.cpp - The passes from kernel functions to NVVM ------------===//
#include "codegen/CUDA/Passes.h"
#include "codegen/Kernels/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void quern::buildConvertToNVVMPipeline(OpPassManager &manager) {
  manager.addPass(createExpandBytesPass());
  // Address arithmetic is shared and hoisted while loops are structured.
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addPass(createLoopInvariantCodeMotionPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createKernelToNVVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
}
