//===- CheckedMath.h - Arithmetic on untrusted numbers -----------*- C++
//-*-===//
//
// Every number that comes from a file passes through these before it becomes a
// size, an offset or an index.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_CHECKEDMATH_H
#define QUERN_RUNTIME_BASE_CHECKEDMATH_H

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace quern {

/// a + b, or nothing if the sum does not fit T.
template <std::integral T>
constexpr std::optional<T> checkedAdd(T a, std::type_identity_t<T> b) {
  T result{};
  if (__builtin_add_overflow(a, b, &result))
    return std::nullopt;
  return result;
}

/// a * b, or nothing if the product does not fit T.
template <std::integral T>
constexpr std::optional<T> checkedMul(T a, std::type_identity_t<T> b) {
  T result{};
  if (__builtin_mul_overflow(a, b, &result))
    return std::nullopt;
  return result;
}

/// The smallest multiple of `alignment` that is at least `value`, or nothing
/// if it does not fit or `alignment` is not a power of two.
template <std::unsigned_integral T>
constexpr std::optional<T> checkedAlign(T value,
                                        std::type_identity_t<T> alignment) {
  if (alignment == 0 || (alignment & (alignment - 1)) != 0)
    return std::nullopt;
  std::optional<T> bumped = checkedAdd<T>(value, alignment - 1);
  if (!bumped)
    return std::nullopt;
  return static_cast<T>(*bumped & ~static_cast<T>(alignment - 1));
}

/// The product of all dimensions (1 for a scalar), or nothing if it does not
/// fit, even when a later dimension is zero.
template <std::integral T>
constexpr std::optional<T> checkedProduct(std::span<const T> dims) {
  T product = 1;
  for (T dim : dims) {
    std::optional<T> next = checkedMul<T>(product, dim);
    if (!next)
      return std::nullopt;
    product = *next;
  }
  return product;
}

/// value as a To, or nothing if To cannot represent it.
template <std::integral To, std::integral From>
constexpr std::optional<To> checkedCast(From value) {
  if (!std::in_range<To>(value))
    return std::nullopt;
  return static_cast<To>(value);
}

/// Whether [offset, offset + length) lies within [0, size): by subtraction, so
/// that nothing can wrap.
constexpr bool rangeInside(uint64_t offset, uint64_t length, uint64_t size) {
  return offset <= size && length <= size - offset;
}

} // namespace quern

#endif // QUERN_RUNTIME_BASE_CHECKEDMATH_H
