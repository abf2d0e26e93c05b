//===- Numbers.h - Arithmetic of PTX's formats ------------------*- C++ -*-===//
//
// Results are computed without or with one more rounding than the format has:
// sums in double are rounded to odd, so that the rounding to the format, in
// any direction, is that of the exact value.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_OPS_NUMBERS_H
#define QUERN_TEST_CUDA_DRIVER_OPS_NUMBERS_H

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace quern::ptx {

enum class Rounding : uint8_t { Nearest, Zero, Down, Up };

/// The bits of `value` in a format of one sign bit, `exponentBits` and
/// `mantissaBits`. A NaN becomes the positive one with all bits set, as PTX
/// has it.
uint32_t roundTo(double value, unsigned exponentBits, unsigned mantissaBits,
                 Rounding mode);

inline uint32_t toF32Bits(double value, Rounding mode = Rounding::Nearest) {
  if (mode == Rounding::Nearest && value == value)
    return std::bit_cast<uint32_t>(static_cast<float>(value));
  return roundTo(value, 8, 23, mode);
}
inline uint16_t toF16Bits(double value, Rounding mode = Rounding::Nearest) {
  return static_cast<uint16_t>(roundTo(value, 5, 10, mode));
}
inline uint16_t toBF16Bits(double value, Rounding mode = Rounding::Nearest) {
  return static_cast<uint16_t>(roundTo(value, 8, 7, mode));
}

float fromF16Bits(uint16_t bits);
inline float fromBF16Bits(uint16_t bits) {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

/// Of any number of an instruction; whole numbers are none.
template <typename T> bool isNaN(T value) {
  if constexpr (std::is_integral_v<T>)
    return false;
  else
    return std::isnan(static_cast<double>(value));
}

/// a + b, exact or with an odd last bit.
double addToOdd(double a, double b);
/// a / b and sqrt(a) of floats, exact or with an odd last bit.
double divideToOdd(float a, float b);
double sqrtToOdd(float a);

inline float canonical(float value) {
  return value == value ? value : std::bit_cast<float>(0x7fffffffU);
}
/// Subnormal numbers to zeros of their sign.
inline float flush(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_OPS_NUMBERS_H
