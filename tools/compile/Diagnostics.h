//===- Diagnostics.h - MLIR diagnostics as a status -------------*- C++ -*-===//
#ifndef QUERN_TOOLS_COMPILE_DIAGNOSTICS_H
#define QUERN_TOOLS_COMPILE_DIAGNOSTICS_H

#include "runtime/base/Status.h"

#include "mlir/IR/Diagnostics.h"

#include <string>

namespace quern {

/// While alive, keeps the first error of a context with its notes and prints
/// warnings to stderr, so that a failed pass ends as one clear message.
class DiagnosticCollector {
public:
  explicit DiagnosticCollector(mlir::MLIRContext *context);

  /// The first error, or an internal error that names `phase`.
  Status takeStatus(std::string_view phase);

private:
  std::string message;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace quern

#endif // QUERN_TOOLS_COMPILE_DIAGNOSTICS_H
