//===- WeightPacker.cpp - Streams weights in their packed order -----------===//
#include "codegen/Bundle/WeightPacker.h"

#include "codegen/Bundle/PanelSink.h"

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
                             PanelSink &sink) {
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
    QUERN_RETURN_IF_ERROR(sink.append(
        std::span(buffer.data(), static_cast<size_t>(out - buffer.data()))));
  }
  return Status::ok();
}

/// Alternates the rows of each pair of sources, or of the halves of each matrix
/// of one source.
static Status packInterleaved(exec::WeightOp weight,
                              std::vector<std::span<const std::byte>> parts,
                              PanelSink &sink) {
  RankedTensorType type = weight.getTensorType();
  if (parts.size() == 1) {
    std::span<const std::byte> whole = parts.front();
    size_t half = whole.size() / (2 * type.getDimSize(0));
    parts.clear();
    for (size_t begin = 0; begin < whole.size(); begin += half)
      parts.push_back(whole.subspan(begin, half));
  }
  size_t rowBytes = exec::getSizeInBytes(type) /
                    (type.getNumElements() / type.getShape().back());
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    if (parts[i].size() != parts[i + 1].size())
      return internalError("weight '" + weight.getSymName().str() +
                           "' interleaves sources of equal size");
    QUERN_RETURN_IF_ERROR(
        interleaveRows(parts[i], parts[i + 1], rowBytes, sink));
  }
  return Status::ok();
}

/// Appends all first parts of the groups of a source, then all second parts...
static Status appendParts(std::span<const std::byte> source,
                          ArrayRef<int64_t> parts, size_t rowBytes,
                          PanelSink &sink) {
  size_t groupBytes = 0;
  for (int64_t part : parts)
    groupBytes += part * rowBytes;
  size_t begin = 0;
  for (int64_t part : parts) {
    size_t partBytes = part * rowBytes;
    for (size_t at = begin; at < source.size(); at += groupBytes)
      QUERN_RETURN_IF_ERROR(sink.append(source.subspan(at, partBytes)));
    begin += partBytes;
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
  size_t panels = static_cast<size_t>(weight.getPanels().value_or(0));
  size_t columnBytes =
      expected / static_cast<size_t>(type.getNumElements()) *
      static_cast<size_t>(type.getShape().empty() ? 1 : type.getShape().back());
  PanelSink sink(writer, panels, columnBytes);
  if (weight.getPacking() == exec::Packing::Interleave)
    return packInterleaved(weight, parts, sink);
  size_t rowBytes = expected / type.getDimSize(0);
  for (auto [index, source] : llvm::enumerate(parts)) {
    ArrayRef<int64_t> order;
    if (weight.getParts())
      order = cast<DenseI64ArrayAttr>((*weight.getParts())[index]);
    QUERN_RETURN_IF_ERROR(order.empty()
                              ? sink.append(source)
                              : appendParts(source, order, rowBytes, sink));
  }
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
