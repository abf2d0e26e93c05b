//===- KernelModule.h - The module of one kernel while it is lowered
//-------===//
#ifndef QUERN_CODEGEN_KERNELS_KERNELMODULE_H
#define QUERN_CODEGEN_KERNELS_KERNELMODULE_H

#include "runtime/base/Status.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace quern {

/// Collects the errors that MLIR reports while it lives.
class ErrorCollector {
public:
  explicit ErrorCollector(mlir::MLIRContext *context)
      : handler(context, [this](mlir::Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
            text += (text.empty() ? "" : "; ") + diagnostic.str();
        }) {}
  std::string text;

private:
  mlir::ScopedDiagnosticHandler handler;
};

/// Where the IR of one kernel is written to; nowhere if `prefix` is empty.
struct KernelDump {
  std::string prefix; ///< FOLDER/NAME

  /// Writes the module to PREFIX.KIND.mlir.
  Status write(llvm::StringRef kind, mlir::ModuleOp module) const;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_KERNELMODULE_H
