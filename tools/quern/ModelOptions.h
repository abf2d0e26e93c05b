//===- ModelOptions.h - Options that decide what a bundle is ----*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_MODELOPTIONS_H
#define QUERN_TOOLS_QUERN_MODELOPTIONS_H

#include "tools/compile/CompileOptions.h"

namespace CLI {
class App;
} // namespace CLI

namespace quern::tool {

/// The checkpoint, and what its kernels depend on: target, sizes, types. Shared
/// by `quern compile` and `quern tune`, so that both mean the same kernels.
void addModelOptions(CLI::App &command, CompileOptions &options);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_MODELOPTIONS_H
