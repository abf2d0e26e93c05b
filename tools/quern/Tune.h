//===- Tune.h - quern tune --------------------------------------*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_TUNE_H
#define QUERN_TOOLS_QUERN_TUNE_H

#include "tools/compile/CompileOptions.h"
#include "tools/quern/Bench.h"

namespace quern::tool {

struct TuneOptions {
  CompileOptions compile; ///< Its output is the tuning file.
  BenchOptions bench;     ///< Of each bundle that is measured.
};

/// Compiles the first layers of a checkpoint once for each candidate, measures
/// each kernel on the device and writes what was faster.
Status tune(const TuneOptions &options);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_TUNE_H
