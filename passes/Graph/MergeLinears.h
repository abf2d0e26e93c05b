//===- MergeLinears.h - Several products as one ------------------*- C++
//-*-===//
#ifndef QUERN_PASSES_GRAPH_MERGELINEARS_H
#define QUERN_PASSES_GRAPH_MERGELINEARS_H

#include "dialects/Qwen/IR/QwenOps.h"

namespace quern {

/// Whether products can be one: none is null or there twice, one input, one
/// element type of results and of weights.
bool canMergeLinears(llvm::ArrayRef<qwen::LinearOp> linears);

/// The product with all weights in the order given, at the place of the first
/// in the block. The products themselves are left as they are.
qwen::LinearOp mergeLinears(llvm::ArrayRef<qwen::LinearOp> linears);

} // namespace quern

#endif // QUERN_PASSES_GRAPH_MERGELINEARS_H
