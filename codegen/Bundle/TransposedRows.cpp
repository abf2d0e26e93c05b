//===- TransposedRows.cpp - Rows of matrices stored by columns ------------===//
#include "codegen/Bundle/TransposedRows.h"

#include <algorithm>
#include <cassert>
#include <cstring>

using namespace quern;

/// Columns that are taken side by side: as many lines of the cache stay in use
/// while the rows go by.
static constexpr uint64_t kColumnBlock = 32;

TransposedRows::TransposedRows(std::unique_ptr<RowSource> stored,
                               uint64_t columns)
    : RowSource(stored->getRows() / columns * stored->getColumns(), columns,
                stored->getFormat()),
      source(std::move(stored)) {
  assert(source->getRows() % columns == 0 &&
         source->getFormat().encoding == Encoding::None);
}

/// out[r][c] = in[c][first + r] for `count` rows of a matrix; the matrix that
/// is read has rows of `stride` elements.
template <size_t width>
static void turn(const std::byte *in, uint64_t stride, uint64_t first,
                 uint64_t count, uint64_t columns, std::byte *out) {
  for (uint64_t begin = 0; begin < columns; begin += kColumnBlock) {
    uint64_t end = std::min(begin + kColumnBlock, columns);
    for (uint64_t r = 0; r != count; ++r)
      for (uint64_t c = begin; c != end; ++c)
        std::memcpy(out + (r * columns + c) * width,
                    in + (c * stride + first + r) * width, width);
  }
}

Result<std::span<const std::byte>>
TransposedRows::read(uint64_t first, uint64_t count,
                     std::vector<std::byte> &buffer) const {
  const uint64_t columns = getColumns(), rowsOfEach = source->getColumns();
  buffer.resize(count * rowBytes());
  std::vector<std::byte> scratch;
  for (uint64_t row = first, end = first + count; row != end;) {
    uint64_t matrix = row / rowsOfEach, inMatrix = row % rowsOfEach;
    uint64_t rows = std::min(end - row, rowsOfEach - inMatrix);
    QUERN_ASSIGN_OR_RETURN(std::span<const std::byte> stored,
                           source->read(matrix * columns, columns, scratch));
    std::byte *out = buffer.data() + (row - first) * rowBytes();
    if (dataTypeBits(getFormat().type) == 32)
      turn<4>(stored.data(), rowsOfEach, inMatrix, rows, columns, out);
    else
      turn<2>(stored.data(), rowsOfEach, inMatrix, rows, columns, out);
    row += rows;
  }
  return std::span<const std::byte>(buffer);
}
