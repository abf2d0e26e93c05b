//===- RequestTable.h - What the programs of a module share ------*- C++
//-*-===//
//
// Kernel requests, packed weights and constants, each made once.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_PASSES_LOWER_REQUESTTABLE_H
#define QUERN_PASSES_LOWER_REQUESTTABLE_H

#include "dialects/Exec/IR/ExecOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"

namespace quern {

class RequestTable {
public:
  /// New symbols are created in front of `insertionPoint`.
  RequestTable(mlir::ModuleOp module, mlir::Operation *insertionPoint);

  /// The kernel with this request; a new one is named after `name`.
  exec::KernelOp getKernel(mlir::Location location, llvm::StringRef name,
                           llvm::StringRef family,
                           llvm::ArrayRef<exec::ArgumentAttr> arguments,
                           mlir::DictionaryAttr config);

  /// The weight packed this way from `sources`, which are qwen.weight symbols.
  /// `parts` orders their rows; null leaves them.
  exec::WeightOp getWeight(exec::Packing packing, mlir::ArrayAttr sources,
                           mlir::ArrayAttr parts);

  /// The constant with this value; a new one is named after `name`.
  exec::ConstantOp getConstant(mlir::Location location, llvm::StringRef name,
                               mlir::ElementsAttr value);

  mlir::SymbolTable &getSymbolTable() { return symbols; }
  size_t getNumKernels() const { return kernels.size(); }
  size_t getNumWeights() const { return weights.size(); }

private:
  mlir::SymbolTable symbols;
  mlir::OpBuilder builder;
  // Keys are array attributes of all facts of the symbol.
  llvm::DenseMap<mlir::Attribute, exec::KernelOp> kernels;
  llvm::DenseMap<mlir::Attribute, exec::WeightOp> weights;
  llvm::DenseMap<mlir::Attribute, exec::ConstantOp> constants;
};

} // namespace quern

#endif // QUERN_PASSES_LOWER_REQUESTTABLE_H
