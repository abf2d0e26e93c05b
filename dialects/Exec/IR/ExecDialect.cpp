//===- ExecDialect.cpp - Dialect, types and attributes of exec ------------===//
//
// Registration, and the verifiers of types and attributes.
//
//===----------------------------------------------------------------------===//
#include "dialects/Exec/IR/ExecOps.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quern;
using namespace quern::exec;

#include "dialects/Exec/IR/ExecDialect.cpp.inc"
#include "dialects/Exec/IR/ExecEnums.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Exec/IR/ExecTypes.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Exec/IR/ExecAttrs.cpp.inc"

void ExecDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Exec/IR/ExecTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Exec/IR/ExecAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Exec/IR/ExecOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Buffer tensors
//===----------------------------------------------------------------------===//

/// A tensor that a buffer can hold: static, not empty, whole bytes, and less
/// than 2^62 bytes so that sums of a few sizes can't overflow.
static LogicalResult
verifyBufferTensor(function_ref<InFlightDiagnostic()> emitError,
                   RankedTensorType tensor) {
  if (!tensor.hasStaticShape())
    return emitError() << "expected a static shape, found " << tensor;
  Type element = tensor.getElementType();
  if (Encoding encoding = qwen::getEncoding(element);
      encoding != Encoding::None) {
    int64_t columns = tensor.getRank() < 1 ? 0 : tensor.getShape().back();
    if (columns < 1 || columns % kGroupSize != 0)
      return emitError() << "expected rows of a multiple of " << kGroupSize
                         << " elements, found " << tensor;
    // No encoding takes more bytes than this.
    element = Float32Type::get(tensor.getContext());
  }
  if (isa<qwen::Int8RowsType>(element)) {
    if (tensor.getRank() < 2 || tensor.getShape().back() % kInt8RowUnit != 0)
      return emitError() << "expected matrices with rows of a multiple of "
                         << kInt8RowUnit << " elements, found " << tensor;
    // Codes, scales and what fills a block take no more than this.
    element = Float32Type::get(tensor.getContext());
  }
  if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() % 8 != 0)
    return emitError() << "expected elements of whole bytes, found " << tensor;
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  for (int64_t size : tensor.getShape()) {
    if (size == 0)
      return emitError() << "expected dimensions of at least 1, found "
                         << tensor;
    if (bytes > (int64_t(1) << 62) / size)
      return emitError() << "buffer is too large: " << tensor;
    bytes *= size;
  }
  return success();
}

int64_t quern::exec::getSizeInBytes(RankedTensorType type) {
  if (isa<qwen::Int8RowsType>(type.getElementType())) {
    ArrayRef<int64_t> matrix = type.getShape().take_back(2);
    return static_cast<int64_t>(
        Int8Rows(type.getNumElements() / (matrix[0] * matrix[1]), matrix[0],
                 matrix[1])
            .bytes());
  }
  Encoding encoding = qwen::getEncoding(type.getElementType());
  if (encoding == Encoding::None)
    return type.getNumElements() * (type.getElementTypeBitWidth() / 8);
  int64_t columns = type.getShape().back();
  return static_cast<int64_t>(
      EncodedMatrix(encoding, type.getNumElements() / columns, columns)
          .bytes());
}

int64_t BufferType::getSizeInBytes() const {
  return quern::exec::getSizeInBytes(getTensor());
}

LogicalResult BufferType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 RankedTensorType tensor) {
  return verifyBufferTensor(emitError, tensor);
}

LogicalResult ArgumentAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   Effect effect, RankedTensorType tensor) {
  return verifyBufferTensor(emitError, tensor);
}

LogicalResult
StepBufferAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                       StepRole role, RankedTensorType tensor, int64_t offset) {
  if (failed(verifyBufferTensor(emitError, tensor)))
    return failure();
  if (offset < 0 || offset > (int64_t(1) << 61) ||
      offset % kBufferAlignment != 0)
    return emitError() << "expected an offset of at most 2^61 that is a "
                          "multiple of "
                       << kBufferAlignment << ", found " << offset;
  return success();
}

//===----------------------------------------------------------------------===//
// Launch
//===----------------------------------------------------------------------===//

/// Three dimensions of at least 1.
static LogicalResult verifyExtent(function_ref<InFlightDiagnostic()> emitError,
                                  StringRef what, ArrayRef<int64_t> extent) {
  if (extent.size() == 3 && llvm::all_of(extent, [](int64_t size) {
        return size >= 1 && size <= INT32_MAX;
      }))
    return success();
  return emitError() << what << " needs three dimensions of at least 1";
}

LogicalResult LaunchAttr::verify(
    function_ref<InFlightDiagnostic()> emitError, StringAttr entryPoint,
    ArrayRef<int64_t> workgroupSize, ArrayRef<int64_t> grid,
    GridCount gridCount, int64_t gridAxis, int64_t gridTile, int64_t gridScale,
    int64_t subgroupSize, int64_t workgroupMemory, ArrayRef<Access> accesses) {
  if (entryPoint.empty())
    return emitError() << "entry_point is empty";
  if (failed(verifyExtent(emitError, "workgroup_size", workgroupSize)) ||
      failed(verifyExtent(emitError, "grid", grid)))
    return failure();
  if (gridAxis < 0 || gridAxis > 2)
    return emitError() << "expected grid_axis 0, 1 or 2, found " << gridAxis;
  if (gridTile < 1 || gridTile > INT32_MAX)
    return emitError() << "expected grid_tile of 1 to 2^31 - 1, found "
                       << gridTile;
  if (gridScale < 1 || gridScale > INT32_MAX)
    return emitError() << "expected grid_scale of 1 to 2^31 - 1, found "
                       << gridScale;
  if (gridCount != GridCount::None && grid[gridAxis] % gridScale != 0)
    return emitError() << "grid[" << gridAxis << "] = " << grid[gridAxis]
                       << " is not a multiple of grid_scale " << gridScale;
  if (subgroupSize < 0 || workgroupMemory < 0)
    return emitError()
           << "subgroup_size and workgroup_memory can't be negative";
  return success();
}
