//===- EmitPtx.cpp - llvm and nvvm dialects -> PTX ------------------------===//
#include "codegen/CUDA/EmitPtx.h"

#include "codegen/LLVM/EmitLLVM.h"

using namespace mlir;
using namespace quern;

/// CUDA 12.x reads PTX 8.x, CUDA 13.x PTX 9.x.
static std::string getPtxFeature(const TargetDescription &target) {
  llvm::StringRef version(target.apiVersion);
  auto [major, minor] = version.split('.');
  unsigned number = 12;
  major.getAsInteger(10, number);
  return "+ptx" + std::to_string(number - 4) + minor.str();
}

Result<std::string> quern::emitPtx(ModuleOp module,
                                   const TargetDescription &target) {
  LLVMTarget machine;
  machine.triple = "nvptx64-nvidia-cuda";
  machine.cpu = target.cpu;
  machine.features = getPtxFeature(target);
  machine.emitsText = true;
  QUERN_ASSIGN_OR_RETURN(std::string ptx, emitLLVM(module, machine));
  // Nothing links libdevice: a call would only fail on the user's machine.
  if (size_t at = ptx.find(".extern .func"); at != std::string::npos)
    return internalError("the code calls a function: " +
                         ptx.substr(at, ptx.find('\n', at) - at));
  return ptx;
}
