//===- KernelCompiler.cpp - Kernel request -> SPIR-V ----------------------===//
#include "codegen/SPIRV/KernelCompiler.h"

#include "codegen/Kernels/KernelBuilder.h"
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/SPIRV/Passes.h"
#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/SPIRV/Serialization.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace quern;

struct KernelCompiler::Implementation {
  Implementation() : context(MLIRContext::Threading::DISABLED) {
    context.loadDialect<
        kernel::KernelDialect, arith::ArithDialect, gpu::GPUDialect,
        math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
        spirv::SPIRVDialect, ub::UBDialect, vector::VectorDialect>();
  }
  MLIRContext context;
};

KernelCompiler::KernelCompiler()
    : implementation(std::make_unique<Implementation>()) {}
KernelCompiler::~KernelCompiler() = default;

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

static Status checkLaunch(const KernelLaunch &launch,
                          const TargetDescription &target) {
  for (unsigned axis = 0; axis != 3; ++axis)
    if (launch.grid[axis] > target.maxGrid[axis])
      return unsupported("grid dimension " + std::to_string(axis) + " needs " +
                         std::to_string(launch.grid[axis]) +
                         " workgroups, the target has " +
                         std::to_string(target.maxGrid[axis]));
  if (launch.workgroupMemory > target.maxWorkgroupMemory)
    return unsupported("needs " + std::to_string(launch.workgroupMemory) +
                       " bytes of workgroup memory, the target has " +
                       std::to_string(target.maxWorkgroupMemory));
  return Status::ok();
}

static Status dump(const KernelCompileOptions &options,
                   const KernelRequest &request, StringRef kind,
                   ModuleOp module) {
  if (options.dumpDir.empty())
    return Status::ok();
  std::string path =
      options.dumpDir + "/" + request.name + "." + kind.str() + ".mlir";
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (error)
    return ioError(path + ": " + error.message());
  module.print(stream);
  return Status::ok();
}

static KernelAccess parseAccess(Attribute name) {
  return llvm::StringSwitch<KernelAccess>(cast<StringAttr>(name).getValue())
      .Case("texel_uint4", KernelAccess::TexelUint4)
      .Case("texel_float4", KernelAccess::TexelFloat4)
      .Case("texel_uint1", KernelAccess::TexelUint1)
      .Case("texel_float1", KernelAccess::TexelFloat1)
      .Default(KernelAccess::StorageBuffer);
}

namespace {

/// Collects the errors that MLIR reports while it lives.
class ErrorCollector {
public:
  explicit ErrorCollector(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
            text += (text.empty() ? "" : "; ") + diagnostic.str();
        }) {}
  std::string text;

private:
  ScopedDiagnosticHandler handler;
};

} // namespace

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

static Result<CompiledKernel>
compileRequest(MLIRContext *context, const KernelRequest &request,
               const TargetDescription &target,
               const KernelCompileOptions &options) {
  const KernelFamily *family = findKernelFamily(request.family);
  if (!family)
    return unsupported("unknown kernel family '" + request.family + "'");
  QUERN_ASSIGN_OR_RETURN(SignatureMatch match,
                         matchSignature(family->signature, request));
  KernelBuilder builder(context, request, target, std::move(match));
  QUERN_RETURN_IF_ERROR(family->build(builder));
  QUERN_RETURN_IF_ERROR(checkLaunch(builder.launch, target));

  OwningOpRef<ModuleOp> module = builder.finish();
  attachTarget(*module, target, builder.launch);
  QUERN_RETURN_IF_ERROR(dump(options, request, "kernel", *module));
  CompiledKernel compiled;
  compiled.entryPoint = request.family;
  compiled.launch = builder.launch;
  compiled.idealBytes = builder.getIdealBytes();
  compiled.flops = builder.flops;
  QUERN_RETURN_IF_ERROR(lower(*module, target, compiled.accesses));
  QUERN_RETURN_IF_ERROR(dump(options, request, "spirv", *module));
  QUERN_RETURN_IF_ERROR(serialize(*module, compiled.code));
  return compiled;
}

Result<CompiledKernel>
KernelCompiler::compile(const KernelRequest &request,
                        const TargetDescription &target,
                        const KernelCompileOptions &options) {
  return compileRequest(&implementation->context, request, target, options);
}
