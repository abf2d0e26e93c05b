//===- LowerToSPIRV.h - Kernel function -> SPIR-V ---------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_SPIRV_LOWERTOSPIRV_H
#define QUERN_CODEGEN_SPIRV_LOWERTOSPIRV_H

#include "codegen/Kernels/CompiledKernel.h"
#include "codegen/Kernels/KernelModule.h"
#include "codegen/Targets/TargetDescription.h"

namespace quern {

/// Lowers the module of one kernel function; sets code and accesses of
/// `compiled`, whose launch is set. Unsupported if the target can't bind an
/// argument, Internal if the lowering fails.
Status lowerToSPIRV(mlir::ModuleOp module, const TargetDescription &target,
                    const KernelDump &dump, CompiledKernel &compiled);

} // namespace quern

#endif // QUERN_CODEGEN_SPIRV_LOWERTOSPIRV_H
