//===- Diagnostics.cpp - MLIR diagnostics as a status ---------------------===//
#include "tools/compile/Diagnostics.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace quern {

/// "layers.3.mlp.down_proj: message"; unknown locations are left out.
static std::string describe(const Diagnostic &diagnostic) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (auto name = dyn_cast<NameLoc>(diagnostic.getLocation()))
    out << name.getName().getValue() << ": ";
  else if (!isa<UnknownLoc>(diagnostic.getLocation()))
    out << diagnostic.getLocation() << ": ";
  out << diagnostic.str();
  return text;
}

DiagnosticCollector::DiagnosticCollector(MLIRContext *context)
    : handler(context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Warning)
          llvm::errs() << "quern: warning: " << describe(diagnostic) << "\n";
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error ||
            !message.empty())
          return success();
        message = describe(diagnostic);
        for (Diagnostic &note : diagnostic.getNotes())
          message += "\n  note: " + describe(note);
        return success();
      }) {}

Status DiagnosticCollector::takeStatus(std::string_view phase) {
  if (message.empty())
    return internalError(std::string(phase) + " failed without a diagnostic");
  return invalidArgument(std::move(message));
}

} // namespace quern
