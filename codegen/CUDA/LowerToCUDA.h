//===- LowerToCUDA.h - Kernel function -> PTX -------------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_CUDA_LOWERTOCUDA_H
#define QUERN_CODEGEN_CUDA_LOWERTOCUDA_H

#include "codegen/Kernels/CompiledKernel.h"
#include "codegen/Kernels/KernelModule.h"
#include "codegen/Targets/TargetDescription.h"

namespace quern {

/// What a context needs to translate to LLVM IR.
void registerCUDATranslation(mlir::DialectRegistry &registry);

/// Lowers the module of one kernel function; sets code, variants and accesses
/// of `compiled`. The code is the text of a PTX module, padded with zeros to
/// whole words. Unsupported if the function uses what CUDA lacks, Internal if
/// the lowering fails.
Status lowerToCUDA(mlir::ModuleOp module, const TargetDescription &target,
                   const KernelDump &dump, CompiledKernel &compiled);

} // namespace quern

#endif // QUERN_CODEGEN_CUDA_LOWERTOCUDA_H
