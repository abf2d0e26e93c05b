//===- SequenceRows.h - Sequences of a step in kernel cases -----*- C++ -*-===//
#ifndef QUERN_TEST_KERNELS_SEQUENCEROWS_H
#define QUERN_TEST_KERNELS_SEQUENCEROWS_H

#include "test/kernels/KernelCase.h"

namespace quern::test {

/// A row of `sequences`; the first token is counted by makeSequences.
struct Row {
  int32_t slot, count, position, folded, update;
};

/// The rows of a step, their tokens one behind the other.
struct StepRows {
  std::vector<Row> rows;
  int64_t total; ///< Tokens that the program has room for.

  int64_t tokens() const {
    int64_t count = 0;
    for (const Row &row : rows)
      count += row.count;
    return count;
  }

  Tensor makeSequences() const {
    Tensor sequences = makeIntegers({static_cast<int64_t>(rows.size()), 8}, {});
    int32_t first = 0;
    for (const Row &row : rows) {
      sequences.integers.insert(sequences.integers.end(),
                                {row.slot, first, row.count, row.position,
                                 row.folded, row.update, 0, 0});
      first += row.count;
    }
    return sequences;
  }
};

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_SEQUENCEROWS_H
