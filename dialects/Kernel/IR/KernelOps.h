//===- KernelOps.h - The kernel dialect -------------------------*- C++ -*-===//
//
// Ops of device functions on which targets differ. See KernelOps.td.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_KERNEL_IR_KERNELOPS_H
#define QUERN_DIALECTS_KERNEL_IR_KERNELOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Kernel/IR/KernelDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/Kernel/IR/KernelOps.h.inc"

namespace quern::kernel {

/// Attributes of kernel functions, see the dialect's description.
inline constexpr llvm::StringLiteral kBindingAttr = "kernel.binding";
inline constexpr llvm::StringLiteral kBytesAttr = "kernel.bytes";
inline constexpr llvm::StringLiteral kAccessesAttr = "kernel.accesses";

} // namespace quern::kernel

#endif // QUERN_DIALECTS_KERNEL_IR_KERNELOPS_H
