//===- QwenOps.h - ops and interfaces of the qwen dialect -------*- C++ -*-===//
#ifndef QUERN_DIALECTS_QWEN_IR_QWENOPS_H
#define QUERN_DIALECTS_QWEN_IR_QWENOPS_H

#include "dialects/Qwen/IR/QwenDialect.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Qwen/IR/QwenInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialects/Qwen/IR/QwenOps.h.inc"

namespace quern::qwen {

/// The memory that qwen.state symbols name; effects carry the symbol.
struct StateResource : mlir::SideEffects::Resource::Base<StateResource> {
  llvm::StringRef getName() final { return "qwen.state"; }
};

} // namespace quern::qwen

#endif // QUERN_DIALECTS_QWEN_IR_QWENOPS_H
