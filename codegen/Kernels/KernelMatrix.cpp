//===- KernelMatrix.cpp - Workgroup memory and matrix units ---------------===//
#include "codegen/Kernels/KernelBuilder.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace quern;

Expression KernelBuilder::allocateMemory(int64_t units, unsigned wordsPerUnit) {
  Type unit = builder.getI32Type();
  if (wordsPerUnit != 1)
    unit = VectorType::get(wordsPerUnit, unit);
  return allocateWorkgroup(units, unit);
}

Expression KernelBuilder::readMemory(Expression memory, Expression index) {
  return make(memref::LoadOp::create(builder, loc, memory.get(), index.get()));
}

void KernelBuilder::barrier() { gpu::BarrierOp::create(builder, loc); }

void KernelBuilder::copyAsync(const InputBuffer &from, Expression fromIndex,
                              Expression to, Expression toIndex) {
  kernel::AsyncCopyOp::create(builder, loc, from.getBuffer().get(),
                              fromIndex.get(), to.get(), toIndex.get());
}

void KernelBuilder::commitCopies() {
  kernel::AsyncCommitOp::create(builder, loc);
}

void KernelBuilder::waitForCopies(unsigned pending) {
  kernel::AsyncWaitOp::create(builder, loc, pending);
}

Expression KernelBuilder::loadMatrix(Expression memory, Expression index) {
  return make(
      kernel::LoadMatrixOp::create(builder, loc, memory.get(), index.get()));
}

Expression KernelBuilder::multiplyMatrices(DataType type, Expression a,
                                           Expression b, Expression c) {
  Type element = type == DataType::F16 ? Type(builder.getF16Type())
                                       : Type(builder.getBF16Type());
  return make(kernel::MmaOp::create(builder, loc, c.getType(), element, a.get(),
                                    b.get(), c.get()));
}
