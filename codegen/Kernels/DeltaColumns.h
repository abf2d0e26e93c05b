//===- DeltaColumns.h - Columns of a delta net's state in registers -*- C++
//-*-===//
//
// A team of lanes holds some columns of the state S [keyDim, valueDim] of a
// value head: each lane has its quads of rows of all of them, as vectors of 4
// rows. Of a row of values (an output, an update) a lane has `run` columns.
// Sums over the rows are sums over the lanes of the team; a subgroup has one or
// several teams. Nothing here needs workgroup memory.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_DELTACOLUMNS_H
#define QUERN_CODEGEN_KERNELS_DELTACOLUMNS_H

#include "codegen/Kernels/KernelBuilder.h"

namespace quern {

/// A lane's rows of one key or query, in vectors of 4.
using RowQuads = Expressions;

class DeltaColumns {
public:
  /// `maxColumns` and `maxTokens` are powers of two. Numbers of up to
  /// `maxTokens` tokens lie side by side in `tokenLanes` lanes.
  DeltaColumns(KernelBuilder &k, int64_t keyDim, int64_t valueDim,
               unsigned maxColumns, unsigned maxTokens);

  /// Number of vectors of S in a lane; column c of quad m is m * columns + c.
  unsigned size() const { return quads * columns; }

  /// Sets the lane in its subgroup.
  void setLane(Expression lane);
  /// The number of this lane's m-th quad of rows.
  Expression quadIndex(unsigned m) const;

  RowQuads readQuads(const InputBuffer &buffer, Expression row,
                     Expression factor = {}) const;
  /// The value that lane `from` of the team has.
  Expression broadcast(Expression x, unsigned from) const;

  /// S^T x for each x: per x, the lane's `run` columns.
  llvm::SmallVector<Expressions, 16>
  multiplyState(llvm::ArrayRef<Expression> state,
                llvm::ArrayRef<RowQuads> xs) const;
  /// x . keys_j for the first `count` keys: in blocks of `tokenLanes`, of which
  /// lane l has number l % tokenLanes.
  Expressions multiplyKeys(const RowQuads &x, llvm::ArrayRef<RowQuads> keys,
                           unsigned count) const;
  /// S plus the sum of keys_j updates_j^T; updates as rows of values.
  Expressions addProducts(llvm::ArrayRef<Expression> state,
                          llvm::ArrayRef<RowQuads> keys,
                          llvm::ArrayRef<Expressions> updates) const;

  int64_t keyDim;
  unsigned lanes, teams; ///< Lanes of a team, teams of a subgroup.
  unsigned quads, columns;
  unsigned columnLanes, run; ///< Lanes that share a row of values, their part.
  unsigned tokenLanes;
  Expression teamLane, team;

private:
  /// This lane's part of the dot products of `column`, whose element m is
  /// column[m * stride], with each x. Element by element, since all share it.
  Expressions dotRows(llvm::ArrayRef<RowQuads> xs,
                      llvm::ArrayRef<Expression> column, unsigned stride) const;
  /// Sums over the lanes of a team: lane l gets that of values[l % n], n the
  /// number of values, a power of two and at most `lanes`. Values may be
  /// absent, which is zero.
  Expression sumLanes(llvm::SmallVector<Expression, 32> values) const;

  KernelBuilder &k;
  Expression teamStart;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_DELTACOLUMNS_H
