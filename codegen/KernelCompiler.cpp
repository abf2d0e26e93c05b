//===- KernelCompiler.cpp - Kernel request -> target code -----------------===//
#include "codegen/KernelCompiler.h"

#include "codegen/CPU/LowerToCPU.h"
#include "codegen/CUDA/LowerToCUDA.h"
#include "codegen/Kernels/KernelBuilder.h"
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/KernelModule.h"
#include "codegen/SPIRV/LowerToSPIRV.h"
#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace quern;

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registerCPUTranslation(registry);
  registerCUDATranslation(registry);
  return registry;
}

struct KernelCompiler::Implementation {
  Implementation() : context(makeRegistry(), MLIRContext::Threading::DISABLED) {
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

Status KernelDump::write(StringRef kind, ModuleOp module) const {
  if (prefix.empty())
    return Status::ok();
  std::string path = prefix + "." + kind.str() + ".mlir";
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (error)
    return ioError(path + ": " + error.message());
  module.print(stream);
  return Status::ok();
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
  KernelDump dump;
  if (!options.dumpDir.empty())
    dump.prefix = options.dumpDir + "/" + request.name;
  QUERN_RETURN_IF_ERROR(dump.write("kernel", *module));
  CompiledKernel compiled;
  compiled.entryPoint = request.family;
  compiled.launch = builder.launch;
  compiled.idealBytes = builder.getIdealBytes();
  compiled.flops = builder.flops;
  auto *lower = target.api == "cpu"    ? lowerToCPU
                : target.api == "cuda" ? lowerToCUDA
                                       : lowerToSPIRV;
  QUERN_RETURN_IF_ERROR(lower(*module, target, dump, compiled));
  return compiled;
}

Result<CompiledKernel>
KernelCompiler::compile(const KernelRequest &request,
                        const TargetDescription &target,
                        const KernelCompileOptions &options) {
  if (options.variants || target.variants.empty())
    return compileRequest(&implementation->context, request, target, options);
  TargetDescription own = target;
  own.variants.clear();
  return compileRequest(&implementation->context, request, own, options);
}
