//===- CompiledKernel.h - Code that answers a kernel request ----*- C++ -*-===//
#ifndef QUERN_CODEGEN_KERNELS_COMPILEDKERNEL_H
#define QUERN_CODEGEN_KERNELS_COMPILEDKERNEL_H

#include "codegen/Kernels/KernelRequest.h"

namespace quern {

/// How an argument is bound; numbers as in the exec dialect and the bundle.
enum class KernelAccess : uint8_t {
  StorageBuffer = 0,
  TexelUint4 = 1,
  TexelFloat4 = 2,
  TexelUint1 = 3,
  TexelFloat1 = 4,
};

struct CompiledKernel {
  std::string entryPoint;
  /// SPIR-V words; for CPUs an ELF image (codegen/CPU/LinkImage.h), for CUDA
  /// the text of a PTX module, padded with zeros to whole words.
  std::vector<uint32_t> code;
  /// The same for each of the target's variants, in their order; of CUDA empty
  /// where the variant uses no instructions of its own.
  std::vector<std::string> variants;
  KernelLaunch launch;
  std::vector<KernelAccess> accesses; ///< One per argument.
  uint64_t idealBytes = 0; ///< Moved at the full count if caches were perfect.
  uint64_t flops = 0;      ///< Floating-point operations at the full count.
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_COMPILEDKERNEL_H
