//===- Fp8Weight.cpp - Blocks of float8_e4m3fn ----------------------------===//
#include "frontend/HuggingFace/PackedWeight.h"
#include "frontend/HuggingFace/TensorData.h"
#include "runtime/base/Numeric.h"

using namespace quern;

namespace {

class Fp8Weight : public PackedWeight {
public:
  Fp8Weight(const PackedParts &from, std::vector<StoredTensor> parts,
            uint64_t rows, uint64_t columns, std::vector<float> scales)
      : PackedWeight(std::move(parts), rows, columns),
        place(from.describe(*from.weight)), scales(std::move(scales)),
        blockRows(static_cast<uint64_t>(from.config.blockRows)),
        blockColumns(static_cast<uint64_t>(from.config.blockColumns)),
        matrixRows(static_cast<uint64_t>(*(from.shape.end() - 2))) {}

  Status decodeRows(uint64_t first, uint64_t count,
                    float *values) const override;

private:
  std::string place;
  std::vector<float> scales;
  uint64_t blockRows, blockColumns, matrixRows;
};

} // namespace

Status Fp8Weight::decodeRows(uint64_t first, uint64_t count,
                             float *values) const {
  const StoredTensor &weight = parts.front();
  uint64_t scaleColumns = (columns + blockColumns - 1) / blockColumns;
  uint64_t scaleRows = (matrixRows + blockRows - 1) / blockRows;
  for (uint64_t row = first; row != first + count; ++row) {
    const std::byte *codes = weight.bytes.data() + row * columns;
    const float *rowScales =
        &scales[(row / matrixRows * scaleRows + row % matrixRows / blockRows) *
                scaleColumns];
    for (uint64_t i = 0; i != columns; ++i, ++values) {
      auto code = static_cast<uint8_t>(codes[i]);
      if (isF8E4M3Nan(code))
        return corrupt(place + ": element " +
                       std::to_string(row * columns + i) + " at byte " +
                       std::to_string(weight.offset + row * columns + i) +
                       " is not a number");
      *values = f8E4M3ToFloat(code) * rowScales[i / blockColumns];
    }
  }
  return Status::ok();
}

Result<std::shared_ptr<const PackedWeight>>
quern::makeFp8Weight(PackedParts &parts) {
  const StoredTensor &weight = *parts.weight;
  if (weight.type != DataType::F8E4M3)
    return unsupported(
        parts.describe(weight) + ": has scales, but its element type is " +
        std::string(dataTypeName(weight.type)) + ", expected F8_E4M3");
  size_t rank = weight.shape.size();
  if (rank != 2 && rank != 3)
    return unsupported(parts.describe(weight) +
                       ": expected 2 or 3 dimensions, found " +
                       formatShape(weight.shape));
  parts.shape = weight.shape;
  std::vector<int64_t> scaleShape = weight.shape;
  int64_t blocks[] = {parts.config.blockRows, parts.config.blockColumns};
  for (size_t i = 0; i != 2; ++i) {
    // Sizes of a tensor with bytes are far from overflow, but may be 0.
    int64_t &size = scaleShape[rank - 2 + i];
    if (size == 0)
      return corrupt(parts.describe(weight) + ": has no elements");
    size = (size - 1) / blocks[i] + 1;
  }
  QUERN_RETURN_IF_ERROR(
      checkScales(parts, *parts.scales, scaleShape, kMaxF8E4M3));
  QUERN_ASSIGN_OR_RETURN(std::vector<float> scales, readFloats(*parts.scales));
  auto columns = static_cast<uint64_t>(weight.shape.back());
  return std::shared_ptr<const PackedWeight>(std::make_shared<Fp8Weight>(
      parts, std::vector<StoredTensor>{weight, *parts.scales},
      weight.bytes.size() / columns, columns, std::move(scales)));
}
