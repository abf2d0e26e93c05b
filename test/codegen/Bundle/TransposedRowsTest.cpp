//===- TransposedRowsTest.cpp - Rows of matrices stored by columns --------===//
#include "codegen/Bundle/TransposedRows.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

using namespace quern;

namespace {

/// Rows that are made when they are read, as those of packed weights.
class CopiedRows final : public MappedRows {
public:
  using MappedRows::MappedRows;
  Result<std::span<const std::byte>>
  read(uint64_t first, uint64_t count,
       std::vector<std::byte> &buffer) const override {
    QUERN_ASSIGN_OR_RETURN(std::span<const std::byte> bytes,
                           MappedRows::read(first, count, buffer));
    buffer.assign(bytes.begin(), bytes.end());
    return std::span<const std::byte>(buffer);
  }
};

/// Three matrices of 5 rows and 70 columns, more than are turned at a time,
/// stored by columns and read in pieces that end anywhere.
template <typename Element, typename Rows> void testTurning(DataType type) {
  constexpr uint64_t matrices = 3, rows = 5, columns = 70;
  std::vector<Element> stored(matrices * rows * columns);
  std::iota(stored.begin(), stored.end(), Element(1));
  TransposedRows turned(
      std::make_unique<Rows>(std::as_bytes(std::span(stored)), rows, type),
      columns);
  ASSERT_EQ(turned.getRows(), matrices * rows);
  ASSERT_EQ(turned.getColumns(), columns);
  for (uint64_t first = 0; first != turned.getRows(); ++first)
    for (uint64_t count = 1; first + count <= turned.getRows(); ++count) {
      std::vector<std::byte> buffer;
      auto read = turned.read(first, count, buffer);
      ASSERT_TRUE(read.isOk()) << read.getStatus().getMessage();
      ASSERT_EQ(read->size(), count * columns * sizeof(Element));
      std::vector<Element> found(count * columns), expected;
      std::memcpy(found.data(), read->data(), read->size());
      for (uint64_t row = first; row != first + count; ++row)
        for (uint64_t c = 0; c != columns; ++c)
          expected.push_back(
              stored[(row / rows * columns + c) * rows + row % rows]);
      ASSERT_EQ(found, expected) << count << " rows from " << first;
    }
}

} // namespace

TEST(TransposedRowsTest, TurnsEachMatrix) {
  testTurning<uint32_t, MappedRows>(DataType::F32);
  testTurning<uint16_t, MappedRows>(DataType::BF16);
  testTurning<uint16_t, CopiedRows>(DataType::F16);
}
