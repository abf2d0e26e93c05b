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

LogicalResult TileProductsOp::inferReturnTypes(MLIRContext *context,
                                               std::optional<Location>,
                                               Adaptor adaptor,
                                               SmallVectorImpl<Type> &types) {
  Type sum = adaptor.getElement().isInteger()
                 ? Type(IntegerType::get(context, 32))
                 : Type(Float32Type::get(context));
  types.assign(adaptor.getRowStarts().size() * adaptor.getPanelStarts().size() *
                   kRows,
               sum);
  return success();
}

LogicalResult TileProductsOp::verify() {
  if (getRowStarts().empty() || getPanelStarts().empty())
    return emitOpError() << "expected a tile and a panel at least";
  if (int64_t words = getWords(); words > kRegisterWords
                                      ? words % kRegisterWords != 0
                                      : !llvm::isPowerOf2_64(uint64_t(words)))
    return emitOpError() << "expected a power of two up to " << kRegisterWords
                         << " or a multiple of it as words, found " << words;
  if ((getParts() > 1) != getPartStride().has_value())
    return emitOpError() << "expected a distance of parts if there are several";
  return success();
}

void KernelDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Kernel/IR/KernelOps.cpp.inc"
      >();
}
