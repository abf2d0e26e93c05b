//===- AnswerRequests.h - Code for every kernel request ---------*- C++ -*-===//
//
// The codegen phase: compiles each exec.kernel of a module for one target and
// writes how it is launched into the IR. Kernels compile in parallel, each
// thread with a context of its own; the result does not depend on the number of
// threads.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_ANSWERREQUESTS_H
#define QUERN_CODEGEN_ANSWERREQUESTS_H

#include "codegen/Bundle/EmitBundle.h"
#include "codegen/CUDA/AssemblePtx.h"
#include "codegen/Kernels/KernelRequest.h"
#include "codegen/Targets/TargetDescription.h"
#include "dialects/Exec/IR/ExecOps.h"

#include <functional>
#include <string>

namespace quern {

struct CodegenOptions {
  unsigned threads = 0; ///< 0: one for each core.
  /// If set, IR and SPIR-V of each kernel are written to this folder, which is
  /// made if it does not exist.
  std::string dumpDir;
  /// If set, gives the target to compile a request for, if it is not the
  /// module's; called from several threads.
  std::function<const TargetDescription *(const KernelRequest &)> schedule;
  /// If set, what variants of CUDA are assembled with.
  const PtxAssembler *assembler = nullptr;
  /// Takes what the assembler warns of.
  std::function<void(const std::string &)> warn;
  /// Called with kernels done and in total, from one thread at a time.
  std::function<void(uint64_t done, uint64_t total)> progress;
};

/// Whether the variant's code is a cubin; without an assembler that knows it,
/// it is what the compiler wrote.
bool hasCubin(const CodeVariant &variant, const PtxAssembler *assembler);

/// Compiles every kernel request of `module`; sets the launch of each and adds
/// its code to `kernels`. The error names the kernel that failed first in the
/// order of the module.
Status answerRequests(mlir::ModuleOp module, const TargetDescription &target,
                      const CodegenOptions &options,
                      llvm::StringMap<KernelBinary> &kernels);

} // namespace quern

#endif // QUERN_CODEGEN_ANSWERREQUESTS_H
