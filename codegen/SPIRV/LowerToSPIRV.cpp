//===- LowerToSPIRV.cpp - Kernel function -> SPIR-V -----------------------===//
#include "codegen/SPIRV/LowerToSPIRV.h"

#include "codegen/SPIRV/Passes.h"
#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/SPIRV/Serialization.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace quern;

/// The SPIR-V environment of a target. Capabilities beyond these are an error
/// of the conversion.
static spirv::TargetEnvAttr
getTargetEnvironment(MLIRContext *context, const TargetDescription &target) {
  constexpr spirv::Capability capabilities[] = {
      spirv::Capability::Shader, spirv::Capability::SampledBuffer,
      spirv::Capability::GroupNonUniform,
      spirv::Capability::GroupNonUniformShuffle};
  constexpr spirv::Extension extensions[] = {
      spirv::Extension::SPV_KHR_storage_buffer_storage_class};
  spirv::Version version = target.spirvMinor == 3   ? spirv::Version::V_1_3
                           : target.spirvMinor == 4 ? spirv::Version::V_1_4
                           : target.spirvMinor == 5 ? spirv::Version::V_1_5
                                                    : spirv::Version::V_1_6;
  Builder builder(context);
  int64_t size = target.maxWorkgroupSize;
  auto limits = spirv::ResourceLimitsAttr::get(
      context, target.maxWorkgroupMemory, size,
      builder.getI64ArrayAttr({size, size, size}), target.subgroupSize,
      std::nullopt, std::nullopt, ArrayAttr(), ArrayAttr());
  return spirv::TargetEnvAttr::get(
      spirv::VerCapExtAttr::get(version, capabilities, extensions, context),
      limits, spirv::ClientAPI::Vulkan);
}

static gpu::GPUFuncOp findFunction(ModuleOp module) {
  gpu::GPUFuncOp found;
  module.walk([&](gpu::GPUFuncOp function) { found = function; });
  return found;
}

/// What launching and converting the function needs of the target.
static void attachTarget(ModuleOp module, const TargetDescription &target,
                         const KernelLaunch &launch) {
  MLIRContext *context = module.getContext();
  module->setAttr(spirv::getTargetEnvAttrName(),
                  getTargetEnvironment(context, target));
  SmallVector<int32_t> size(launch.workgroupSize.begin(),
                            launch.workgroupSize.end());
  findFunction(module)->setAttr(
      spirv::getEntryPointABIAttrName(),
      spirv::EntryPointABIAttr::get(context,
                                    DenseI32ArrayAttr::get(context, size),
                                    std::nullopt, std::nullopt));
}

static KernelAccess parseAccess(Attribute name) {
  return llvm::StringSwitch<KernelAccess>(cast<StringAttr>(name).getValue())
      .Case("texel_uint4", KernelAccess::TexelUint4)
      .Case("texel_float4", KernelAccess::TexelFloat4)
      .Case("texel_uint1", KernelAccess::TexelUint1)
      .Case("texel_float1", KernelAccess::TexelFloat1)
      .Default(KernelAccess::StorageBuffer);
}

/// Runs the passes up to and including the choice of accesses, whose errors
/// are the request's fault, then the rest.
static Status lower(ModuleOp module, const TargetDescription &target,
                    std::vector<KernelAccess> &accesses) {
  ErrorCollector errors(module.getContext());
  PassManager selection(module.getContext());
  buildSelectAccessPipeline(selection, target);
  if (failed(selection.run(module)))
    return unsupported(errors.text);
  auto names =
      findFunction(module)->getAttrOfType<ArrayAttr>(kernel::kAccessesAttr);
  for (Attribute name : names)
    accesses.push_back(parseAccess(name));
  PassManager conversion(module.getContext());
  buildConvertToSPIRVPipeline(conversion);
  if (failed(conversion.run(module)))
    return internalError("lowering to SPIR-V failed: " + errors.text);
  return Status::ok();
}

static Status serialize(ModuleOp module, std::vector<uint32_t> &code) {
  ErrorCollector errors(module.getContext());
  SmallVector<uint32_t, 0> words;
  for (auto spirvModule : module.getOps<spirv::ModuleOp>())
    if (failed(spirv::serialize(spirvModule, words)))
      return internalError("serialising SPIR-V failed: " + errors.text);
  code.assign(words.begin(), words.end());
  return Status::ok();
}

Status quern::lowerToSPIRV(ModuleOp module, const TargetDescription &target,
                           const KernelDump &dump, CompiledKernel &compiled) {
  attachTarget(module, target, compiled.launch);
  QUERN_RETURN_IF_ERROR(lower(module, target, compiled.accesses));
  QUERN_RETURN_IF_ERROR(dump.write("spirv", module));
  return serialize(module, compiled.code);
}
