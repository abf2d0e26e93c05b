//===- MatrixUnit.h - Products on matrix units ------------------*- C++ -*-===//
//
// The ops of the kernel dialect for matrix units, as expressions. A fragment is
// what the lanes of a subgroup together have of a small matrix.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_MATRIXUNIT_H
#define QUERN_CODEGEN_KERNELS_MATRIXUNIT_H

#include "codegen/Kernels/KernelBuilder.h"

namespace quern {

/// Vectors of four words that the lanes of a workgroup share. What is written
/// through it is seen by other lanes after KernelBuilder::barrier.
class WorkgroupVectors {
public:
  WorkgroupVectors() = default;
  explicit WorkgroupVectors(Expression memory) : memory(memory) {}

  void write(Expression index, Expression words) const;
  /// Starts to copy a unit of `from`, which has vector units; zeros unless
  /// `valid`, if that is there.
  void copyFrom(const InputBuffer &from, Expression unit, Expression to,
                Expression valid = Expression()) const;
  /// Four matrices of 8 x 8 halves, one in each word; lane 8 m + r names row r
  /// of matrix m.
  Expression loadMatrices(Expression index) const;
  Expression getMemory() const { return memory; }

private:
  Expression memory;
};

/// Ends a group of this lane's copies.
void commitCopies(KernelBuilder &k);
/// Waits until at most the latest `pending` groups are under way.
void waitForCopies(KernelBuilder &k, unsigned pending);

/// sums + A B for fragments of 16 x 16 and 16 x 8 elements of type F16 or BF16;
/// the first has four words, the second two.
Expression multiplyFragments(DataType element, Expression a,
                             llvm::ArrayRef<Expression> b, Expression sums);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_MATRIXUNIT_H
