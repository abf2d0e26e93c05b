//===- WeightPacker.cpp - Streams weights in their packed order -----------===//
#include "codegen/Bundle/WeightPacker.h"

#include "codegen/Bundle/PanelSink.h"
#include "codegen/Bundle/WeightSink.h"
#include "dialects/Qwen/IR/QwenOps.h"

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
                             WeightSink &sink) {
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
                              size_t rowBytes, WeightSink &sink) {
  RankedTensorType type = weight.getTensorType();
  if (parts.size() == 1) {
    std::span<const std::byte> whole = parts.front();
    size_t half = whole.size() / (2 * type.getDimSize(0));
    parts.clear();
    for (size_t begin = 0; begin < whole.size(); begin += half)
      parts.push_back(whole.subspan(begin, half));
  }
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
                          WeightSink &sink) {
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

static DataType convertType(Type type) {
  return type.isF16()    ? DataType::F16
         : type.isBF16() ? DataType::BF16
                         : DataType::F32;
}

/// How the rows of the last dimension are stored. The sources of a weight have
/// one element type.
static Result<StoredRows> describeRows(exec::WeightOp weight) {
  RankedTensorType type = weight.getTensorType();
  StoredRows stored;
  stored.columns = type.getShape().back();
  stored.rows = type.getNumElements() / stored.columns;
  stored.encoding = qwen::getEncoding(type.getElementType());
  stored.type = convertType(type.getElementType());
  Type element;
  for (auto name : weight.getSources().getAsRange<FlatSymbolRefAttr>()) {
    auto source = SymbolTable::lookupNearestSymbolFrom<qwen::WeightOp>(
        weight, name.getAttr());
    if (!source ||
        (element && source.getTensorType().getElementType() != element))
      return unsupported("weight '" + weight.getSymName().str() +
                         "' is packed from tensors of different types");
    element = source.getTensorType().getElementType();
  }
  stored.source = convertType(element);
  return stored;
}

/// Appends the sources to the sink in the order of the packing.
static Status packSources(exec::WeightOp weight,
                          const std::vector<std::span<const std::byte>> &parts,
                          size_t columnBytes, WeightSink &sink) {
  RankedTensorType type = weight.getTensorType();
  if (weight.getPacking() == exec::Packing::Interleave)
    return packInterleaved(weight, parts, columnBytes, sink);
  size_t rowBytes = columnBytes * (type.getNumElements() /
                                   type.getShape().back() / type.getDimSize(0));
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

static std::string getTypeName(const StoredRows &stored) {
  if (stored.encoding != Encoding::None)
    return std::string(getEncodingInfo(stored.encoding).name);
  return StringRef(dataTypeName(stored.type)).lower();
}

Status packWeight(exec::WeightOp weight, const WeightSource &sources,
                  unsigned threads, BundleWriter &writer,
                  std::vector<WeightQuality> &converted) {
  std::vector<std::span<const std::byte>> parts;
  uint64_t total = 0;
  for (Attribute source : weight.getSources()) {
    StringRef name = cast<FlatSymbolRefAttr>(source).getValue();
    parts.push_back(sources(name));
    if (parts.back().empty())
      return internalError("weight '" + name.str() + "' has no bytes");
    total += parts.back().size();
  }
  QUERN_ASSIGN_OR_RETURN(StoredRows stored, describeRows(weight));
  uint64_t columnBytes = stored.columns * dataTypeBits(stored.source) / 8;
  if (total != stored.rows * columnBytes)
    return internalError("weight '" + weight.getSymName().str() + "' has " +
                         std::to_string(total) + " bytes, expected " +
                         std::to_string(stored.rows * columnBytes));
  uint64_t rowBytes =
      stored.encoding == Encoding::None
          ? stored.columns * dataTypeBits(stored.type) / 8
          : EncodedMatrix(stored.encoding, stored.rows, stored.columns)
                .rowWordBytes();
  PanelSink panels(writer, static_cast<size_t>(weight.getPanels().value_or(0)),
                   rowBytes, stored.rows * rowBytes);
  WeightSink sink(stored, threads, panels);
  Status status = packSources(weight, parts, columnBytes, sink);
  if (status.isOk())
    status = sink.finish();
  if (!status.isOk())
    return std::move(status).withContext(
        "weight '" + weight.getSymName().str() + "' as " + getTypeName(stored));
  if (sink.converts())
    converted.push_back(
        {weight.getSymName().str(), getTypeName(stored),
         stored.rows * stored.columns,
         static_cast<uint64_t>(exec::getSizeInBytes(weight.getTensorType())),
         sink.getSignal(), sink.getSquaredError()});
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
