//===- Passes.h - From kernel functions to NVVM -----------------*- C++ -*-===//
//
// The passes of Passes.td and the pipeline that orders them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_CUDA_PASSES_H
#define QUERN_CODEGEN_CUDA_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class LLVMTypeConverter;
class OpPassManager;
class RewritePatternSet;
} // namespace mlir

namespace quern {

#define GEN_PASS_DECL
#include "codegen/CUDA/CUDAPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "codegen/CUDA/CUDAPasses.h.inc"

/// gpu, memref, math and kernel ops as llvm and nvvm. `converter` turns memrefs
/// into pointers.
void populateKernelToNVVMPatterns(const mlir::LLVMTypeConverter &converter,
                                  mlir::RewritePatternSet &patterns);

/// Those of them that are for matrix units.
void populateMatrixToNVVMPatterns(const mlir::LLVMTypeConverter &converter,
                                  mlir::RewritePatternSet &patterns);

/// gpu.module -> the llvm and nvvm dialects, ready to translate.
void buildConvertToNVVMPipeline(mlir::OpPassManager &manager);

} // namespace quern

#endif // QUERN_CODEGEN_CUDA_PASSES_H
