//===- IntegerWeight.cpp - The codes of GPTQ and AWQ ----------------------===//
#include "frontend/HuggingFace/PackedWeight.h"
#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Numeric.h"

#include <algorithm>
#include <cstring>

using namespace quern;

/// Column of the eight of a word that AWQ has at each place, from the low bits.
static constexpr unsigned awqOrder[] = {0, 2, 4, 6, 1, 3, 5, 7};

/// Rows that are unpacked at a time: words of several rows stand side by side.
static constexpr uint64_t tileRows = 32;

static uint32_t readWord(const StoredTensor &tensor, uint64_t index) {
  uint32_t word;
  std::memcpy(&word, tensor.bytes.data() + index * sizeof(word), sizeof(word));
  return word;
}

namespace {

/// How the codes of a matrix [N, K] lie in words.
class CodeReader {
public:
  CodeReader(const StoredTensor &words, bool isAwq, unsigned bits, uint64_t n,
             uint64_t k)
      : words(words), isAwq(isAwq), bits(bits), perWord(32 / bits), n(n), k(k) {
  }

  /// The codes of rows [first, first + count), K for each row.
  void read(uint64_t first, uint64_t count, uint8_t *codes) const {
    isAwq ? readAcross(first, count, codes) : readAlong(first, count, codes);
  }

private:
  /// Words [K / perWord, N]: a word has consecutive inputs of one row.
  void readAlong(uint64_t first, uint64_t count, uint8_t *codes) const {
    uint32_t mask = (1u << bits) - 1;
    for (uint64_t at = 0; at != k / perWord; ++at)
      for (uint64_t row = 0; row != count; ++row) {
        uint32_t word = readWord(words, at * n + first + row);
        uint8_t *out = codes + row * k + at * perWord;
        for (unsigned i = 0; i != perWord; ++i)
          out[i] = static_cast<uint8_t>(word >> (i * bits) & mask);
      }
  }

  /// Words [K, N / 8]: a word has one input of eight rows.
  void readAcross(uint64_t first, uint64_t count, uint8_t *codes) const {
    for (uint64_t at = 0; at != k; ++at)
      for (uint64_t column = first / 8; column * 8 < first + count; ++column) {
        uint32_t word = readWord(words, at * (n / 8) + column);
        for (unsigned i = 0; i != 8; ++i) {
          uint64_t row = column * 8 + awqOrder[i];
          if (row >= first && row < first + count)
            codes[(row - first) * k + at] = word >> (4 * i) & 15;
        }
      }
  }

  const StoredTensor &words;
  bool isAwq;
  unsigned bits, perWord;
  uint64_t n, k;
};

class IntegerWeight : public PackedWeight {
public:
  explicit IntegerWeight(std::vector<StoredTensor> parts)
      : PackedWeight(std::move(parts), 0, 0) {}

  static Result<std::shared_ptr<const PackedWeight>> make(PackedParts &from);

  Status decodeRows(uint64_t first, uint64_t count,
                    float *values) const override;
  void encodeRows(uint64_t first, uint64_t count,
                  EncodedGroup *groups) const override;

private:
  Status readShape(PackedParts &from);
  Status checkFactors(const PackedParts &from);
  Status checkGroupIndex(const PackedParts &from);
  void chooseEncoding(const QuantizationConfig &config);
  /// Calls use(row, codes) for each row of the range.
  template <typename Use>
  void forEachRow(uint64_t first, uint64_t count, Use use) const;

  const StoredTensor &words() const { return parts[0]; }
  const StoredTensor &qzeros() const { return parts[1]; }
  const StoredTensor &scales() const { return parts[2]; }
  /// Zero point `index` of [groups, rows].
  unsigned readZero(uint64_t index) const;
  /// The group of an input.
  uint64_t readGroup(uint64_t input) const {
    return isPermuted ? readWord(parts[3], input) : input / groupSize;
  }

  bool isAwq = false, isPermuted = false, fitsF16 = true;
  unsigned bits = 4, zeroOffset = 0;
  uint64_t groupSize = 0, numGroups = 0;
};

} // namespace

unsigned IntegerWeight::readZero(uint64_t index) const {
  // Packed along the outputs by both methods.
  unsigned perWord = 32 / bits;
  auto place = static_cast<unsigned>(index % perWord);
  if (isAwq)
    place = static_cast<unsigned>(std::ranges::find(awqOrder, place) -
                                  std::begin(awqOrder));
  uint32_t word = readWord(qzeros(), index / perWord);
  return ((word >> (place * bits)) + zeroOffset) & ((1u << bits) - 1);
}

