//===- Registration.h - every dialect and pass of the tools -----*- C++ -*-===//
#ifndef QUERN_TOOLS_REGISTRATION_REGISTRATION_H
#define QUERN_TOOLS_REGISTRATION_REGISTRATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace quern {

/// Adds our dialects and the upstream ones that appear in our IR.
void registerAllDialects(mlir::DialectRegistry &registry);

/// Registers our passes and pipelines, and upstream's general transforms.
void registerAllPasses();

} // namespace quern

#endif // QUERN_TOOLS_REGISTRATION_REGISTRATION_H
