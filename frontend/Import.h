//===- Import.h - from a checkpoint to qwen IR ------------------*- C++ -*-===//
#ifndef QUERN_FRONTEND_IMPORT_H
#define QUERN_FRONTEND_IMPORT_H

#include "frontend/HuggingFace/Checkpoint.h"
#include "frontend/HuggingFace/Config.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <string>
#include <vector>

namespace quern {

struct ImportOptions {
  /// Element type of normed activations, linear outputs and caches: F32, F16
  /// or BF16.
  DataType compute = DataType::F32;
  /// Tokens that one slot can hold.
  int64_t contextLength = 4096;
  /// Sequences that live at the same time.
  int64_t numSlots = 1;
  /// Tokens of a cache page.
  int64_t pageSize = 16;
  /// Pages shared by all slots; 0: enough for every slot to fill its context.
  int64_t numPages = 0;
  /// Whether tensors that the model does not know are an error, not a warning.
  bool refuseUnexpectedTensors = false;
};

/// What became of every tensor of the checkpoint.
struct ImportReport {
  struct SkippedTensor {
    std::string name;
    std::string reason;
  };
  /// Weights of the model, in the order in which it uses them first; of
  /// quantised ones the parts.
  std::vector<std::string> usedTensors;
  /// Known tensors without effect, e.g. the output matrix of tied embeddings.
  std::vector<SkippedTensor> skippedTensors;
  /// Tensors that the model does not know.
  std::vector<std::string> unexpectedTensors;
  /// Everything else worth telling, one line each.
  std::vector<std::string> warnings;
  /// Quantised weights whose codes and scales the bundle can hold, and those
  /// that have to be decoded; why the first of these, unless they are floats.
  uint64_t exactWeights = 0, decodedWeights = 0;
  std::string whyDecoded;
  /// Bytes of the used tensors as stored.
  uint64_t weightBytes = 0;
};

/// Builds the module with weights, states and the function @forward over
/// dynamic tokens and rows (docs/design.md, "Tokens are flat"). Every tensor of
/// the checkpoint is used, known and skipped, or unexpected; a missing tensor,
/// a wrong shape or element type and unusable options are errors, emitted as
/// diagnostics of `context`. The module is verified.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importCheckpoint(mlir::MLIRContext &context, const ModelConfig &config,
                 const Checkpoint &checkpoint, const ImportOptions &options,
                 ImportReport &report);

} // namespace quern

#endif // QUERN_FRONTEND_IMPORT_H
