//===- KernelToNVVM.cpp - The conversion to NVVM --------------------------===//
#include "codegen/CUDA/Passes.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMInterface.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVEnums.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_KERNELTONVVMPASS
#include "codegen/CUDA/CUDAPasses.h.inc"
} // namespace quern

using namespace quern;

static constexpr unsigned globalSpace = unsigned(NVVM::NVVMMemorySpace::Global);

/// Memrefs are pointers: arguments to global memory, the others to shared.
static Type convertMemRef(MemRefType type) {
  auto space = dyn_cast_or_null<spirv::StorageClassAttr>(type.getMemorySpace());
  bool shared = space && space.getValue() == spirv::StorageClass::Workgroup;
  return LLVM::LLVMPointerType::get(
      type.getContext(),
      shared ? unsigned(NVVM::NVVMMemorySpace::Shared) : globalSpace);
}

/// Moves the body of a kernel into a function of the module, whose arguments
/// are in order of the bindings.
static FailureOr<LLVM::LLVMFuncOp> moveFunction(gpu::GPUFuncOp from,
                                                ModuleOp module) {
  unsigned count = from.getNumArguments();
  SmallVector<unsigned> places(count);
  llvm::BitVector seen(count);
  for (unsigned i = 0; i != count; ++i) {
    auto binding = from.getArgAttrOfType<IntegerAttr>(i, kernel::kBindingAttr);
    if (!binding || binding.getInt() < 0 || binding.getInt() >= count ||
        seen.test(binding.getInt()))
      return from.emitError()
             << "argument " << i << " needs a " << kernel::kBindingAttr
             << " of its own below the number of arguments";
    places[i] = binding.getInt();
    seen.set(places[i]);
  }
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  MLIRContext *context = module.getContext();
  auto pointer = LLVM::LLVMPointerType::get(context, globalSpace);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                          SmallVector<Type>(count, pointer));
  auto to =
      LLVM::LLVMFuncOp::create(builder, from.getLoc(), from.getName(), type);
  to->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
              builder.getUnitAttr());
  if (Attribute threads = from->getAttr("nvvm.reqntid"))
    to->setAttr("nvvm.reqntid", threads);
  Block *entry = to.addEntryBlock(builder);
  Region &body = from.getBody();
  Block &first = body.front();
  builder.setInsertionPointToStart(entry);
  for (unsigned i = 0; i != count; ++i) {
    Value cast = UnrealizedConversionCastOp::create(
                     builder, from.getLoc(), first.getArgument(i).getType(),
                     entry->getArgument(places[i]))
                     .getResult(0);
    first.getArgument(i).replaceAllUsesWith(cast);
  }
  first.eraseArguments(0, first.getNumArguments());
  entry->getOperations().splice(entry->end(), first.getOperations());
  while (body.getBlocks().size() > 1)
    body.back().moveBefore(&to.getBody(), std::next(to.getBody().begin()));
  to.walk([&](gpu::ReturnOp op) {
    OpBuilder end(op);
    LLVM::ReturnOp::create(end, op.getLoc(), ValueRange());
    op.erase();
  });
  return to;
}

namespace {

class KernelToNVVM : public quern::impl::KernelToNVVMPassBase<KernelToNVVM> {
public:
  using KernelToNVVMPassBase::KernelToNVVMPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto gpuModule :
         llvm::make_early_inc_range(module.getOps<gpu::GPUModuleOp>())) {
      for (auto function : gpuModule.getOps<gpu::GPUFuncOp>())
        if (failed(moveFunction(function, module)))
          return signalPassFailure();
      gpuModule.erase();
    }
    if (failed(convert(module)))
      signalPassFailure();
  }

private:
  LogicalResult convert(ModuleOp module) {
    MLIRContext *context = &getContext();
    LowerToLLVMOptions options(context);
    options.overrideIndexBitwidth(32);
    LLVMTypeConverter converter(context, options);
    converter.addConversion(convertMemRef);
    // Instead of upstream's, which make descriptors.
    auto cast = [](OpBuilder &builder, Type type, ValueRange values,
                   Location loc) -> Value {
      return UnrealizedConversionCastOp::create(builder, loc, type, values)
          .getResult(0);
    };
    converter.addSourceMaterialization(cast);
    converter.addTargetMaterialization(cast);
    RewritePatternSet patterns(context);
    populateKernelToNVVMPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    ConversionTarget target(*context);
    target.addLegalDialect<LLVM::LLVMDialect, NVVM::NVVMDialect>();
    target.addLegalOp<ModuleOp, UnrealizedConversionCastOp>();
    return applyFullConversion(module, target, std::move(patterns));
  }
};

} // namespace
