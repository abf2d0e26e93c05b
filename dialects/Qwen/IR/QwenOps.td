//===- QwenOps.td - all ops of the qwen dialect ------------*- tablegen -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_QWENOPS_TD
#define QUERN_DIALECTS_QWEN_IR_QWENOPS_TD

include "dialects/Qwen/IR/AttentionOps.td"
include "dialects/Qwen/IR/DeltaOps.td"
include "dialects/Qwen/IR/EmbeddingOps.td"
include "dialects/Qwen/IR/GluOps.td"
include "dialects/Qwen/IR/HeadOps.td"
include "dialects/Qwen/IR/IntegerOps.td"
include "dialects/Qwen/IR/LinearOps.td"
include "dialects/Qwen/IR/MoeOps.td"
include "dialects/Qwen/IR/NormOps.td"
include "dialects/Qwen/IR/RotaryOps.td"
include "dialects/Qwen/IR/StructureOps.td"

#endif
