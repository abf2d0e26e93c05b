//===- Int8Rows.cpp - Rows of int8 codes, each with a scale ---------------===//

#include "runtime/base/Int8Rows.h"

#include "runtime/base/CheckedMath.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace quern;

float quern::encodeInt8Row(std::span<const float> values,
                           std::span<int8_t> codes) {
  float largest = 0;
  for (float value : values)
    largest = std::max(largest, std::fabs(value));
  float inverse = largest > 0 ? 127 / largest : 0;
  for (size_t i = 0; i != values.size(); ++i)
    codes[i] = static_cast<int8_t>(std::nearbyint(values[i] * inverse));
  return largest / 127;
}

void quern::roundToInt8Row(std::span<float> values) {
  std::vector<int8_t> codes(values.size());
  float scale = encodeInt8Row(values, codes);
  for (size_t i = 0; i != values.size(); ++i)
    values[i] = scale * static_cast<float>(codes[i]);
}

std::vector<float> Int8Rows::decode(std::span<const std::byte> encoded) const {
  std::vector<float> values(matrices * rows * columns);
  std::vector<int8_t> codes(columns);
  for (uint64_t row = 0; row != matrices * rows; ++row) {
    const std::byte *block = encoded.data() + row / rows * blockBytes();
    float scale;
    std::memcpy(&scale, block + scaleOffset() + row % rows * sizeof(float),
                sizeof(float));
    std::memcpy(codes.data(), block + row % rows * columns, columns);
    for (uint64_t i = 0; i != columns; ++i)
      values[row * columns + i] = scale * static_cast<float>(codes[i]);
  }
  return values;
}

std::vector<std::byte> Int8Rows::encode(std::span<const float> values) const {
  std::vector<std::byte> encoded(bytes());
  std::vector<int8_t> codes(columns);
  for (uint64_t row = 0; row != matrices * rows; ++row) {
    std::byte *block = encoded.data() + row / rows * blockBytes();
    float scale = encodeInt8Row(values.subspan(row * columns, columns), codes);
    std::memcpy(block + row % rows * columns, codes.data(), columns);
    std::memcpy(block + scaleOffset() + row % rows * sizeof(float), &scale,
                sizeof(float));
  }
  return encoded;
}

std::optional<uint64_t>
quern::countInt8RowBytes(uint64_t matrices, uint64_t rows, uint64_t columns) {
  if (columns % kInt8RowUnit != 0)
    return std::nullopt;
  // A scale takes fewer bytes than the least row, so does what fills a block.
  std::optional<uint64_t> bytes =
      checkedAdd<uint64_t>(columns, 2 * kInt8RowUnit);
  for (uint64_t factor : {rows, matrices})
    if (bytes)
      bytes = checkedMul<uint64_t>(*bytes, factor);
  if (!bytes)
    return std::nullopt;
  return Int8Rows(matrices, rows, columns).bytes();
}
