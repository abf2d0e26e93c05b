//===- MoeLowerings.h - Kernel requests of mixtures of experts --*- C++ -*-===//
#ifndef QUERN_PASSES_LOWER_MOELOWERINGS_H
#define QUERN_PASSES_LOWER_MOELOWERINGS_H

#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Lower/ProgramBuilder.h"

namespace quern {

/// The logits are a linear; a second dispatch chooses.
mlir::LogicalResult lowerRouter(qwen::RouterOp op, ProgramBuilder &builder);
/// Gate and up with SwiGLU, then the weighted sum of the down products.
mlir::LogicalResult lowerExperts(qwen::ExpertsOp op, ProgramBuilder &builder);
mlir::LogicalResult lowerScaleBySigmoid(qwen::ScaleBySigmoidOp op,
                                        ProgramBuilder &builder);

} // namespace quern

#endif // QUERN_PASSES_LOWER_MOELOWERINGS_H
