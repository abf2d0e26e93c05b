//===- CheckEach.h - runs the module around every pass ----------*- C++ -*-===//
#ifndef QUERN_TOOLS_INTERPRETER_CHECKEACH_H
#define QUERN_TOOLS_INTERPRETER_CHECKEACH_H

#include "mlir/Pass/PassInstrumentation.h"
#include "tools/interpreter/ModelRunner.h"

#include <memory>

namespace quern {

struct CheckEachOptions {
  /// Of weights and token ids.
  uint64_t seed = 1;
  /// Greatest absolute difference of logits and hidden states that passes may
  /// cause, relative to the greatest magnitude of the expected values. 0: from
  /// the compute type (1e-5 for f32, 2e-2 for f16, 1e-1 for bf16).
  double tolerance = 0;
};

/// Interprets the module on random weights and tokens before the first pass
/// and after every pass: a chunk of a sequence, a ragged step of all slots, a
/// single token. A pass after which the logits, the tokens' hidden states or
/// the caches differ gets an error that names the pass, the step and the
/// first op that differs. Modules without qwen.model or without the functions
/// that the interpreter runs (ModelRunner.h), for example after lowering, are
/// left alone, and nothing is checked after the first wrong pass. Mixtures of
/// experts and delta nets are to be checked in f32: a rounding that makes a
/// token choose another expert changes more than any tolerance, and the norm
/// behind a delta rule amplifies what cancels in it. Needs a context with one
/// thread.
class CheckEachInstrumentation : public mlir::PassInstrumentation {
public:
  explicit CheckEachInstrumentation(const CheckEachOptions &options)
      : options(options) {}

  void runBeforePass(mlir::Pass *pass, mlir::Operation *op) override;
  void runAfterPass(mlir::Pass *pass, mlir::Operation *op) override;

  /// Whether a pass was found wrong: a pass manager cannot be stopped from
  /// here. Outlives the instrumentation.
  std::shared_ptr<const bool> getFailure() const { return hasFailed; }
  /// Passes whose module was run after them.
  std::shared_ptr<const unsigned> getNumChecked() const { return numChecked; }

  /// What a run of the steps gave.
  struct Observation;

private:
  CheckEachOptions options;
  std::shared_ptr<Observation> before;
  std::shared_ptr<bool> hasFailed = std::make_shared<bool>(false);
  std::shared_ptr<unsigned> numChecked = std::make_shared<unsigned>(0);
};

/// Whether the interpreter can run steps on this operation.
bool canInterpret(mlir::Operation *op);

} // namespace quern

#endif // QUERN_TOOLS_INTERPRETER_CHECKEACH_H
