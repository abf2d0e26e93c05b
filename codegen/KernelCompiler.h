//===- KernelCompiler.h - Kernel request -> target code ---------*- C++ -*-===//
//
// Deterministic: the same request and target give the same code.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELCOMPILER_H
#define QUERN_CODEGEN_KERNELCOMPILER_H

#include "codegen/Kernels/CompiledKernel.h"
#include "codegen/Targets/TargetDescription.h"

#include <memory>

namespace quern {

struct KernelCompileOptions {
  /// If set, the IR of kernel NAME is written to NAME.kernel.mlir (what the
  /// family built) and NAME.<api>.mlir in this folder, which exists.
  std::string dumpDir;
  /// Compile for the target's variants too.
  bool variants = false;
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

#endif // QUERN_CODEGEN_KERNELCOMPILER_H
