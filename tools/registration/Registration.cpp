//===- Registration.cpp - every dialect and pass of the tools -------------===//
#include "tools/registration/Registration.h"
#include "codegen/CPU/Passes.h"
#include "codegen/CUDA/Passes.h"
#include "codegen/Kernels/Passes.h"
#include "codegen/SPIRV/Passes.h"
#include "dialects/Exec/IR/ExecOps.h"
#include "dialects/Kernel/IR/KernelOps.h"
#include "dialects/Qwen/IR/QwenDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Pipelines.h"

void quern::registerAllDialects(mlir::DialectRegistry &registry) {
  registry
      .insert<exec::ExecDialect, kernel::KernelDialect, qwen::QwenDialect>();
  registry.insert<mlir::arith::ArithDialect, mlir::func::FuncDialect,
                  mlir::gpu::GPUDialect, mlir::LLVM::LLVMDialect,
                  mlir::NVVM::NVVMDialect, mlir::math::MathDialect,
                  mlir::memref::MemRefDialect, mlir::scf::SCFDialect,
                  mlir::spirv::SPIRVDialect, mlir::tensor::TensorDialect,
                  mlir::vector::VectorDialect>();
  mlir::func::registerInlinerExtension(registry);
}

void quern::registerAllPasses() {
  mlir::registerTransformsPasses();
  quern::registerAllQuernPasses();
  quern::registerQuernCPUPasses();
  quern::registerQuernCUDAPasses();
  quern::registerQuernKernelsPasses();
  quern::registerQuernSPIRVPasses();
}
