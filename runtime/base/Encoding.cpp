//===- Encoding.cpp - Encodings of quantised weights ----------------------===//

#include "runtime/base/Encoding.h"

#include "runtime/base/CheckedMath.h"
#include "runtime/base/Numeric.h"

#include <cstring>

using namespace quern;

static constexpr EncodingInfo encodings[] = {
#define QUERN_ENCODING(name, spelling, bits, zero, hasMinimum, hasZeroPoint)   \
  {Encoding::name, spelling, bits, zero, hasMinimum, hasZeroPoint},
#include "runtime/base/Encodings.inc"
};

std::span<const EncodingInfo> quern::getEncodings() { return encodings; }

const EncodingInfo &quern::getEncodingInfo(Encoding encoding) {
  return encodings[static_cast<unsigned>(encoding) - 1];
}

const EncodingInfo *quern::findEncoding(std::string_view name) {
  for (const EncodingInfo &info : encodings)
    if (info.name == name)
      return &info;
  return nullptr;
}

void quern::decodeGroup(const EncodingInfo &info, const EncodedGroup &group,
                        float *values) {
  float scale = f16ToFloat(group.factors[0]);
  float minimum = info.hasMinimum ? f16ToFloat(group.factors[1]) : 0;
  if (info.hasZeroPoint)
    minimum = -(scale * minimum);
  uint32_t mask = (1u << info.bits) - 1;
  unsigned perFour = 4 * info.codesPerWord();
  for (unsigned i = 0; i != kGroupSize; ++i) {
    unsigned word = i / perFour * 4 + i % 4, at = i % perFour / 4;
    int code = static_cast<int>(group.words[word] >> (at * info.bits) & mask);
    if (code > info.highestCode())
      code -= 1 << info.bits;
    values[i] = info.hasMinimum ? scale * static_cast<float>(code) + minimum
                                : scale * static_cast<float>(code - info.zero);
  }
}

std::optional<uint64_t>
quern::countEncodedBytes(Encoding encoding, uint64_t rows, uint64_t columns) {
  if (encoding == Encoding::None || columns % kGroupSize != 0)
    return std::nullopt;
  // Factors fill up at most kScaleRows - 1 rows; no group has 64 bytes.
  std::optional<uint64_t> padded = checkedAdd<uint64_t>(rows, kScaleRows);
  std::optional<uint64_t> groups =
      padded ? checkedMul<uint64_t>(*padded, columns / kGroupSize)
             : std::nullopt;
  if (!groups || !checkedMul<uint64_t>(*groups, 64))
    return std::nullopt;
  return EncodedMatrix(encoding, rows, columns).bytes();
}

std::vector<float>
EncodedMatrix::decode(std::span<const std::byte> encoded) const {
  std::vector<float> values(rows * groups * kGroupSize);
  const std::byte *factors = encoded.data() + wordBytes();
  size_t words = info.wordsPerGroup() * sizeof(uint32_t);
  for (uint64_t row = 0; row != rows; ++row)
    for (uint64_t g = 0; g != groups; ++g) {
      EncodedGroup group;
      uint64_t index = row * groups + g;
      std::memcpy(group.words, encoded.data() + index * words, words);
      for (unsigned f = 0; f != info.factorsPerGroup(); ++f)
        std::memcpy(&group.factors[f], factors + 2 * factorIndex(row, g, f), 2);
      decodeGroup(info, group, &values[index * kGroupSize]);
    }
  return values;
}

std::vector<std::byte>
EncodedMatrix::encode(std::span<const float> values) const {
  std::vector<std::byte> encoded(bytes());
  std::byte *factors = encoded.data() + wordBytes();
  size_t words = info.wordsPerGroup() * sizeof(uint32_t);
  for (uint64_t row = 0; row != rows; ++row)
    for (uint64_t g = 0; g != groups; ++g) {
      uint64_t index = row * groups + g;
      EncodedGroup group = encodeGroup(info, &values[index * kGroupSize]);
      std::memcpy(encoded.data() + index * words, group.words, words);
      for (unsigned f = 0; f != info.factorsPerGroup(); ++f)
        std::memcpy(factors + 2 * factorIndex(row, g, f), &group.factors[f], 2);
    }
  return encoded;
}
