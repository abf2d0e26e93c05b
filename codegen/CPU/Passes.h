//===- Passes.h - From kernel functions to CPU code -------------*- C++ -*-===//
//
// The passes of Passes.td and the pipeline that orders them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_CPU_PASSES_H
#define QUERN_CODEGEN_CPU_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace quern {
struct TargetDescription;

#define GEN_PASS_DECL
#include "codegen/CPU/CPUPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "codegen/CPU/CPUPasses.h.inc"

/// gpu.module -> functions over vectors of `lanes` lanes.
void buildVectorizePipeline(mlir::OpPassManager &manager, unsigned lanes);

/// Then: the llvm dialect, ready to translate.
void buildConvertToLLVMPipeline(mlir::OpPassManager &manager,
                                const TargetDescription &target);

} // namespace quern

#endif // QUERN_CODEGEN_CPU_PASSES_H
