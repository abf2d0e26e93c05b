//===- Numeric.h - Conversions of 16- and 8-bit floats ----------*- C++ -*-===//
//
// bfloat16 and IEEE binary16 from and to float, to nearest with ties to even;
// float8_e4m3fn to float, exactly.
// NaNs stay NaNs (quiet), overflow gives infinity, subnormals are exact.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_NUMERIC_H
#define QUERN_RUNTIME_BASE_NUMERIC_H

#include "runtime/base/DataType.h"

#include <bit>
#include <cstdint>

namespace quern {

constexpr float bf16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

constexpr uint16_t floatToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000)
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

constexpr float f16ToFloat(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t exponent = (bits >> 10) & 31;
  uint32_t fraction = bits & 0x3FF;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7F800000 | (fraction << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) |
                                (fraction << 13));
  float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

constexpr uint16_t floatToF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t sign = (bits >> 16) & 0x8000;
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000)
    return static_cast<uint16_t>(sign | 0x7E00 | ((magnitude >> 13) & 0x1FF));
  if (magnitude >= 0x47800000) // 65536 and above
    return static_cast<uint16_t>(sign | 0x7C00);
  if (magnitude < 0x38800000) {
    // Below 2^-14: a multiple of 2^-24. Adding 2^23 rounds to an integer.
    float scaled = std::bit_cast<float>(magnitude) * 0x1p24f + 0x1p23f;
    return static_cast<uint16_t>(sign |
                                 (std::bit_cast<uint32_t>(scaled) & 0x7FFFFF));
  }
  uint32_t rounded = magnitude + 0xFFF + ((magnitude >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (112 << 10)));
}

/// Largest number of float8_e4m3fn, which has no infinities.
inline constexpr float kMaxF8E4M3 = 448;

constexpr bool isF8E4M3Nan(uint8_t bits) { return (bits & 0x7F) == 0x7F; }

/// A float8_e4m3fn that is not NaN.
constexpr float f8E4M3ToFloat(uint8_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x80) << 24;
  uint32_t magnitude = bits & 0x7F;
  if (magnitude >= 8)
    return std::bit_cast<float>(sign | ((magnitude + (120 << 3)) << 20));
  float subnormal = static_cast<float>(magnitude) * 0x1p-9f;
  return sign ? -subnormal : subnormal;
}

/// `value` rounded to F16 or BF16; unchanged for every other type.
constexpr float roundTo(DataType type, float value) {
  if (type == DataType::BF16)
    return bf16ToFloat(floatToBf16(value));
  if (type == DataType::F16)
    return f16ToFloat(floatToF16(value));
  return value;
}

} // namespace quern

#endif // QUERN_RUNTIME_BASE_NUMERIC_H
