//===- IRDump.h - The IR after each pass, as files --------------*- C++ -*-===//
#ifndef QUERN_TOOLS_COMPILE_IRDUMP_H
#define QUERN_TOOLS_COMPILE_IRDUMP_H

#include "mlir/Pass/PassInstrumentation.h"

#include <memory>
#include <string>

namespace quern {

/// Writes the module after each pass of a pipeline: `<folder>/<nn>-<pass>.mlir`
/// in full, and beside it a folder of the same name with one file for each
/// layer, holding the operations whose location names the layer. Weights appear
/// by name, never by value.
std::unique_ptr<mlir::PassInstrumentation> createIRDump(std::string folder);

} // namespace quern

#endif // QUERN_TOOLS_COMPILE_IRDUMP_H
