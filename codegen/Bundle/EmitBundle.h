//===- EmitBundle.h - From planned exec IR to a bundle file -----*- C++ -*-===//
//
// The last phase of the compiler: writes the kernels, the manifest, the
// tokenizer and the packed weights of one target into a bundle. Weights are
// streamed; memory is bounded by one packing buffer whatever the model's size.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_BUNDLE_EMITBUNDLE_H
#define QUERN_CODEGEN_BUNDLE_EMITBUNDLE_H

#include "codegen/Bundle/RowSource.h"
#include "codegen/CUDA/AssemblePtx.h"
#include "runtime/bundle/BundleWriter.h"
#include "runtime/bundle/Manifest.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quern {

/// Code of a kernel for one architecture, and what it takes there.
struct ArchitectureCode {
  std::string code; ///< An ELF image.
  KernelResources resources;
};

/// The generated code of one exec.kernel, and what one run of it costs at the
/// full token count.
struct KernelBinary {
  std::vector<uint32_t> code; ///< SPIR-V words, an ELF image or PTX.
  /// One for each of BundleContents::architectures, in their order.
  std::vector<ArchitectureCode> binaries;
  uint64_t idealBytes = 0; ///< Each operand read or written once.
  uint64_t flops = 0;
};

/// Opens a tensor of the checkpoint by its `qwen.weight` symbol, for a weight
/// of this encoding. Rows have it if the checkpoint has these very codes, or
/// they are numbers.
using WeightSource = std::function<Result<std::unique_ptr<RowSource>>(
    llvm::StringRef symbol, Encoding encoding)>;

/// Everything of a bundle that is not in the IR.
struct BundleContents {
  bundle::ModelT model;
  bundle::SamplingDefaultsT sampling;
  bundle::TargetT target;
  std::vector<bundle::ArchitectureT> architectures;
  std::string compilerVersion;
  std::string compileOptions;
  std::string tokenizer;    ///< Serialised tokenizer; empty: none.
  std::string chatTemplate; ///< Jinja text; empty: none.
  std::string ir;           ///< Text of the IR to keep; empty: none.
  llvm::StringMap<KernelBinary> kernels; ///< By exec.kernel symbol.
  unsigned threads = 0; ///< That convert weights; 0: one for each core.
};

/// What packing did to the numbers of a weight that is not stored as it was.
struct WeightQuality {
  std::string name;   ///< Of the exec.weight.
  std::string stored; ///< "bf16", "int8", ...
  uint64_t elements = 0;
  uint64_t bytes = 0;      ///< In the bundle.
  double signal = 0;       ///< Sum of squares of the checkpoint's values.
  double squaredError = 0; ///< Sum of squared differences.
};

/// What was written, for the closing table of `quern compile`.
struct BundleSummary {
  struct Section {
    std::string name;
    uint64_t bytes = 0;
  };
  std::vector<Section> sections;
  uint64_t totalBytes = 0;
  std::vector<WeightQuality> converted; ///< In the order of the module.
};

/// Builds the manifest of `module`, which has one exec.memory_plan and a launch
/// on every exec.kernel. Emits a diagnostic and fails if something is missing.
mlir::FailureOr<bundle::ManifestT>
buildManifest(mlir::ModuleOp module, const BundleContents &contents);

/// Writes the bundle to `path`, which exists afterwards in full or not at all.
/// `progress` follows the weights.
Status emitBundle(mlir::ModuleOp module, const BundleContents &contents,
                  const WeightSource &weights, const std::string &path,
                  BundleSummary &summary,
                  const ProgressCallback &progress = nullptr);

} // namespace quern

#endif // QUERN_CODEGEN_BUNDLE_EMITBUNDLE_H
