//===- ModelRunner.h - steps of a model in the interpreter ------*- C++ -*-===//
//
// Runs steps on a module at any phase of the qwen IR: with @forward as the
// frontend makes it, or with the specialised programs, chosen as the engine
// chooses them: decode for one token, verify up to its size, else prefill and
// head. Arguments and results are found by their qwen.role.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_INTERPRETER_MODELRUNNER_H
#define QUERN_TOOLS_INTERPRETER_MODELRUNNER_H

#include "tools/interpreter/Interpreter.h"

namespace quern {

/// One token of a step.
struct StepToken {
  int32_t id;
  int32_t position;
  int32_t slot;
};

struct Step {
  std::vector<StepToken> tokens;
  /// Indices into tokens whose logits are wanted.
  std::vector<int32_t> rows;
};

struct StepResult {
  /// [rows, vocab_size].
  HostTensor logits;
  /// One per row.
  std::vector<int32_t> tokens;
};

class ModelRunner {
public:
  /// `module` carries qwen.model. Pages are dealt out to slots round-robin, so
  /// that no slot's pages are adjacent.
  ModelRunner(mlir::ModuleOp module, WeightSource source);

  /// Greedy sampling. Failure after a diagnostic.
  mlir::FailureOr<StepResult> run(const Step &step,
                                  const OpObserver &observer = {});

  qwen::ModelAttr getModel() const { return model; }
  Interpreter &getInterpreter() { return interpreter; }

  /// Tokens that the step programs can take at once; nothing: any number.
  std::optional<int64_t> getMaxTokens();
  /// Rows that the head can take at once; nothing: any number.
  std::optional<int64_t> getMaxRows();

private:
  mlir::FailureOr<std::vector<HostTensor>> call(llvm::StringRef program,
                                                const Step &step,
                                                const HostTensor *hidden,
                                                const OpObserver &observer);
  /// The static size of the dimension 0 of a program's argument with a role;
  /// nothing if there is no such program or argument, or it is dynamic.
  std::optional<int64_t> sizeOf(llvm::StringRef program, qwen::Role role);
  HostTensor makeArgument(qwen::Role role, const Step &step,
                          int64_t rowCount) const;

  Interpreter interpreter;
  qwen::ModelAttr model;
  std::vector<int32_t> pageTable;
};

} // namespace quern

#endif // QUERN_TOOLS_INTERPRETER_MODELRUNNER_H
