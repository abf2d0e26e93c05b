//===- Pipeline.cpp - The passes from kernel functions to SPIR-V ----------===//
#include "codegen/Kernels/Passes.h"
#include "codegen/SPIRV/Passes.h"
#include "codegen/Targets/TargetDescription.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void quern::buildSelectAccessPipeline(OpPassManager &manager,
                                      const TargetDescription &target) {
  manager.addPass(createExpandBytesPass());
  SelectBufferAccessPassOptions access;
  access.readAccess =
      target.readAccess == ReadAccess::Texel ? "texel" : "storage";
  access.maxStorageBytes = target.maxStorageBufferBytes;
  access.maxTexelElements = target.maxTexelElements;
  manager.nest<gpu::GPUModuleOp>().addNestedPass<gpu::GPUFuncOp>(
      createSelectBufferAccessPass(access));
}

void quern::buildConvertToSPIRVPipeline(OpPassManager &manager) {
  // Before the conversion: address arithmetic is shared and hoisted while
  // loops are still structured.
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addPass(createLoopInvariantCodeMotionPass());
  // The conversion loses the initial values of an scf.for that never runs.
  manager.addPass(createForToWhileLoopPass());
  manager.addPass(createKernelToSPIRVPass());
  OpPassManager &spirvModule = manager.nest<spirv::ModuleOp>();
  spirvModule.addPass(spirv::createSPIRVLowerABIAttributesPass());
  spirvModule.addPass(createCanonicalizerPass());
  spirvModule.addPass(createCSEPass());
  // Last: deduces version, capabilities and extensions from what is left.
  spirvModule.addPass(spirv::createSPIRVUpdateVCEPass());
}
