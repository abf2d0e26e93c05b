//===- AssemblePtx.h - PTX -> code of an architecture -----------*- C++ -*-===//
//
// Runs NVIDIA's assembler, ptxas, which is optional: without it a bundle holds
// PTX, which the driver assembles when the model is loaded.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_CUDA_ASSEMBLEPTX_H
#define QUERN_CODEGEN_CUDA_ASSEMBLEPTX_H

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// What one thread of a kernel takes, in bytes unless named otherwise.
struct KernelResources {
  uint32_t registers = 0;       ///< 32-bit registers.
  uint32_t spillStores = 0;     ///< Registers that did not fit and are written.
  uint32_t spillLoads = 0;      ///< ... and read again.
  uint32_t localMemory = 0;     ///< The stack, spilled registers included.
  uint32_t workgroupMemory = 0; ///< Of a workgroup.
};

struct Cubin {
  std::string code; ///< An ELF image.
  KernelResources resources;
  std::vector<std::string> warnings;
};

/// Reads what `ptxas -v` says of the entry point into the resources and keeps
/// its warnings. Internal if the numbers are not there.
Status readPtxasReport(std::string_view report, std::string_view entryPoint,
                       Cubin &cubin);

/// Thread-safe.
class PtxAssembler {
public:
  /// `path`, or if empty what $QUERN_PTXAS names, ptxas on PATH, or that of a
  /// toolkit in its usual place. NotFound: there is none.
  static Result<PtxAssembler> find(const std::string &path);

  /// Whether this version knows the architecture.
  bool knows(std::string_view architecture) const;
  /// Of CUDA, 13 for 13.0: what the driver needs for its code.
  unsigned getMajorVersion() const { return majorVersion; }
  const std::string &getPath() const { return path; }

  /// Internal with what ptxas says if it refuses the text.
  Result<Cubin> assemble(std::string_view ptx, std::string_view entryPoint,
                         const std::string &architecture) const;

private:
  std::string path;
  std::string help; ///< Names the architectures.
  unsigned majorVersion = 0;
};

} // namespace quern

#endif // QUERN_CODEGEN_CUDA_ASSEMBLEPTX_H
