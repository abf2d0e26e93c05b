//===- Verification.h - checks shared by the qwen verifiers -----*- C++ -*-===//
//
// Private to dialects/Qwen/IR. Each check emits one error at the op and, where
// a symbol is at fault, a note at the symbol.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_QWEN_IR_VERIFICATION_H
#define QUERN_DIALECTS_QWEN_IR_VERIFICATION_H

#include "dialects/Qwen/IR/QwenOps.h"

namespace quern::qwen::detail {

/// The qwen.weight that `name` refers to; an error at `op` and null if there
/// is none.
WeightOp lookupWeight(mlir::Operation *op, mlir::SymbolTableCollection &symbols,
                      mlir::FlatSymbolRefAttr name);

/// Checks that `name` is a qwen.weight of shape `expected`.
mlir::LogicalResult verifyWeight(mlir::Operation *op,
                                 mlir::SymbolTableCollection &symbols,
                                 mlir::FlatSymbolRefAttr name,
                                 llvm::ArrayRef<int64_t> expected);

/// Checks that there are weights and, with parts, a list for each.
mlir::LogicalResult verifyPartLists(mlir::Operation *op,
                                    mlir::ArrayAttr weights,
                                    std::optional<mlir::ArrayAttr> parts);

/// Checks that the weights are matrices of `inputs` columns and `outputs` rows
/// together, and that the groups of their parts (qwen.linear) fill their rows.
mlir::LogicalResult verifyStackedWeights(mlir::Operation *op,
                                         mlir::SymbolTableCollection &symbols,
                                         mlir::ArrayAttr weights,
                                         std::optional<mlir::ArrayAttr> parts,
                                         int64_t inputs, int64_t outputs);

/// Checks that `name` is a qwen.state of kind `kind` whose entries are
/// `entry` (heads x head_dim) of `element` or of int8 rows.
mlir::LogicalResult verifyCache(mlir::Operation *op,
                                mlir::SymbolTableCollection &symbols,
                                mlir::FlatSymbolRefAttr name, StateKind kind,
                                llvm::ArrayRef<int64_t> entry,
                                mlir::Type element);

/// Checks that `name` is a qwen.state of kind `kind`; an error at `op` and null
/// if not.
StateOp lookupState(mlir::Operation *op, mlir::SymbolTableCollection &symbols,
                    mlir::FlatSymbolRefAttr name, StateKind kind);

/// Checks that two tensors differ at most in element type.
mlir::LogicalResult verifySameShape(mlir::Operation *op, llvm::StringRef aName,
                                    mlir::Value a, llvm::StringRef bName,
                                    mlir::Value b);

/// Checks that the attribute epsilon is positive and finite.
mlir::LogicalResult verifyEpsilon(mlir::Operation *op,
                                  const llvm::APFloat &epsilon);

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

} // namespace quern::qwen::detail

#endif // QUERN_DIALECTS_QWEN_IR_VERIFICATION_H
