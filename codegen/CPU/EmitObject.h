//===- EmitObject.h - llvm dialect -> object code ---------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_CPU_EMITOBJECT_H
#define QUERN_CODEGEN_CPU_EMITOBJECT_H

#include "codegen/Targets/TargetDescription.h"

#include "mlir/IR/BuiltinOps.h"

namespace quern {

/// Optimises a module of the llvm dialect for the target's architecture, CPU
/// and features; returns a relocatable ELF file of position-independent code.
/// Internal if LLVM refuses. Thread-safe.
Result<std::string> emitObject(mlir::ModuleOp module,
                               const TargetDescription &target);

} // namespace quern

#endif // QUERN_CODEGEN_CPU_EMITOBJECT_H
