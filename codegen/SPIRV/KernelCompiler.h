//===- KernelCompiler.h - Kernel request -> SPIR-V --------------*- C++ -*-===//
//
// Deterministic: the same request and target give the same words.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_SPIRV_KERNELCOMPILER_H
#define QUERN_CODEGEN_SPIRV_KERNELCOMPILER_H

#include "codegen/Kernels/KernelRequest.h"
#include "codegen/Targets/TargetDescription.h"

#include <memory>

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
  std::vector<uint32_t> code; ///< SPIR-V words.
  KernelLaunch launch;
  std::vector<KernelAccess> accesses; ///< One per argument.
  uint64_t idealBytes = 0; ///< Moved at the full count if caches were perfect.
  uint64_t flops = 0;      ///< Floating-point operations at the full count.
};

struct KernelCompileOptions {
  /// If set, the IR of kernel NAME is written to NAME.kernel.mlir (what the
  /// family built) and NAME.spirv.mlir in this folder, which exists.
  std::string dumpDir;
};

/// Owns an MLIRContext. Not thread-safe: one compiler per thread.
class KernelCompiler {
public:
  KernelCompiler();
  ~KernelCompiler();

  /// InvalidArgument or Unsupported with the reason if no family answers the
  /// request on this target, Internal if the lowering fails. The message does
  /// not name the request; the caller does.
  Result<CompiledKernel> compile(const KernelRequest &request,
                                 const TargetDescription &target,
                                 const KernelCompileOptions &options = {});

private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation;
};

} // namespace quern

#endif // QUERN_CODEGEN_SPIRV_KERNELCOMPILER_H
