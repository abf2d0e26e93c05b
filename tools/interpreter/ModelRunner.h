//===- ModelRunner.h - steps of a model in the interpreter ------*- C++ -*-===//
//
// Runs steps on a module at any phase of the qwen IR: with @forward as the
// frontend makes it, or with the specialised programs, chosen as the engine
// chooses them: decode for one token, verify up to its size, else prefill and
// head. Drafts likewise: @draft and @draft_next, or draft_verify,
// draft_prefill and draft_decode. Arguments and results are found by their
// qwen.role.
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
  /// What delta nets do with their states: 0 append, 1 fold and append, 2 fold
  /// (qwen.gated_delta_rule).
  int32_t update = 2;
};

struct StepResult {
  /// [rows, vocab_size].
  HostTensor logits;
  /// One per row.
  std::vector<int32_t> tokens;
  /// What a draft goes on from: of a step the residual stream [tokens, H], of a
  /// draft [rows, H]; empty if the model has no draft.
  HostTensor hidden;
};

class ModelRunner {
public:
  /// `module` carries qwen.model. Pages are dealt out to slots round-robin, so
  /// that no slot's pages are adjacent.
  ModelRunner(mlir::ModuleOp module, WeightSource source);

  /// Greedy sampling. The tokens of a slot stand side by side if the model has
  /// delta nets. Failure after a diagnostic.
  mlir::FailureOr<StepResult> run(const Step &step,
                                  const OpObserver &observer = {});

  bool hasDraft();
  /// A step of the draft on the residual stream of a step: the ids are those
  /// of the tokens after the step's, all else is the step's.
  mlir::FailureOr<StepResult> runDraft(const Step &step,
                                       const HostTensor &hidden,
                                       const OpObserver &observer = {});
  /// A step of the draft on what the step before it gave.
  mlir::FailureOr<StepResult> runDraftNext(const Step &step,
                                           const HostTensor &hidden,
                                           const OpObserver &observer = {});

  /// What a slot holds in the state of this kind, one with a row per slot, of
  /// a layer ("layers.3"); empty if there is none.
  std::vector<float> readState(qwen::StateKind kind, llvm::StringRef layer,
                               int64_t slot);

  qwen::ModelAttr getModel() const { return model; }
  Interpreter &getInterpreter() { return interpreter; }

  /// Tokens that the step programs can take at once; nothing: any number.
  std::optional<int64_t> getMaxTokens();
  /// Rows that the head can take at once; nothing: any number.
  std::optional<int64_t> getMaxRows();

private:
  /// Runs a program; what it has no result for stays empty.
  mlir::FailureOr<StepResult> call(llvm::StringRef program, const Step &step,
                                   const HostTensor *hidden,
                                   const OpObserver &observer);
  mlir::FailureOr<StepResult> runPrograms(const Step &step,
                                          const OpObserver &observer);
  mlir::FailureOr<StepResult> callDraft(llvm::StringRef program,
                                        const Step &step,
                                        const HostTensor &hidden,
                                        const OpObserver &observer);
  /// The static size of the dimension 0 of a program's argument with a role;
  /// nothing if there is no such program or argument, or it is dynamic.
  std::optional<int64_t> sizeOf(llvm::StringRef program, qwen::Role role);
  HostTensor makeArgument(qwen::Role role, const Step &step,
                          int64_t rowCount) const;

  Interpreter interpreter;
  qwen::ModelAttr model;
  std::vector<int32_t> pageTable;
  /// For each slot the position up to which its delta net states are folded.
  std::vector<int32_t> folded;
};

} // namespace quern

#endif // QUERN_TOOLS_INTERPRETER_MODELRUNNER_H
