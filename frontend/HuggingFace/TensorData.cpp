//===- TensorData.cpp - Elements of stored tensors ------------------------===//

#include "frontend/HuggingFace/TensorData.h"

#include "frontend/HuggingFace/PackedWeight.h"
#include "runtime/base/Allocation.h"
#include "runtime/base/Numeric.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace quern;

/// Element `index`, at any address.
template <typename T>
static T loadElement(std::span<const std::byte> bytes, uint64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

template <typename Stored, typename Convert>
static auto convertAll(const StoredTensor &tensor, Convert convert) {
  uint64_t count = tensor.bytes.size() / sizeof(Stored);
  std::vector<decltype(convert(Stored()))> values(count);
  for (uint64_t i = 0; i < count; ++i)
    values[i] = convert(loadElement<Stored>(tensor.bytes, i));
  return values;
}

static Result<std::vector<float>> decode(const PackedWeight &packed) {
  std::vector<float> values(packed.getRows() * packed.getColumns());
  QUERN_RETURN_IF_ERROR(packed.decodeRows(0, packed.getRows(), values.data()));
  return values;
}

static Result<std::vector<float>> convertToFloats(const StoredTensor &tensor) {
  if (tensor.packed)
    return decode(*tensor.packed);
  switch (tensor.type) {
  case DataType::F32:
    return convertAll<float>(tensor, [](float x) { return x; });
  case DataType::F64:
    return convertAll<double>(tensor,
                              [](double x) { return static_cast<float>(x); });
  case DataType::F16:
    return convertAll<uint16_t>(tensor, f16ToFloat);
  case DataType::BF16:
    return convertAll<uint16_t>(tensor, bf16ToFloat);
  default:
    return unsupported("cannot read elements of type " +
                       std::string(dataTypeName(tensor.type)) + " as floats");
  }
}

Result<std::vector<float>> quern::readFloats(const StoredTensor &tensor) {
  return guardAllocation("reading a tensor",
                         [&] { return convertToFloats(tensor); });
}

static Result<std::vector<int64_t>>
convertToIntegers(const StoredTensor &tensor) {
  auto widen = [](auto x) { return static_cast<int64_t>(x); };
  switch (tensor.type) {
  case DataType::I64:
    return convertAll<int64_t>(tensor, widen);
  case DataType::I32:
    return convertAll<int32_t>(tensor, widen);
  case DataType::U8:
    return convertAll<uint8_t>(tensor, widen);
  default:
    return unsupported("cannot read elements of type " +
                       std::string(dataTypeName(tensor.type)) + " as integers");
  }
}

Result<std::vector<int64_t>> quern::readIntegers(const StoredTensor &tensor) {
  return guardAllocation("reading a tensor",
                         [&] { return convertToIntegers(tensor); });
}

/// First element whose exponent bits are all set.
template <typename Bits>
static std::optional<uint64_t> findExponent(std::span<const std::byte> bytes,
                                            Bits mask) {
  uint64_t count = bytes.size() / sizeof(Bits);
  // Whole blocks without a branch per element: this reads every weight.
  constexpr uint64_t block = 1024;
  for (uint64_t begin = 0; begin < count; begin += block) {
    uint64_t end = std::min(begin + block, count);
    bool found = false;
    for (uint64_t i = begin; i < end; ++i)
      found |= (loadElement<Bits>(bytes, i) & mask) == mask;
    for (uint64_t i = begin; found && i < end; ++i)
      if ((loadElement<Bits>(bytes, i) & mask) == mask)
        return i;
  }
  return std::nullopt;
}

std::optional<uint64_t> quern::findNonFinite(const StoredTensor &tensor) {
  // Codes alone can be NaN: scales are checked when a checkpoint is opened.
  if (tensor.packed)
    return findNonFinite(tensor.packed->getParts().front());
  switch (tensor.type) {
  case DataType::F32:
    return findExponent<uint32_t>(tensor.bytes, 0x7F800000u);
  case DataType::F64:
    return findExponent<uint64_t>(tensor.bytes, 0x7FF0000000000000u);
  case DataType::F16:
    return findExponent<uint16_t>(tensor.bytes, 0x7C00u);
  case DataType::BF16:
    return findExponent<uint16_t>(tensor.bytes, 0x7F80u);
  case DataType::F8E4M3:
    return findExponent<uint8_t>(tensor.bytes, 0x7Fu);
  default:
    return std::nullopt;
  }
}

Status quern::checkFiniteWeights(const Checkpoint &checkpoint) {
  for (const auto &[name, tensor] : checkpoint.getTensors())
    if (std::optional<uint64_t> index = findNonFinite(tensor)) {
      uint64_t width = tensor.packed ? 1 : dataTypeBits(tensor.type) / 8;
      return corrupt(checkpoint.describe(tensor) + ": element " +
                     std::to_string(*index) + " at byte " +
                     std::to_string(tensor.offset + *index * width) +
                     " is not finite");
    }
  return Status::ok();
}
