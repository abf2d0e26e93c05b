//===- ExecOps.h - The exec dialect: the device program ----------*- C++
//-*-===//
//
// Buffers, dispatches and barriers: what a device executes, one to one. The
// reference of all ops is generated from the .td files (docs/passes.md says
// how).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_EXEC_IR_EXECOPS_H
#define QUERN_DIALECTS_EXEC_IR_EXECOPS_H

#include "dialects/Qwen/IR/QwenDialect.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Exec/IR/ExecDialect.h.inc"
#include "dialects/Exec/IR/ExecEnums.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Exec/IR/ExecTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Exec/IR/ExecAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/Exec/IR/ExecOps.h.inc"

namespace quern::exec {

/// Every buffer starts at a multiple of this many bytes and is padded to one.
constexpr int64_t kBufferAlignment = 256;

/// Bytes of a static tensor with elements of whole bytes, of an encoding or of
/// int8 rows, without padding.
int64_t getSizeInBytes(mlir::RankedTensorType type);

/// `bytes` rounded up to kBufferAlignment.
constexpr int64_t padToAlignment(int64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

} // namespace quern::exec

#endif // QUERN_DIALECTS_EXEC_IR_EXECOPS_H
