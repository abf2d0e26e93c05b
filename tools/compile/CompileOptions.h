//===- CompileOptions.h - What the user asks of a compilation ---*- C++ -*-===//
#ifndef QUERN_TOOLS_COMPILE_COMPILEOPTIONS_H
#define QUERN_TOOLS_COMPILE_COMPILEOPTIONS_H

#include "codegen/Kernels/KernelRequest.h"
#include "codegen/Targets/TargetDescription.h"
#include "passes/Pipelines.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <functional>
#include <string>

namespace quern {

/// The options of `quern compile`; the command line fills it.
struct CompileOptions {
  std::string checkpoint; ///< Hugging Face folder.
  std::string output;     ///< Bundle, or IR with compileTo; empty: stdout.
  /// A built-in target, a JSON file, or "native": the description that fits the
  /// best device of this machine.
  std::string target = "native";
  uint64_t context = 4096; ///< Longest sequence in tokens.
  uint64_t slots = 4;      ///< Sequences that live at the same time.
  uint64_t pageSize = 32;  ///< Tokens of a KV page.
  uint64_t prefill = 512;  ///< Tokens of the prefill program.
  /// What `quern tune` wrote for the target; empty: as the target says.
  std::string tuning;
  /// In its place: the target for a request, or null; from several threads.
  std::function<const TargetDescription *(const KernelRequest &)> schedule;
  uint64_t layers = 0; ///< Only so many, to measure kernels; 0: all.
  /// The assembler of CUDA code; empty: wherever it is found, if it is; "none":
  /// PTX alone.
  std::string ptxas;
  std::string compute;      ///< f32, f16, bf16; empty: the target's choice.
  QuantizeOptions quantize; ///< Element types of the weights.
  /// int8, or keep: inputs of quantised weights; empty: the target's choice.
  std::string quantizeActivations;
  /// compute, or int8: rows of the key-value cache are codes with a scale.
  std::string kvCacheType = "compute";
  std::string compileTo;      ///< Stop after this phase and print the IR.
  std::string dumpIRDir;      ///< Write the IR after each pass.
  std::string emitKernels;    ///< Write each kernel's stages to this folder.
  bool strictWeights = false; ///< Refuse NaN and infinite weights.
  bool strictTensors = false; ///< Refuse tensors that nobody knows.
  bool keepIR = true;         ///< Store the lowered IR in the bundle.
  bool fuse = true;           ///< Off: every op is a kernel of its own.
  bool keepIntermediates = false; ///< Temporaries share no memory.
  bool quiet = false;
  bool verbose = false; ///< List every tensor in the report.
  unsigned threads = 0; ///< 0: one for each core.
};

/// Runs a compilation: checkpoint to bundle, or to the IR of a phase.
Status compile(const CompileOptions &options);

} // namespace quern

#endif // QUERN_TOOLS_COMPILE_COMPILEOPTIONS_H
