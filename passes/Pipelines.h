//===- Pipelines.h - The order of the passes ---------------------*- C++
//-*-===//
//
// The compiler runs phase by phase; the IR between two phases is a legal input
// of the next one. Thread-safe: builds pass managers, keeps no state.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_PASSES_PIPELINES_H
#define QUERN_PASSES_PIPELINES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace quern {

/// What the IR is after a phase.
enum class Phase {
  Import,   ///< as the frontend emits it, checked
  Graph,    ///< fused ops, any number of tokens
  Shape,    ///< one function per program, static shapes
  Quantize, ///< weights and caches with the types that they are stored with
  Lower,    ///< exec programs with kernel requests
  Memory,   ///< arena offsets and barriers: ready for codegen
};

/// All phases in order.
llvm::ArrayRef<Phase> getPhases();
/// "import", "graph", "shape", "quantize", "lower", "memory".
llvm::StringRef getPhaseName(Phase phase);
std::optional<Phase> parsePhase(llvm::StringRef name);

/// Element types of weights by name, as --qwen-quantize-weights takes them.
struct QuantizeOptions {
  std::string weights;   ///< of layers; empty: all as in the checkpoint
  std::string embedding; ///< empty: follows from `weights`, as do the others
  std::string head;
  std::string router;
  std::string draft;
};

struct PipelineOptions {
  int64_t decodeTokens = 1;        ///< tokens of the decode program
  int64_t verifyTokens = 8;        ///< tokens of verify, rows of head
  int64_t prefillTokens = 512;     ///< tokens of the prefill program
  int64_t deltaChunk = 1;          ///< of gated delta rules in prefill
  int64_t deltaMinTokens = 1;      ///< of programs with such chunks
  double expertsMinReuse = 1.1;    ///< from which on experts are sorted
  double expertsTile4Reuse = 2;    ///< from which on their tiles have 4 rows
  double expertsTile8Reuse = 16;   ///< and 8
  int64_t expertsMaxTile = 8;      ///< most rows of their tiles
  bool fuse = true;                ///< off: leaves every op on its own
  bool keepIntermediates = false;  ///< temporaries share no memory
  int64_t attentionWorkgroups = 0; ///< see --qwen-lower-to-exec
  int64_t panelRows = 0;           ///< see --exec-pack-panels
  QuantizeOptions quantize = {};
  bool quantizeActivations = false; ///< see --qwen-quantize-activations
  bool quantizeKVCache = false;     ///< see --qwen-quantize-kv-cache
};

/// Adds the passes of one phase. The manager is anchored on builtin.module.
void addPhase(mlir::OpPassManager &manager, Phase phase,
              const PipelineOptions &options);

/// Adds all phases up to and including `last`.
void addPhases(mlir::OpPassManager &manager, Phase last,
               const PipelineOptions &options);

/// Registers all passes of passes/, one pipeline per phase
/// (--quern-<phase>-phase) and --quern-pipeline{to=<phase>}.
void registerAllQuernPasses();

} // namespace quern

#endif // QUERN_PASSES_PIPELINES_H
