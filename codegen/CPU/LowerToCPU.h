//===- LowerToCPU.h - Kernel function -> CPU code ---------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_CPU_LOWERTOCPU_H
#define QUERN_CODEGEN_CPU_LOWERTOCPU_H

#include "codegen/Kernels/CompiledKernel.h"
#include "codegen/Kernels/KernelModule.h"
#include "codegen/Targets/TargetDescription.h"

namespace quern {

/// What a context needs to translate to LLVM IR.
void registerCPUTranslation(mlir::DialectRegistry &registry);

/// Lowers the module of one kernel function; sets code, variants and accesses
/// of `compiled`. Unsupported if the function uses what a CPU target lacks,
/// Internal if the lowering fails.
Status lowerToCPU(mlir::ModuleOp module, const TargetDescription &target,
                  const KernelDump &dump, CompiledKernel &compiled);

} // namespace quern

#endif // QUERN_CODEGEN_CPU_LOWERTOCPU_H
