//===- LowerToCPU.cpp - Kernel function -> CPU code -----------------------===//
#include "codegen/CPU/LowerToCPU.h"

#include "codegen/CPU/EmitObject.h"
#include "codegen/CPU/LinkImage.h"
#include "codegen/CPU/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"

#include <cstring>

using namespace mlir;
using namespace quern;

void quern::registerCPUTranslation(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

/// From vectors to an image. `code` is code of one set of instructions.
static Result<std::string> makeImage(ModuleOp code,
                                     const TargetDescription &target,
                                     const std::string &entryPoint) {
  ErrorCollector errors(code.getContext());
  PassManager conversion(code.getContext());
  buildConvertToLLVMPipeline(conversion, target);
  if (failed(conversion.run(code)))
    return internalError("lowering to LLVM failed: " + errors.text);
  QUERN_ASSIGN_OR_RETURN(std::string object, emitObject(code, target));
  return linkImage(object, entryPoint);
}

Status quern::lowerToCPU(ModuleOp module, const TargetDescription &target,
                         const KernelDump &dump, CompiledKernel &compiled) {
  const KernelLaunch &launch = compiled.launch;
  uint64_t lanes = uint64_t(launch.workgroupSize[0]) * launch.workgroupSize[1] *
                   launch.workgroupSize[2];
  if (lanes != target.subgroupSize)
    return unsupported("workgroups of " + std::to_string(lanes) +
                       " lanes; on a CPU a workgroup is one subgroup of " +
                       std::to_string(target.subgroupSize));
  // Counted before arguments become a table.
  size_t numArguments = 0;
  module.walk([&](gpu::GPUFuncOp function) {
    numArguments = function.getNumArguments();
  });
  ErrorCollector errors(module.getContext());
  PassManager vectorization(module.getContext());
  buildVectorizePipeline(vectorization, target.subgroupSize);
  if (failed(vectorization.run(module)))
    return unsupported(errors.text);
  QUERN_RETURN_IF_ERROR(dump.write("cpu", module));
  for (const CodeVariant &variant : target.variants) {
    OwningOpRef<ModuleOp> copy = module.clone();
    Result<std::string> image =
        makeImage(*copy, target.withVariant(variant), compiled.entryPoint);
    if (!image.isOk())
      return std::move(image).takeStatus().withContext("variant '" +
                                                       variant.name + "'");
    compiled.variants.push_back(std::move(*image));
  }
  QUERN_ASSIGN_OR_RETURN(std::string image,
                         makeImage(module, target, compiled.entryPoint));
  compiled.code.assign((image.size() + 3) / 4, 0);
  std::memcpy(compiled.code.data(), image.data(), image.size());
  compiled.accesses.assign(numArguments, KernelAccess::StorageBuffer);
  return Status::ok();
}
