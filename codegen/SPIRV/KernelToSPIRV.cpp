//===- KernelToSPIRV.cpp - The conversion to SPIR-V -----------------------===//
#include "codegen/SPIRV/Passes.h"

#include "mlir/Conversion/ArithToSPIRV/ArithToSPIRV.h"
#include "mlir/Conversion/ControlFlowToSPIRV/ControlFlowToSPIRV.h"
#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRV.h"
#include "mlir/Conversion/IndexToSPIRV/IndexToSPIRV.h"
#include "mlir/Conversion/MathToSPIRV/MathToSPIRV.h"
#include "mlir/Conversion/MemRefToSPIRV/MemRefToSPIRV.h"
#include "mlir/Conversion/SCFToSPIRV/SCFToSPIRV.h"
#include "mlir/Conversion/UBToSPIRV/UBToSPIRV.h"
#include "mlir/Conversion/VectorToSPIRV/VectorToSPIRV.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/SPIRVConversion.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_KERNELTOSPIRVPASS
#include "codegen/SPIRV/SPIRVPasses.h.inc"
} // namespace quern

namespace {

using namespace quern;

class KernelToSPIRV : public quern::impl::KernelToSPIRVPassBase<KernelToSPIRV> {
public:
  using KernelToSPIRVPassBase::KernelToSPIRVPassBase;

  void runOnOperation() override {
    for (auto module :
         llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>()))
      if (failed(convert(module)))
        return signalPassFailure();
  }

private:
  /// Upstream's pattern for scf.for stores the results of a loop in its body:
  /// if the body never runs, they are undefined.
  static LogicalResult checkLoop(scf::ForOp loop) {
    std::optional<int64_t> lower = getConstantIntValue(loop.getLowerBound()),
                           upper = getConstantIntValue(loop.getUpperBound());
    if (loop.getNumResults() == 0 || (lower && upper && *lower < *upper))
      return success();
    return loop.emitError() << "has results and may not run; convert it with "
                               "--scf-for-to-while";
  }

  LogicalResult convert(gpu::GPUModuleOp module) {
    WalkResult loops = module.walk([](scf::ForOp loop) {
      return failed(checkLoop(loop)) ? WalkResult::interrupt()
                                     : WalkResult::advance();
    });
    if (loops.wasInterrupted())
      return failure();
    if (!spirv::lookupTargetEnv(module))
      return module.emitError() << "needs " << spirv::getTargetEnvAttrName()
                                << " on it or an op around it";
    spirv::TargetEnvAttr environment = spirv::lookupTargetEnv(module);
    SPIRVConversionOptions options;
    options.use64bitIndex = use64bitIndex;
    options.emulateLT32BitScalarTypes = false;
    options.emulateUnsupportedFloatTypes = false;
    SPIRVTypeConverter converter(environment, options);
    std::unique_ptr<SPIRVConversionTarget> target =
        SPIRVConversionTarget::get(environment);

    RewritePatternSet patterns(&getContext());
    ScfToSPIRVContext scfContext;
    populateGPUToSPIRVPatterns(converter, patterns);
    populateSCFToSPIRVPatterns(converter, scfContext, patterns);
    arith::populateArithToSPIRVPatterns(converter, patterns);
    populateMathToSPIRVPatterns(converter, patterns);
    populateMemRefToSPIRVPatterns(converter, patterns);
    populateVectorToSPIRVPatterns(converter, patterns);
    index::populateIndexToSPIRVPatterns(converter, patterns);
    ub::populateUBToSPIRVConversionPatterns(converter, patterns);
    cf::populateControlFlowToSPIRVPatterns(converter, patterns);
    populateKernelToSPIRVPatterns(converter, patterns);
    return applyFullConversion(module, *target, std::move(patterns));
  }
};

} // namespace