template <typename Use>
void IntegerWeight::forEachRow(uint64_t first, uint64_t count, Use use) const {
  CodeReader reader(words(), isAwq, bits, rows, columns);
  std::vector<uint8_t> codes(std::min(count, tileRows) * columns);
  for (uint64_t begin = 0; begin < count; begin += tileRows) {
    uint64_t step = std::min(tileRows, count - begin);
    reader.read(first + begin, step, codes.data());
    for (uint64_t row = 0; row != step; ++row)
      use(begin + row, &codes[row * columns]);
  }
}

Status IntegerWeight::decodeRows(uint64_t first, uint64_t count,
                                 float *values) const {
  std::vector<float> rowScales(numGroups);
  std::vector<int> rowZeros(numGroups);
  forEachRow(first, count, [&](uint64_t row, const uint8_t *codes) {
    for (uint64_t g = 0; g != numGroups; ++g) {
      rowScales[g] = readScale(scales(), g * rows + first + row);
      rowZeros[g] = static_cast<int>(readZero(g * rows + first + row));
    }
    for (uint64_t k = 0; k != columns; ++k) {
      uint64_t g = readGroup(k);
      values[row * columns + k] =
          rowScales[g] * static_cast<float>(codes[k] - rowZeros[g]);
    }
  });
  return Status::ok();
}

void IntegerWeight::encodeRows(uint64_t first, uint64_t count,
                               EncodedGroup *groups) const {
  const EncodingInfo &info = getEncodingInfo(encoding);
  uint64_t perRow = columns / kGroupSize;
  forEachRow(first, count, [&](uint64_t row, uint8_t *codes) {
    // Signed codes have no zero point: that of symmetric ones is taken away.
    if (info.isSigned())
      for (uint64_t k = 0; k != columns; ++k)
        codes[k] ^= 1u << (info.bits - 1);
    for (uint64_t g = 0; g != perRow; ++g) {
      uint64_t at = g * kGroupSize / groupSize * rows + first + row;
      EncodedGroup &group = groups[row * perRow + g];
      group = {};
      packCodes(info, codes + g * kGroupSize, group);
      group.factors[0] = floatToF16(readScale(scales(), at));
      if (info.hasZeroPoint)
        group.factors[1] = floatToF16(static_cast<float>(readZero(at)));
    }
  });
}

/// Derives N and K from qweight and checks that everything can be divided.
Status IntegerWeight::readShape(PackedParts &from) {
  const StoredTensor &tensor = words();
  auto perWord = static_cast<int64_t>(32 / bits);
  if (tensor.type != DataType::I32)
    return unsupported(from.describe(tensor) +
                       ": expected element type I32, found " +
                       std::string(dataTypeName(tensor.type)));
  if (tensor.shape.size() != 2)
    return corrupt(from.describe(tensor) + ": expected 2 dimensions, found " +
                   formatShape(tensor.shape));
  from.shape = {tensor.shape[1], tensor.shape[0]};
  std::optional<int64_t> unpacked =
      checkedMul(from.shape[isAwq ? 0 : 1], perWord);
  if (!unpacked || tensor.bytes.empty())
    return corrupt(from.describe(tensor) + ": no matrix has shape " +
                   formatShape(tensor.shape));
  from.shape[isAwq ? 0 : 1] = *unpacked;
  rows = static_cast<uint64_t>(from.shape[0]);
  columns = static_cast<uint64_t>(from.shape[1]);
  if (from.shape[0] % perWord != 0)
    return corrupt(from.describe(tensor) + ": has " + std::to_string(rows) +
                   " outputs, expected a multiple of " +
                   std::to_string(perWord));
  groupSize = from.config.groupSize
                  ? static_cast<uint64_t>(from.config.groupSize)
                  : columns;
  if (columns % groupSize != 0)
    return corrupt(from.describe(tensor) + ": group_size " +
                   std::to_string(groupSize) +
                   " of the config does not divide its " +
                   std::to_string(columns) + " inputs");
  numGroups = columns / groupSize;
  return Status::ok();
}

