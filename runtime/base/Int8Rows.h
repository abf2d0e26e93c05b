//===- Int8Rows.h - Rows of int8 codes, each with a scale -------*- C++ -*-===//
//
// A tensor [..., rows, columns] of matrices. Each row has int8 codes and an f32
// scale: value = scale * code. The scale is the row's largest magnitude divided
// by 127, a code is the value times 127 / that magnitude, rounded to even; all
// are 0 in a row of zeros.
//
// A matrix is a block of its own: the codes of its rows, one byte each; then
// the scales of all of them; then what fills it up to kInt8RowUnit bytes. So
// codes and blocks can be read kInt8RowUnit bytes at a time, and a block of
// zero bytes is a matrix of zeros.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_INT8ROWS_H
#define QUERN_RUNTIME_BASE_INT8ROWS_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace quern {

/// Rows are a multiple of so many elements, blocks of so many bytes.
inline constexpr unsigned kInt8RowUnit = 16;

/// Sets the codes of a row, of which there are as many as values, and returns
/// its scale.
float encodeInt8Row(std::span<const float> values, std::span<int8_t> codes);

/// A row, in place, as the numbers that its codes stand for.
void roundToInt8Row(std::span<float> values);

class Int8Rows {
public:
  /// `columns` is a multiple of kInt8RowUnit.
  Int8Rows(uint64_t matrices, uint64_t rows, uint64_t columns)
      : matrices(matrices), rows(rows), columns(columns) {}

  /// Where in a block the scales begin.
  uint64_t scaleOffset() const { return rows * columns; }
  uint64_t blockBytes() const {
    uint64_t used = scaleOffset() + rows * sizeof(float);
    return (used + kInt8RowUnit - 1) / kInt8RowUnit * kInt8RowUnit;
  }
  uint64_t bytes() const { return matrices * blockBytes(); }

  /// The values of all rows. `encoded` has bytes() bytes.
  std::vector<float> decode(std::span<const std::byte> encoded) const;
  /// The encoded form of as many finite values.
  std::vector<std::byte> encode(std::span<const float> values) const;

private:
  uint64_t matrices, rows, columns;
};

/// Int8Rows::bytes of a tensor of unchecked size; nothing if the columns are no
/// multiple of kInt8RowUnit or the number does not fit.
std::optional<uint64_t> countInt8RowBytes(uint64_t matrices, uint64_t rows,
                                          uint64_t columns);

} // namespace quern

#endif // QUERN_RUNTIME_BASE_INT8ROWS_H
