//===- TransposedRows.h - Rows of matrices stored by columns ----*- C++ -*-===//
#ifndef QUERN_CODEGEN_BUNDLE_TRANSPOSEDROWS_H
#define QUERN_CODEGEN_BUNDLE_TRANSPOSEDROWS_H

#include "codegen/Bundle/RowSource.h"

#include <memory>

namespace quern {

/// The rows of a stack of matrices, of which the source has the columns.
class TransposedRows : public RowSource {
public:
  /// `columns` of each matrix are as many rows of `source`, whose rows are
  /// elements without an encoding.
  TransposedRows(std::unique_ptr<RowSource> source, uint64_t columns);

  Result<std::span<const std::byte>>
  read(uint64_t first, uint64_t count,
       std::vector<std::byte> &buffer) const override;

private:
  std::unique_ptr<RowSource> source;
};

} // namespace quern

#endif // QUERN_CODEGEN_BUNDLE_TRANSPOSEDROWS_H
