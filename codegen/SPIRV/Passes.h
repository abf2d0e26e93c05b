//===- Passes.h - From kernel functions to SPIR-V ---------------*- C++ -*-===//
//
// The passes of Passes.td and the pipeline that orders them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_SPIRV_PASSES_H
#define QUERN_CODEGEN_SPIRV_PASSES_H

#include "mlir/Pass/Pass.h"

#include <memory>

namespace mlir {
class OpPassManager;
class RewritePatternSet;
class TypeConverter;
} // namespace mlir

namespace quern {

struct TargetDescription;

#define GEN_PASS_DECL
#include "codegen/SPIRV/SPIRVPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "codegen/SPIRV/SPIRVPasses.h.inc"

/// Patterns of the kernel dialect for conversions to SPIR-V.
void populateKernelToSPIRVPatterns(mlir::TypeConverter &converter,
                                   mlir::RewritePatternSet &patterns);

/// Decides how the arguments of kernel functions are bound.
void buildSelectAccessPipeline(mlir::OpPassManager &manager,
                               const TargetDescription &target);

/// Then: gpu.module -> spirv.module, ready to serialise.
void buildConvertToSPIRVPipeline(mlir::OpPassManager &manager);

} // namespace quern

#endif // QUERN_CODEGEN_SPIRV_PASSES_H
