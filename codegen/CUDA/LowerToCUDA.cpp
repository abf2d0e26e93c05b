//===- LowerToCUDA.cpp - Kernel function -> PTX ---------------------------===//
#include "codegen/CUDA/LowerToCUDA.h"

#include "codegen/CUDA/EmitPtx.h"
#include "codegen/CUDA/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

#include <cstring>

using namespace mlir;
using namespace quern;

void quern::registerCUDATranslation(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

Status quern::lowerToCUDA(ModuleOp module, const TargetDescription &target,
                          const KernelDump &dump, CompiledKernel &compiled) {
  size_t numArguments = 0;
  const std::array<uint32_t, 3> &size = compiled.launch.workgroupSize;
  SmallVector<int32_t> threads(size.begin(), size.end());
  module.walk([&](gpu::GPUFuncOp function) {
    numArguments = function.getNumArguments();
    function->setAttr("nvvm.reqntid",
                      DenseI32ArrayAttr::get(module.getContext(), threads));
  });
  ErrorCollector errors(module.getContext());
  PassManager conversion(module.getContext());
  buildConvertToNVVMPipeline(conversion);
  if (failed(conversion.run(module)))
    return internalError("lowering to NVVM failed: " + errors.text);
  QUERN_RETURN_IF_ERROR(dump.write("cuda", module));
  for (const CodeVariant &variant : target.variants) {
    std::string &own = compiled.variants.emplace_back();
    if (variant.cpu.empty())
      continue;
    Result<std::string> text = emitPtx(module, target.withVariant(variant));
    if (!text.isOk())
      return std::move(text).takeStatus().withContext("variant '" +
                                                      variant.name + "'");
    own = std::move(*text);
  }
  QUERN_ASSIGN_OR_RETURN(std::string text, emitPtx(module, target));
  compiled.code.assign((text.size() + 4) / 4, 0);
  std::memcpy(compiled.code.data(), text.data(), text.size());
  compiled.accesses.assign(numArguments, KernelAccess::StorageBuffer);
  return Status::ok();
}
