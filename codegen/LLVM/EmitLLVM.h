//===- EmitLLVM.h - llvm dialect -> what an LLVM backend emits --*- C++ -*-===//
#ifndef QUERN_CODEGEN_LLVM_EMITLLVM_H
#define QUERN_CODEGEN_LLVM_EMITLLVM_H

#include "runtime/base/Status.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/IR/Module.h"

#include <string>
#include <vector>

namespace quern {

/// What code is generated for, in LLVM's names.
struct LLVMTarget {
  std::string triple, cpu;
  std::string features; ///< "+avxvnni,+avxvnniint8"
  /// What code uses by name: all features of one of these lists. LLVM would end
  /// the process without them.
  std::vector<std::vector<std::string>> needs;
  bool emitsText = false; ///< Assembly in place of an object file.
};

/// Translates a module whose dialects have translations in its context,
/// calls `adjust`, optimises and emits position-independent code. Loops are not
/// vectorised, since kernels are written in vectors, and no loop becomes a call
/// of a library. Unsupported if LLVM lacks the target, CPU or feature, Internal
/// if it refuses the module. Thread-safe.
Result<std::string>
emitLLVM(mlir::ModuleOp module, const LLVMTarget &target,
         llvm::function_ref<void(llvm::Module &)> adjust = nullptr);

} // namespace quern

#endif // QUERN_CODEGEN_LLVM_EMITLLVM_H
