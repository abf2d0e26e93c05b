//===- Passes.h - Passes on kernel functions --------------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_KERNELS_PASSES_H
#define QUERN_CODEGEN_KERNELS_PASSES_H

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/Pass/Pass.h"

namespace quern {

#define GEN_PASS_DECL
#include "codegen/Kernels/KernelsPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "codegen/Kernels/KernelsPasses.h.inc"

/// The result of the op by shifts and products, in front of it.
mlir::Value expandByteDot(mlir::OpBuilder &builder, kernel::ByteDotOp op);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_PASSES_H
