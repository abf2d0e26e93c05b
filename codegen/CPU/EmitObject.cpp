//===- EmitObject.cpp - llvm dialect -> object code -----------------------===//
#include "codegen/CPU/EmitObject.h"

#include "codegen/LLVM/EmitLLVM.h"

using namespace mlir;
using namespace quern;

Result<std::string> quern::emitObject(ModuleOp module,
                                      const TargetDescription &target) {
  LLVMTarget machine;
  machine.triple = target.architecture + "-unknown-linux-gnu";
  machine.cpu = target.cpu;
  return emitLLVM(module, machine, [&](llvm::Module &translated) {
    // Kernels are called by nobody else, unwind nothing and call no library.
    for (llvm::Function &function : translated) {
      if (function.isDeclaration())
        continue;
      function.setDSOLocal(true);
      function.addFnAttr(llvm::Attribute::NoUnwind);
      function.addFnAttr("no-builtins");
      function.addFnAttr("target-cpu", target.cpu);
      // The registers that a vector of all lanes fills.
      function.addFnAttr("prefer-vector-width",
                         std::to_string(32 * target.subgroupSize));
    }
  });
}
