//===- KernelDialect.cpp - The kernel dialect -----------------------------===//
//
// Registration of the dialect and verification of its attributes.
//
//===----------------------------------------------------------------------===//
#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVEnums.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace quern::kernel;

#include "dialects/Kernel/IR/KernelDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Kernel/IR/KernelOps.cpp.inc"

LogicalResult KernelDialect::verifyOperationAttribute(Operation *op,
                                                      NamedAttribute entry) {
  auto names = dyn_cast<ArrayAttr>(entry.getValue());
  if (entry.getName() == kAccessesAttr && names &&
      llvm::all_of(names, llvm::IsaPred<StringAttr>))
    return success();
  return op->emitOpError() << "has an unexpected attribute " << entry.getName()
                           << " = " << entry.getValue();
}

LogicalResult KernelDialect::verifyRegionArgAttribute(Operation *op,
                                                      unsigned regionIndex,
                                                      unsigned argumentIndex,
                                                      NamedAttribute entry) {
  auto number = dyn_cast<IntegerAttr>(entry.getValue());
  bool isBinding = entry.getName() == kBindingAttr && number &&
                   number.getType().isInteger(32) && number.getInt() >= 0;
  bool isBytes = entry.getName() == kBytesAttr && number &&
                 number.getType().isInteger(64) && number.getInt() > 0;
  if (isBinding || isBytes)
    return success();
  return op->emitOpError() << "argument " << argumentIndex
                           << " has an unexpected attribute " << entry.getName()
                           << " = " << entry.getValue();
}

LogicalResult ByteDotOp::verify() {
  if (getElementTypeOrSelf(getType()).isInteger(32))
    return success();
  return emitOpError() << "expected words of 32 bits, found " << getType();
}

/// Workgroup memory is what SPIR-V calls so, on every target.
static LogicalResult verifyIsWorkgroup(Operation *op, Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  auto space = dyn_cast_or_null<spirv::StorageClassAttr>(type.getMemorySpace());
  if (space && space.getValue() == spirv::StorageClass::Workgroup)
    return success();
  return op->emitOpError() << "expected workgroup memory, found " << type;
}

LogicalResult AsyncCopyOp::verify() {
  return verifyIsWorkgroup(*this, getTo());
}

LogicalResult LoadMatrixOp::verify() {
  return verifyIsWorkgroup(*this, getMemory());
}

void KernelDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Kernel/IR/KernelOps.cpp.inc"
      >();
}
