//===- EmitPtx.h - llvm and nvvm dialects -> PTX ----------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_CUDA_EMITPTX_H
#define QUERN_CODEGEN_CUDA_EMITPTX_H

#include "codegen/Targets/TargetDescription.h"

#include "mlir/IR/BuiltinOps.h"

namespace quern {

/// The text of a module in the llvm and nvvm dialects for the target's
/// architecture. Unsupported if LLVM has no such one, Internal if the code
/// calls a function that is not there.
Result<std::string> emitPtx(mlir::ModuleOp module,
                            const TargetDescription &target);

} // namespace quern

#endif // QUERN_CODEGEN_CUDA_EMITPTX_H
