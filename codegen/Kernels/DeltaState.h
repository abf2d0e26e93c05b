//===- DeltaState.h - The stored state of a gated delta net -----*- C++ -*-===//
//
// What dialects/Qwen/IR/DeltaOps.td calls `recurrent` [S, HV, DK, DV], `keys`
// [S, RING, HK, DK], `updates` [S, RING, HV, DV] and `decays` [S, RING, HV], as
// one workgroup sees it: for one sequence, one value head and, in each lane, an
// octet of its columns. Keys come in quads of 4 features.
//
// The states are arguments twice, read and written, so that reads may be texel
// fetches; nothing is read after it was written.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_DELTASTATE_H
#define QUERN_CODEGEN_KERNELS_DELTASTATE_H

#include "codegen/Kernels/Sequences.h"

namespace quern {

/// An octet of each of the 4 rows of a quad.
using QuadRows = std::array<Octet, 4>;

class DeltaState {
public:
  /// InvalidArgument or Unsupported if the shapes do not fit.
  static Status check(const KernelBuilder &k);

  /// Takes q, k, v, decay, beta and the states of the request as inputs.
  explicit DeltaState(KernelBuilder &k);

  /// Chooses what the methods below are about. `column` counts octets.
  void select(const SequenceRow &row, Expression head, Expression column);

  /// Tokens in the ring.
  Expression getPending() const { return pending; }
  /// The sum of their decays.
  Expression getPendingDecay() const { return pendingDecay; }
  /// The row of the rings for the ring's j-th token, and for the step's.
  Expression getPendingRow(Expression j) const;
  Expression getStepRow(Expression number) const;

  /// The stored state, whatever it is if no token is folded into it; and with
  /// zeros in that case.
  QuadRows readStored(Expression quad) const;
  QuadRows readRows(Expression quad) const;
  /// rows * scale + the ring's tokens; `count` is their number, `scale` the
  /// factor of their decays.
  QuadRows fold(Expression quad, const QuadRows &rows, Expression count,
                Expression scale) const;
  void writeRows(const OutputBuffer &out, Expression quad,
                 const QuadRows &rows) const;

  Expression readDecay(Expression ringRow) const;
  Expression readKeys(Expression ringRow, Expression quad) const;
  Octet readUpdate(Expression ringRow) const;
  /// Where an octet of `updates` and an element of `decays` lie.
  Expression atUpdate(Expression ringRow) const;
  Expression atDecay(Expression ringRow) const;
  /// The first octet of the head's keys.
  Expression atKeys(Expression ringRow) const;

  /// Inputs of the step's token `number`, which is clamped.
  Expression readStepKeys(Expression token, Expression quad) const;
  Expression readStepQueries(Expression token, Expression quad) const;
  Octet readStepValue(Expression token) const;
  Expression readStepDecay(Expression token) const;
  Expression readStepBeta(Expression token) const;
  /// Where the octet of the result of a token lies.
  Expression atResult(Expression token) const;

  int64_t quads, octets, group; ///< Of a key, of a row, value per key heads.

private:
  Expression atKeyHead(Expression row) const;
  Expression atValueHead(Expression row) const;

  KernelBuilder &k;
  InputBuffer query, key, value, decay, beta;
  InputBuffer recurrent, keys, updates, decays;
  SequenceRow row;
  Expression head, keyHead, column, pending, pendingDecay;
};

/// Sums of octets of all lanes that differ in the bits [first, end) of their
/// number; all get them.
void reduceAcross(KernelBuilder &k, llvm::MutableArrayRef<Expression> values,
                  unsigned first, unsigned end);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_DELTASTATE_H
