//===- RowSource.h - Rows of a tensor of the checkpoint ---------*- C++ -*-===//
#ifndef QUERN_CODEGEN_BUNDLE_ROWSOURCE_H
#define QUERN_CODEGEN_BUNDLE_ROWSOURCE_H

#include "runtime/base/DataType.h"
#include "runtime/base/Encoding.h"
#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quern {

/// What rows are: elements of F32, F16 or BF16, or the EncodedGroups of an
/// encoding.
struct RowFormat {
  DataType type = DataType::F32;
  Encoding encoding = Encoding::None;

  uint64_t countBytes(uint64_t columns) const {
    return encoding == Encoding::None
               ? columns * dataTypeBits(type) / 8
               : columns / kGroupSize * sizeof(EncodedGroup);
  }
  bool operator==(const RowFormat &) const = default;
};

/// The rows of the last dimension of a tensor, one after the other. A tensor
/// may be larger than what memory holds: its rows are made when they are read.
class RowSource {
public:
  virtual ~RowSource() = default;

  uint64_t getRows() const { return rows; }
  uint64_t getColumns() const { return columns; }
  const RowFormat &getFormat() const { return format; }
  uint64_t rowBytes() const { return format.countBytes(columns); }

  /// Rows [first, first + count), where they lie or in `buffer`. Thread-safe.
  virtual Result<std::span<const std::byte>>
  read(uint64_t first, uint64_t count,
       std::vector<std::byte> &buffer) const = 0;

protected:
  RowSource(uint64_t rows, uint64_t columns, RowFormat format)
      : rows(rows), columns(columns), format(format) {}

private:
  uint64_t rows, columns;
  RowFormat format;
};

/// Rows that lie in memory.
class MappedRows : public RowSource {
public:
  MappedRows(std::span<const std::byte> bytes, uint64_t columns, DataType type)
      : RowSource(bytes.size() / RowFormat{type}.countBytes(columns), columns,
                  {type}),
        bytes(bytes) {}

  Result<std::span<const std::byte>>
  read(uint64_t first, uint64_t count,
       std::vector<std::byte> &) const override {
    return bytes.subspan(first * rowBytes(), count * rowBytes());
  }

private:
  std::span<const std::byte> bytes;
};

} // namespace quern

#endif // QUERN_CODEGEN_BUNDLE_ROWSOURCE_H
