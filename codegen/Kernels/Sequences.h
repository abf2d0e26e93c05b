//===- Sequences.h - The sequences of a step --------------------*- C++ -*-===//
//
// `sequences` [N, 8] has a row for each sequence: slot, its first token in the
// step, number of tokens (0: the row is unused), position of its first token,
// position up to which its state is folded, update (0 append, 1 fold and
// append, 2 fold). The numbers come from the host at run time: they are
// clamped, so that no value of theirs leads outside of the buffers.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_SEQUENCES_H
#define QUERN_CODEGEN_KERNELS_SEQUENCES_H

#include "codegen/Kernels/Rows.h"

namespace quern {

/// A row of `sequences`; all are of type index.
struct SequenceRow {
  Expression slot, first, count, position, folded, update;
};

/// The row of the rings [S, RING, ...] for a token at `position`.
Expression getRingRow(const KernelBuilder &k, Expression slot,
                      Expression position);

/// The sum of the decays of a sequence's tokens in the ring, 0 without one;
/// readDecay(position) gives those up to and with a token.
Expression sumRingDecays(KernelBuilder &k, const SequenceRow &row,
                         llvm::function_ref<Expression(Expression)> readDecay);

class Sequences {
public:
  /// Takes `sequences` [N, ROW] of the request; S counts slots, T tokens.
  explicit Sequences(KernelBuilder &k);

  SequenceRow read(Expression row) const;
  /// Runs body(row, number of the token in its sequence) for the row that has
  /// this token, if there is one.
  void
  find(Expression token,
       llvm::function_ref<void(const SequenceRow &, Expression)> body) const;

private:
  Expression number(Expression row, unsigned column) const;

  KernelBuilder &k;
  InputBuffer sequences;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_SEQUENCES_H
