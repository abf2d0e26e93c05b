//===- DeltaTiles.h - The gated delta rule in register tiles ----*- C++ -*-===//
//
// For targets whose lanes are the elements of a register. Lanes are columns of
// the state S [keyDim, valueDim] of a value head, so that nothing is summed
// across lanes: what a chunk of tokens needs are products of matrices, in tiles
// of a few rows by a few vectors of columns, whose left factors all lanes read.
// Only for products of keys and queries, which all columns share, lanes are
// tokens.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_DELTATILES_H
#define QUERN_CODEGEN_KERNELS_DELTATILES_H

#include "codegen/Kernels/KernelBuilder.h"

namespace quern {

/// Sizes of the tiles and of what lies in workgroup memory, in numbers.
struct DeltaTileShape {
  /// For chunks of so many tokens, a power of two.
  DeltaTileShape(const KernelBuilder &k, int64_t chunk);

  /// Whether rows and columns are made of whole tiles.
  bool isWhole() const;
  /// Columns of a block.
  int64_t width() const { return vectors * lanes; }
  int64_t state() const { return keyDim * valueDim; }
  int64_t keys() const { return keyDim * tokens; }
  int64_t products() const { return chunk * tokens; }
  int64_t updates() const { return chunk * width(); }
  /// Keys and queries, two sorts of products and of updates, four numbers of
  /// each token.
  int64_t total() const {
    return state() + 2 * keys() + 2 * products() + 2 * updates() + 4 * tokens;
  }

  int64_t chunk, lanes, keyDim, valueDim;
  int64_t rows, vectors; ///< Of a tile.
  /// Neighbouring columns of a lane: 16-bit results are stored in pairs.
  int64_t run;
  int64_t tokens; ///< Of a chunk, in whole vectors.
};

class DeltaTiles {
public:
  /// Whether it is the form to choose: the request is made of whole tiles that
  /// fit workgroup memory.
  static bool fits(const KernelBuilder &k, int64_t chunk);

  DeltaTiles(KernelBuilder &k, int64_t chunk);

  /// body(number) for blocks of columns; body(first token) for tiles of tokens.
  void forBlocks(llvm::function_ref<void(Expression)> body);
  void forTiles(Expression count, llvm::function_ref<void(Expression)> body);

  /// A lane's columns of a row of values in a block; `isWide`: of f32.
  Expressions readColumns(const InputBuffer &buffer, bool isWide,
                          Expression row, Expression block);
  void writeColumns(const OutputBuffer &buffer, Expression row,
                    Expression block, llvm::ArrayRef<Expression> values);

  /// Makes rows of keys columns: lanes are tokens, the last one for those
  /// behind it.
  void readKeys(const InputBuffer &buffer, Expression count,
                llvm::function_ref<Expression(Expression)> getRow);
  Expression readKeyElement(Expression i, Expression t);

  /// Where a lane has its number of a vector of a row of columns.
  Expression at(Expression row, int64_t vector);
  /// The row of S for a block of columns.
  Expression stateRow(Expression block, Expression i);

  /// A factor of a product: of the sum's term and of a row or vector.
  using Element = llvm::function_ref<Expression(Expression, int64_t)>;
  /// Features that a turn of a loop multiplies.
  static constexpr int64_t featureUnroll = 2;

  /// sums[r * vectors + v] += left(i, r) * right(i, v) for i below `count`, a
  /// multiple of `unroll`.
  Expressions multiply(Expression count, int64_t unroll,
                       llvm::ArrayRef<Expression> sums, int64_t vectors,
                       Element left, Element right);
  /// Rows of numbers times S.
  Expressions multiplyState(Expression block, Element left);
  /// Adds products of the updates of tokens in front of `count`.
  Expressions addUpdates(const WorkgroupArray &from, Expression count,
                         llvm::ArrayRef<Expression> sums, Element left);
  /// S = factor S + the products of the first `count` keys and decayed updates.
  void updateState(Expression block, Expression factor, Expression count);

  DeltaTileShape shape;
  WorkgroupArray state; ///< [block][row][vector][lane]
  WorkgroupArray keys;  ///< [feature][token]
  /// Of a block of columns, [token][vector][lane]; and decayed to the end of
  /// the chunk.
  WorkgroupArray updates, decayedUpdates;

private:
  KernelBuilder &k;
};

/// Builds delta_chunk (DeltaTileChunk.cpp) if DeltaTiles::fits.
void buildDeltaTiles(KernelBuilder &k, int64_t chunk);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_DELTATILES_H
