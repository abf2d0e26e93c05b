//===- Passes.h - Declarations of all passes ---------------------*- C++
//-*-===//
//
// Generated from Passes.td. Each pass has a create...Pass() function, those
// with options one that takes a ...PassOptions.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_PASSES_PASSES_H
#define QUERN_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"

#include <memory>

namespace mlir {
class ModuleOp;
namespace func {
class FuncOp;
} // namespace func
} // namespace mlir

namespace quern {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

} // namespace quern

#endif // QUERN_PASSES_PASSES_H
