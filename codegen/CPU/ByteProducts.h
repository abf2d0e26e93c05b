//===- ByteProducts.h - Instructions for products of bytes ------*- C++ -*-===//
//
// Each CPU has instructions of its own for kernel.byte_dot; an instance of
// ByteProducts writes the calls of one kind of them. Sums are exact, so that
// results do not depend on the kind.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_CPU_BYTEPRODUCTS_H
#define QUERN_CODEGEN_CPU_BYTEPRODUCTS_H

#include "codegen/Targets/TargetDescription.h"
#include "dialects/Kernel/IR/KernelOps.h"

#include <memory>

namespace quern {

class ByteProducts {
public:
  virtual ~ByteProducts() = default;

  /// Words of a register.
  virtual int64_t getNumLanes() const = 0;

  /// Whether there are instructions for factors of this range.
  virtual bool hasProduct(kernel::ByteDotOp op) const = 0;

  /// Four bytes each of `a` and `b`, i32 vectors of getNumLanes().
  struct Factors {
    mlir::Value a, b;
  };

  /// `sum` and the products of all factors, whose range is that of `op`.
  virtual mlir::Value add(mlir::OpBuilder &builder, kernel::ByteDotOp op,
                          llvm::ArrayRef<Factors> factors,
                          mlir::Value sum) const = 0;

protected:
  /// The largest magnitude of a byte of `a`.
  static int64_t getLargest(kernel::ByteDotOp op) {
    return op.getUnsignedBits() ? (int64_t(1) << *op.getUnsignedBits()) - 1
                                : 128;
  }
};

/// Null for ByteDot::None.
std::unique_ptr<ByteProducts> createByteProducts(ByteDot kind);
std::unique_ptr<ByteProducts> createX86Products(ByteDot kind);
std::unique_ptr<ByteProducts> createNeonProducts(ByteDot kind);

mlir::Value callIntrinsic(mlir::OpBuilder &builder, mlir::Location loc,
                          llvm::StringRef name, mlir::Type type,
                          mlir::ValueRange operands);

/// The same bits as a vector of i8.
mlir::Value castToBytes(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value words);

/// A vector of `type` with `value` in all elements.
mlir::Value makeSplat(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::VectorType type, int64_t value);

} // namespace quern

#endif // QUERN_CODEGEN_CPU_BYTEPRODUCTS_H
