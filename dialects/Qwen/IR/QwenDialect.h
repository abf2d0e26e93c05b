//===- QwenDialect.h - the qwen dialect -------------------------*- C++ -*-===//
//
// Dialect, attributes and enums. Include QwenOps.h for the ops.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_QWEN_IR_QWENDIALECT_H
#define QUERN_DIALECTS_QWEN_IR_QWENDIALECT_H

#include "runtime/base/Encoding.h"
#include "runtime/base/Int8Rows.h"

#include "mlir/IR/Attributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include "dialects/Qwen/IR/QwenEnums.h.inc"

#include "dialects/Qwen/IR/QwenDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Qwen/IR/QwenAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Qwen/IR/QwenTypes.h.inc"

namespace quern::qwen {
/// The encoding of elements of this type; None unless it is !qwen.encoded.
inline Encoding getEncoding(mlir::Type element) {
  auto encoded = llvm::dyn_cast<EncodedType>(element);
  return encoded ? encoded.getEncoding() : Encoding::None;
}
} // namespace quern::qwen

namespace quern::qwen::detail {
/// True if every dimension after dimension 0 of a ranked tensor is static.
bool hasStaticFeatures(mlir::Type type);
/// Verifies TokenDimOpInterface: one dimension 0 for token operands, results.
mlir::LogicalResult verifyTokenDims(mlir::Operation *op);
} // namespace quern::qwen::detail

#endif // QUERN_DIALECTS_QWEN_IR_QWENDIALECT_H
