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

namespace {

/// Alternates rows of two sources of one format: a0, b0, a1, b1, ...
class InterleavedRows : public RowSource {
public:
  InterleavedRows(const RowSource &a, uint64_t firstOfA, const RowSource &b,
                  uint64_t firstOfB, uint64_t rowsOfEach)
      : RowSource(2 * rowsOfEach, a.getColumns(), a.getFormat()), a(a), b(b),
        firstOfA(firstOfA), firstOfB(firstOfB) {}

  Result<std::span<const std::byte>>
  read(uint64_t first, uint64_t count,
       std::vector<std::byte> &buffer) const override {
    uint64_t end = first + count;
    std::vector<std::byte> bufferOfA, bufferOfB;
    uint64_t beginA = (first + 1) / 2, beginB = first / 2;
    QUERN_ASSIGN_OR_RETURN(
        std::span<const std::byte> fromA,
        a.read(firstOfA + beginA, (end + 1) / 2 - beginA, bufferOfA));
    QUERN_ASSIGN_OR_RETURN(
        std::span<const std::byte> fromB,
        b.read(firstOfB + beginB, end / 2 - beginB, bufferOfB));
    buffer.resize(count * rowBytes());
    std::byte *out = buffer.data();
    for (uint64_t row = first; row != end; ++row, out += rowBytes()) {
      const std::byte *in = row % 2 == 0
                                ? &fromA[(row / 2 - beginA) * rowBytes()]
                                : &fromB[(row / 2 - beginB) * rowBytes()];
      std::memcpy(out, in, rowBytes());
    }
    return std::span<const std::byte>(buffer);
  }

private:
  const RowSource &a, &b;
  uint64_t firstOfA, firstOfB;
};

using Sources = std::vector<std::unique_ptr<RowSource>>;

} // namespace

/// Alternates the rows of each pair of sources, or of the halves of each matrix
/// of one source.
static Status packInterleaved(exec::WeightOp weight, const Sources &sources,
                              WeightSink &sink) {
  auto append = [&](const RowSource &a, uint64_t firstOfA, const RowSource &b,
                    uint64_t firstOfB, uint64_t rows) {
    InterleavedRows both(a, firstOfA, b, firstOfB, rows);
    return sink.append(both, 0, both.getRows());
  };
  if (sources.size() == 1) {
    const RowSource &whole = *sources.front();
    uint64_t half =
        whole.getRows() /
        (2 * static_cast<uint64_t>(weight.getTensorType().getDimSize(0)));
    for (uint64_t at = 0; at < whole.getRows(); at += 2 * half)
      QUERN_RETURN_IF_ERROR(append(whole, at, whole, at + half, half));
    return Status::ok();
  }
  for (size_t i = 0; i + 1 < sources.size(); i += 2) {
    const RowSource &a = *sources[i], &b = *sources[i + 1];
    if (a.getRows() != b.getRows() || a.getFormat() != b.getFormat())
      return unsupported("weight '" + weight.getSymName().str() +
                         "' interleaves tensors of different types or sizes");
    QUERN_RETURN_IF_ERROR(append(a, 0, b, 0, a.getRows()));
  }
  return Status::ok();
}

/// Appends all first parts of the groups of a source, then all second parts...
/// Parts count rows of the first dimension, of `rowsOfEach` rows.
static Status appendParts(const RowSource &source, ArrayRef<int64_t> parts,
                          uint64_t rowsOfEach, WeightSink &sink) {
  uint64_t groupRows = 0;
  for (int64_t part : parts)
    groupRows += static_cast<uint64_t>(part) * rowsOfEach;
  uint64_t begin = 0;
  for (int64_t part : parts) {
    uint64_t partRows = static_cast<uint64_t>(part) * rowsOfEach;
    for (uint64_t at = begin; at < source.getRows(); at += groupRows)
      QUERN_RETURN_IF_ERROR(sink.append(source, at, partRows));
    begin += partRows;
  }
  return Status::ok();
}

static DataType convertType(Type type) {
  return type.isF16()    ? DataType::F16
         : type.isBF16() ? DataType::BF16
                         : DataType::F32;
}

/// How the rows of the last dimension are stored.
static StoredRows describeRows(exec::WeightOp weight) {
  RankedTensorType type = weight.getTensorType();
  StoredRows stored;
  stored.columns = type.getShape().back();
  stored.rows = type.getNumElements() / stored.columns;
  stored.encoding = qwen::getEncoding(type.getElementType());
  stored.type = convertType(type.getElementType());
  return stored;
}

/// Opens the sources of a weight; checks that they have its rows.
static Result<Sources> openSources(exec::WeightOp weight,
                                   const WeightSource &open,
                                   const StoredRows &stored) {
  Sources sources;
  uint64_t rows = 0;
  for (Attribute source : weight.getSources()) {
    StringRef name = cast<FlatSymbolRefAttr>(source).getValue();
    QUERN_ASSIGN_OR_RETURN(std::unique_ptr<RowSource> opened,
                           open(name, stored.encoding));
    if (opened->getColumns() != stored.columns)
      return internalError("tensor '" + name.str() + "' has rows of " +
                           std::to_string(opened->getColumns()) +
                           " elements, expected " +
                           std::to_string(stored.columns));
    rows += opened->getRows();
    sources.push_back(std::move(opened));
  }
  if (rows != stored.rows)
    return internalError("weight '" + weight.getSymName().str() + "' has " +
                         std::to_string(rows) + " rows, expected " +
                         std::to_string(stored.rows));
  return sources;
}

/// Appends the sources to the sink in the order of the packing.
static Status packSources(exec::WeightOp weight, const Sources &sources,
                          WeightSink &sink) {
  RankedTensorType type = weight.getTensorType();
  if (weight.getPacking() == exec::Packing::Interleave)
    return packInterleaved(weight, sources, sink);
  auto rowsOfEach = static_cast<uint64_t>(
      type.getNumElements() / type.getShape().back() / type.getDimSize(0));
  for (auto [index, source] : llvm::enumerate(sources)) {
    ArrayRef<int64_t> order;
    if (weight.getParts())
      order = cast<DenseI64ArrayAttr>((*weight.getParts())[index]);
    QUERN_RETURN_IF_ERROR(order.empty()
                              ? sink.append(*source, 0, source->getRows())
                              : appendParts(*source, order, rowsOfEach, sink));
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
  StoredRows stored = describeRows(weight);
  QUERN_ASSIGN_OR_RETURN(Sources opened, openSources(weight, sources, stored));
  uint64_t rowBytes =
      stored.encoding == Encoding::None
          ? stored.columns * dataTypeBits(stored.type) / 8
          : EncodedMatrix(stored.encoding, stored.rows, stored.columns)
                .rowWordBytes();
  PanelSink panels(writer, static_cast<size_t>(weight.getPanels().value_or(0)),
                   rowBytes, stored.rows * rowBytes);
  WeightSink sink(stored, threads, panels);
  Status status = packSources(weight, opened, sink);
  if (status.isOk())
    status = sink.finish();
  if (!status.isOk())
    return std::move(status).withContext(
        "weight '" + weight.getSymName().str() + "' as " + getTypeName(stored));
  if (sink.hasConverted())
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
