//===- ModelBuilder.h - makes qwen IR for model families --------*- C++ -*-===//
//
// One builder per import. It declares a weight where an op first names it, so a
// model's list of tensors is the model itself, and names every op's location
// after its place in the model ("layers.3.self_attn.q_proj").
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_FRONTEND_MODELS_MODELBUILDER_H
#define QUERN_FRONTEND_MODELS_MODELBUILDER_H

#include "dialects/Qwen/IR/QwenOps.h"
#include "frontend/Import.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

#include <map>

namespace quern {

/// The arguments of a function; null where it has none.
struct StepInputs {
  mlir::Value tokenIds, positions, slots, pageTable, rows, sampling, seen;
  /// Of models with delta nets.
  mlir::Value sequences;
  /// What a draft goes on from [T, H].
  mlir::Value hidden;
};

/// The functions of a model.
enum class ModelFunction {
  /// A step: logits and tokens of chosen rows, and for a draft the residual
  /// stream that they are taken from.
  Forward,
  /// A step of the draft on the residual stream of @forward: logits, tokens and
  /// the draft's residual stream of chosen rows.
  Draft,
  /// A step of the draft on its own residual stream.
  DraftNext
};

class ModelBuilder {
public:
  /// Starts @forward in `module`.
  ModelBuilder(mlir::ModuleOp module, const ModelConfig &config,
               const Checkpoint &checkpoint, const ImportOptions &options);

  const ModelConfig &getConfig() const { return config; }
  const Checkpoint &getCheckpoint() const { return checkpoint; }
  const StepInputs &getInputs() const { return inputs; }
  mlir::OpBuilder &getOpBuilder() { return builder; }
  mlir::Type getComputeType() const { return computeType; }
  mlir::Type getF32() { return builder.getF32Type(); }

  /// Whether the checkpoint has a draft layer (mtp.*) that the family knows.
  bool hasDraft() const;
  /// Starts a function behind the finished ones; ops are appended to its body.
  void start(ModelFunction function);
  /// Ends the function with its results in the order that start() declares.
  void finish(mlir::ValueRange results);

  /// Location of an op: its place in the model.
  mlir::Location at(const llvm::Twine &label);
  /// tensor<? x features... x element>.
  mlir::RankedTensorType tokens(llvm::ArrayRef<int64_t> features,
                                mlir::Type element);

  /// Names a tensor of the checkpoint that must have this shape; of a
  /// transposed one the last two dimensions are in the other order there.
  mlir::FlatSymbolRefAttr weight(const llvm::Twine &name,
                                 llvm::ArrayRef<int64_t> shape,
                                 bool isTransposed = false);
  /// The output matrix of tied embeddings: may be in the checkpoint, must then
  /// equal the embedding, and has no effect.
  void skipTied(const llvm::Twine &name, const llvm::Twine &embedding,
                llvm::ArrayRef<int64_t> shape);
  /// Tensors of this prefix are known and have no effect.
  void skipAll(llvm::StringRef prefix, llvm::StringRef reason);
  /// A state; the same for the same name.
  mlir::FlatSymbolRefAttr state(const llvm::Twine &name, qwen::StateKind kind,
                                llvm::ArrayRef<int64_t> shape,
                                mlir::Type element);
  /// A paged cache of the configured pages.
  mlir::FlatSymbolRefAttr cache(const llvm::Twine &name, qwen::StateKind kind);
  /// Sequences that live at the same time.
  int64_t getNumSlots() const { return options.numSlots; }

  /// Remembers an error of the checkpoint, the first one, for account(). The
  /// caller goes on with any value of the right type.
  void refuse(const Status &error);

  /// Compares the tensors named so far with the checkpoint; fails if something
  /// was refused.
  mlir::LogicalResult account(ImportReport &report);

private:
  struct Port;
  std::vector<Port> argumentsOf(ModelFunction function);
  std::vector<Port> resultsOf(ModelFunction function);
  mlir::RankedTensorType rowsOf(int64_t width, bool isInteger);

  mlir::ModuleOp module;
  const ModelConfig &config;
  const Checkpoint &checkpoint;
  const ImportOptions &options;
  mlir::OpBuilder builder;
  /// Where weights and states go: before the function.
  mlir::OpBuilder symbols;
  mlir::Type computeType;
  StepInputs inputs;
  llvm::StringMap<mlir::FlatSymbolRefAttr> weights, states;
  std::vector<ExpectedTensor> expected;
  Status refusal;
  /// Names of tied tensors and of the embeddings that they repeat.
  std::map<std::string, std::string> tied;
  std::vector<ImportReport::SkippedTensor> skipped;
};

/// x * w^T of one weight; the label is the weight's name without ".weight".
mlir::Value buildLinear(ModelBuilder &model, mlir::Value x,
                        const llvm::Twine &name, int64_t outputs,
                        mlir::Type element);

} // namespace quern

#endif // QUERN_FRONTEND_MODELS_MODELBUILDER_H
