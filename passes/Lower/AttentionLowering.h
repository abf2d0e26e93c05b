//===- AttentionLowering.h - The requests of attention ----------*- C++ -*-===//
#ifndef QUERN_PASSES_LOWER_ATTENTIONLOWERING_H
#define QUERN_PASSES_LOWER_ATTENTIONLOWERING_H

#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Lower/ProgramBuilder.h"

namespace quern {

/// One dispatch, or two where few tokens leave workgroups to spare: then each
/// token's positions are split between several.
mlir::LogicalResult lowerAttention(qwen::AttentionOp op, ProgramBuilder &b);

} // namespace quern

#endif // QUERN_PASSES_LOWER_ATTENTIONLOWERING_H