Status IntegerWeight::checkFactors(const PackedParts &from) {
  auto groups = static_cast<int64_t>(numGroups), n = static_cast<int64_t>(rows);
  QUERN_RETURN_IF_ERROR(checkScales(from, scales(), {groups, n}, 256));
  if (qzeros().type != DataType::I32)
    return unsupported(from.describe(qzeros()) +
                       ": expected element type I32, found " +
                       std::string(dataTypeName(qzeros().type)));
  QUERN_RETURN_IF_ERROR(
      checkShape(from, qzeros(), {groups, n / (32 / static_cast<int>(bits))}));
  for (uint64_t i = 0; i != numGroups * rows; ++i) {
    float scale = readScale(scales(), i);
    fitsF16 = fitsF16 && f16ToFloat(floatToF16(scale)) == scale;
    unsigned zero = readZero(i);
    if (from.config.isSymmetric && zero != 1u << (bits - 1))
      return corrupt(
          from.describe(qzeros()) + ": zero point " + std::to_string(zero) +
          " of group " + std::to_string(i / rows) + ", output " +
          std::to_string(i % rows) + ", but the config says sym, expected " +
          std::to_string(1u << (bits - 1)));
  }
  return Status::ok();
}

Status IntegerWeight::checkGroupIndex(const PackedParts &from) {
  if (!from.groupIndex) {
    if (from.config.hasActOrder)
      return corrupt(from.describe(words()) +
                     ": the config says desc_act, but g_idx is missing");
    return Status::ok();
  }
  const StoredTensor &tensor = *from.groupIndex;
  if (tensor.type != DataType::I32)
    return unsupported(from.describe(tensor) +
                       ": expected element type I32, found " +
                       std::string(dataTypeName(tensor.type)));
  QUERN_RETURN_IF_ERROR(
      checkShape(from, tensor, {static_cast<int64_t>(columns)}));
  for (uint64_t k = 0; k != columns; ++k) {
    auto group = static_cast<int32_t>(readWord(tensor, k));
    if (group < 0 || static_cast<uint64_t>(group) >= numGroups)
      return corrupt(from.describe(tensor) + ": input " + std::to_string(k) +
                     " is in group " + std::to_string(group) + " of " +
                     std::to_string(numGroups));
    isPermuted |= static_cast<uint64_t>(group) != k / groupSize;
  }
  if (isPermuted && !from.config.hasActOrder)
    return corrupt(from.describe(tensor) +
                   ": permutes the groups, but the config says no desc_act");
  return Status::ok();
}

/// An encoding for the same codes and scales.
void IntegerWeight::chooseEncoding(const QuantizationConfig &config) {
  if (isPermuted)
    reason = "g_idx permutes its groups";
  else if (groupSize % kGroupSize != 0)
    reason = "groups of " + std::to_string(groupSize) + " are no multiple of " +
             std::to_string(kGroupSize);
  else if (rows % kScaleRows != 0)
    reason = "its " + std::to_string(rows) + " outputs are no multiple of " +
             std::to_string(kScaleRows);
  else if (!fitsF16)
    reason = "f16 cannot hold its scales";
  else if (bits == 8 && !config.isSymmetric)
    reason = "8-bit codes have zero points";
  else
    encoding = bits == 8            ? Encoding::Int8
               : config.isSymmetric ? Encoding::Q4
                                    : Encoding::Q4ZeroPoint;
}

Result<std::shared_ptr<const PackedWeight>>
IntegerWeight::make(PackedParts &from) {
  std::string module = from.qweight->name;
  module.resize(module.size() - std::string_view("qweight").size());
  std::vector<StoredTensor> parts = {*from.qweight};
  const StoredTensor *factors[] = {from.qzeros, from.scales};
  for (size_t i = 0; i != 2; ++i) {
    if (!factors[i])
      return corrupt(from.describe(*from.qweight) + ": " +
                     quoteName(module + (i ? "scales" : "qzeros")) +
                     " is missing");
    parts.push_back(*factors[i]);
  }
  if (from.groupIndex)
    parts.push_back(*from.groupIndex);
  auto weight = std::make_shared<IntegerWeight>(std::move(parts));
  weight->isAwq = from.config.method == QuantMethod::Awq;
  weight->bits = from.config.bits;
  weight->zeroOffset = from.config.zeroOffset;
  QUERN_RETURN_IF_ERROR(weight->readShape(from));
  QUERN_RETURN_IF_ERROR(weight->checkFactors(from));
  QUERN_RETURN_IF_ERROR(weight->checkGroupIndex(from));
  weight->chooseEncoding(from.config);
  return std::shared_ptr<const PackedWeight>(std::move(weight));
}

Result<std::shared_ptr<const PackedWeight>>
quern::makeIntegerWeight(PackedParts &parts) {
  return IntegerWeight::make(parts);
}
