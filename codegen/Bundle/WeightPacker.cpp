//===- WeightPacker.cpp - Streams weights in their packed order -----------===//
#include "codegen/Bundle/WeightPacker.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <algorithm>
#include <cstring>

using namespace mlir;

namespace quern {

/// Bytes that are interleaved before they are handed to the writer.
static constexpr size_t kPackingBufferBytes = size_t(4) << 20;

/// Alternates the rows of two sources: a0, b0, a1, b1, ...
static Status interleaveRows(std::span<const std::byte> first,
                             std::span<const std::byte> second, size_t rowBytes,
                             BundleWriter &writer) {
  size_t rows = first.size() / rowBytes;
  size_t rowsPerBuffer =
      std::max<size_t>(1, kPackingBufferBytes / (2 * rowBytes));
  std::vector<std::byte> buffer(std::min(rows, rowsPerBuffer) * 2 * rowBytes);
  for (size_t begin = 0; begin < rows; begin += rowsPerBuffer) {
    size_t end = std::min(rows, begin + rowsPerBuffer);
    std::byte *out = buffer.data();
    for (size_t row = begin; row < end; ++row) {
      std::memcpy(out, first.data() + row * rowBytes, rowBytes);
      std::memcpy(out + rowBytes, second.data() + row * rowBytes, rowBytes);
      out += 2 * rowBytes;
    }
    QUERN_RETURN_IF_ERROR(writer.append(
        std::span(buffer.data(), static_cast<size_t>(out - buffer.data()))));
  }
  return Status::ok();
}

Status packWeight(exec::WeightOp weight, const WeightSource &sources,
                  BundleWriter &writer) {
  std::vector<std::span<const std::byte>> parts;
  uint64_t total = 0;
  for (Attribute source : weight.getSources()) {
    StringRef name = cast<FlatSymbolRefAttr>(source).getValue();
    parts.push_back(sources(name));
    if (parts.back().empty())
      return internalError("weight '" + name.str() + "' has no bytes");
    total += parts.back().size();
  }
  RankedTensorType type = weight.getTensorType();
  uint64_t expected = exec::getSizeInBytes(type);
  if (total != expected)
    return internalError("weight '" + weight.getSymName().str() + "' has " +
                         std::to_string(total) + " bytes, expected " +
                         std::to_string(expected));
  if (weight.getPacking() == exec::Packing::Interleave) {
    if (parts.size() != 2 || parts[0].size() != parts[1].size())
      return internalError("weight '" + weight.getSymName().str() +
                           "' interleaves two sources of equal size");
    return interleaveRows(parts[0], parts[1], expected / type.getDimSize(0),
                          writer);
  }
  for (std::span<const std::byte> part : parts)
    QUERN_RETURN_IF_ERROR(writer.append(part));
  return Status::ok();
}

Status packConstant(exec::ConstantOp constant, BundleWriter &writer) {
  auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (!elements)
    return internalError("constant '" + constant.getSymName().str() +
                         "' is not dense");
  // A splat keeps one element only; write it as often as the shape says.
  ArrayRef<char> raw = elements.getRawData();
  int64_t copies = elements.isSplat() ? elements.getNumElements() : 1;
  for (int64_t i = 0; i < copies; ++i)
    QUERN_RETURN_IF_ERROR(
        writer.append(std::as_bytes(std::span(raw.data(), raw.size()))));
  return Status::ok();
}

} // namespace quern
