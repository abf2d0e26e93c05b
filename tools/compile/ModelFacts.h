//===- ModelFacts.h - What a bundle says about its model --------*- C++ -*-===//
#ifndef QUERN_TOOLS_COMPILE_MODELFACTS_H
#define QUERN_TOOLS_COMPILE_MODELFACTS_H

#include "codegen/Bundle/EmitBundle.h"
#include "codegen/Targets/TargetDescription.h"
#include "tools/compile/CheckpointInput.h"
#include "tools/compile/CompileOptions.h"
#include "tools/compile/Report.h"

namespace quern {

/// "f32", "f16" or "bf16".
const char *getComputeName(DataType type);

/// Fills model, sampling defaults, compiler version and options.
void describeModel(const CheckpointInput &input, const CompileOptions &options,
                   DataType compute, mlir::ModuleOp module,
                   BundleContents &contents);

void describeTarget(const TargetDescription &description,
                    bundle::TargetT &target);

/// What the code of a variant is for. An architecture of CUDA is described by
/// `target` if that is for it alone, else by the built-in target of its name.
Result<bundle::ArchitectureT> describeVariant(const CodeVariant &variant,
                                              const TargetDescription &target,
                                              const PtxAssembler *assembler);

/// Reads memory needs and dispatch counts off the planned module.
void describeMemory(mlir::ModuleOp module, CompileSummary &summary);

} // namespace quern

#endif // QUERN_TOOLS_COMPILE_MODELFACTS_H
