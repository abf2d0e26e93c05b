//===- DeltaLowerings.h - Kernel requests of gated delta nets ---*- C++ -*-===//
#ifndef QUERN_PASSES_LOWER_DELTALOWERINGS_H
#define QUERN_PASSES_LOWER_DELTALOWERINGS_H

#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Lower/ProgramBuilder.h"

namespace quern {

/// Steps of few tokens store their inputs in the state as they go; longer ones
/// need a second dispatch, see codegen/Kernels/Convolution.h.
mlir::LogicalResult lowerCausalConv1d(qwen::CausalConv1dOp op,
                                      ProgramBuilder &builder);
mlir::LogicalResult lowerDeltaInputs(qwen::DeltaInputsOp op,
                                     ProgramBuilder &builder);
mlir::LogicalResult lowerL2Norm(qwen::L2NormOp op, ProgramBuilder &builder);
mlir::LogicalResult lowerDeltaGates(qwen::DeltaGatesOp op,
                                    ProgramBuilder &builder);
/// Without chunk delta_rule, with chunks of one token delta_scan, else
/// delta_chunk.
mlir::LogicalResult lowerGatedDeltaRule(qwen::GatedDeltaRuleOp op,
                                        ProgramBuilder &builder);
mlir::LogicalResult lowerGatedRmsNorm(qwen::GatedRmsNormOp op,
                                      ProgramBuilder &builder);

} // namespace quern

#endif // QUERN_PASSES_LOWER_DELTALOWERINGS_H
