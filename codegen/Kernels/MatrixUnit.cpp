//===- MatrixUnit.cpp - Products on matrix units --------------------------===//
#include "codegen/Kernels/MatrixUnit.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace quern;

void WorkgroupVectors::write(Expression index, Expression words) const {
  memref::StoreOp::create(memory.getBuilder(), memory.getLoc(), words.get(),
                          memory.get(), index.get());
}

void WorkgroupVectors::copyFrom(const InputBuffer &from, Expression unit,
                                Expression to, Expression valid) const {
  kernel::AsyncCopyOp::create(memory.getBuilder(), memory.getLoc(),
                              from.getMemory().get(), unit.get(), memory.get(),
                              to.get(), valid ? valid.get() : Value());
}

Expression WorkgroupVectors::loadMatrices(Expression index) const {
  return memory.with(kernel::LoadMatrixOp::create(
      memory.getBuilder(), memory.getLoc(), memory.get(), index.get()));
}

void quern::commitCopies(KernelBuilder &k) {
  Expression place = k.index(0);
  kernel::AsyncCommitOp::create(place.getBuilder(), place.getLoc());
}

void quern::waitForCopies(KernelBuilder &k, unsigned pending) {
  Expression place = k.index(0);
  kernel::AsyncWaitOp::create(place.getBuilder(), place.getLoc(), pending);
}

Expression quern::multiplyFragments(DataType element, Expression a,
                                    llvm::ArrayRef<Expression> b,
                                    Expression sums) {
  OpBuilder &builder = sums.getBuilder();
  Type type = element == DataType::F16 ? Type(builder.getF16Type())
                                       : Type(builder.getBF16Type());
  return sums.with(kernel::MmaOp::create(builder, sums.getLoc(),
                                         TypeAttr::get(type), a.get(),
                                         vector(b).get(), sums.get()));
}
