//===- Address.h - Where elements of memrefs lie ----------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_CUDA_ADDRESS_H
#define QUERN_CODEGEN_CUDA_ADDRESS_H

#include "mlir/IR/PatternMatch.h"

namespace quern {

/// The address of an element. An index has 32 bits and no sign.
mlir::Value getAddress(mlir::RewriterBase &rewriter, mlir::Location loc,
                       mlir::Value base, mlir::Value index, mlir::Type element);

} // namespace quern

#endif // QUERN_CODEGEN_CUDA_ADDRESS_H
