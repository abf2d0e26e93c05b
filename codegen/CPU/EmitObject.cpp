//===- EmitObject.cpp - llvm dialect -> object code -----------------------===//
#include "codegen/CPU/EmitObject.h"

#include "codegen/LLVM/EmitLLVM.h"

using namespace mlir;
using namespace quern;

/// What the intrinsics of ByteProducts are instructions of.
static std::vector<std::vector<std::string>> getByteDotNeeds(ByteDot kind) {
  switch (kind) {
  case ByteDot::None:
    return {};
  case ByteDot::Avx2:
    return {{"avx2"}};
  case ByteDot::Vnni:
    return {{"avxvnni"}, {"avx512vnni", "avx512vl"}};
  case ByteDot::VnniInt8:
    return {{"avxvnni", "avxvnniint8"}};
  case ByteDot::Vnni512:
    return {{"avx512vnni"}};
  case ByteDot::Neon:
    return {{"neon"}};
  case ByteDot::NeonDot:
    return {{"dotprod"}};
  }
  return {};
}

/// And those of tile products.
static std::vector<std::vector<std::string>>
getNeeds(const TargetDescription &target) {
  std::vector<std::vector<std::string>> needs = getByteDotNeeds(target.byteDot);
  if (target.tileTokens == 0)
    return needs;
  if (needs.empty())
    needs.emplace_back();
  for (std::vector<std::string> &list : needs)
    list.insert(list.end(), {"amx-int8", "amx-bf16"});
  return needs;
}

Result<std::string> quern::emitObject(ModuleOp module,
                                      const TargetDescription &target) {
  LLVMTarget machine;
  machine.triple = target.architecture + "-unknown-linux-gnu";
  machine.cpu = target.cpu;
  machine.needs = getNeeds(target);
  for (const std::string &feature : target.cpuFeatures)
    machine.features += (machine.features.empty() ? "+" : ",+") + feature;
  return emitLLVM(module, machine, [&](llvm::Module &translated) {
    // Kernels are called by nobody else, unwind nothing and call no library.
    for (llvm::Function &function : translated) {
      if (function.isDeclaration())
        continue;
      function.setDSOLocal(true);
      function.addFnAttr(llvm::Attribute::NoUnwind);
      function.addFnAttr("no-builtins");
      function.addFnAttr("target-cpu", target.cpu);
      if (!machine.features.empty())
        function.addFnAttr("target-features", machine.features);
      // The registers that a vector of all lanes fills.
      function.addFnAttr("prefer-vector-width",
                         std::to_string(32 * target.subgroupSize));
    }
  });
}
