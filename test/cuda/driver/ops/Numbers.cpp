//===- Numbers.cpp - Arithmetic of PTX's number formats -------------------===//

#include "test/cuda/driver/ops/Numbers.h"

#include <algorithm>

uint32_t quern::ptx::roundTo(double value, unsigned exponentBits,
                             unsigned mantissaBits, Rounding mode) {
  uint32_t nan = (1U << (exponentBits + mantissaBits)) - 1;
  uint32_t infinity = ((1U << exponentBits) - 1) << mantissaBits;
  if (value != value)
    return nan;
  bool negative = std::signbit(value);
  uint32_t sign = uint32_t(negative) << (exponentBits + mantissaBits);
  double magnitude = std::fabs(value);
  if (magnitude == 0)
    return sign;
  if (std::isinf(magnitude))
    return sign | infinity;
  int minExponent = 2 - (1 << (exponentBits - 1));
  int exponent = std::max(std::ilogb(magnitude), minExponent);
  // In units of the last place; exact, since double has more bits.
  double scaled =
      std::ldexp(magnitude, static_cast<int>(mantissaBits) - exponent);
  auto whole = static_cast<uint64_t>(scaled);
  double rest = scaled - static_cast<double>(whole);
  bool up = (mode == Rounding::Nearest &&
             (rest > 0.5 || (rest == 0.5 && (whole & 1)))) ||
            (mode == Rounding::Down && negative && rest > 0) ||
            (mode == Rounding::Up && !negative && rest > 0);
  // A carry out of the mantissa is a carry into the exponent.
  uint64_t bits =
      (static_cast<uint64_t>(exponent - minExponent) << mantissaBits) + whole +
      up;
  if (bits < infinity)
    return sign | static_cast<uint32_t>(bits);
  bool toInfinity = mode == Rounding::Nearest ||
                    (mode == Rounding::Down && negative) ||
                    (mode == Rounding::Up && !negative);
  return sign | (toInfinity ? infinity : infinity - 1);
}

float quern::ptx::fromF16Bits(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000U | mantissa << 13);
  if (exponent != 0)
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

/// Moves an even last bit to the odd neighbour on the side of the error.
static double makeOdd(double sum, double error) {
  if (error == 0 || !std::isfinite(sum))
    return sum;
  auto bits = std::bit_cast<uint64_t>(sum);
  if (bits & 1)
    return sum;
  bool outward = (error > 0) == (sum > 0);
  return std::bit_cast<double>(outward ? bits + 1 : bits - 1);
}

double quern::ptx::addToOdd(double a, double b) {
  double sum = a + b;
  double part = sum - a;
  double error = (a - (sum - part)) + (b - part);
  return makeOdd(sum, error);
}

double quern::ptx::divideToOdd(float a, float b) {
  double quotient = double(a) / double(b);
  if (!std::isfinite(quotient) || quotient == 0)
    return quotient;
  double rest = std::fma(-quotient, double(b), double(a));
  return makeOdd(quotient, std::signbit(b) ? -rest : rest);
}

double quern::ptx::sqrtToOdd(float a) {
  double root = std::sqrt(double(a));
  if (!(root > 0) || std::isinf(root))
    return root;
  return makeOdd(root, std::fma(-root, root, double(a)));
}
