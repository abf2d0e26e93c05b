//===- AttentionTiles.h - Attention, a lane owns a query row ----*- C++ -*-===//
//
// For targets whose lanes are the elements of a register. A tile has rows: the
// query heads of one key head for some tokens, as many as fill a few registers.
// Keys and values are read once for all of them, each element for all lanes, so
// that scores and weighted values are products of matrices and nothing is
// summed across lanes. Queries, scores of a block of positions and weighted
// values lie in workgroup memory, element by element:
// [element][vector of rows][lane]. Codes are first decoded for a block of
// positions, a lane for each word, and read from workgroup memory likewise.
//
// Softmax is online, as in "FlashAttention" (Dao et al., 2022).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_ATTENTIONTILES_H
#define QUERN_CODEGEN_KERNELS_ATTENTIONTILES_H

#include "codegen/Kernels/HeadUnits.h"
#include "codegen/Kernels/PagedCache.h"

#include <optional>

namespace quern {

class AttentionTiles {
public:
  /// The rows of a vector, one in each lane.
  struct Rows {
    Expression token;
    Expression head; ///< Query head of the group.
    // Set by `attend`:
    Expression limit;   ///< Positions that it attends to, i32.
    Expression maximum; ///< Of the scores.
    Expression total;   ///< Of the weights.
  };

  /// Takes q, k_cache and v_cache of the request; `scale` of the scores,
  /// `group` query heads for each key head, tiles of up to `mostTokens`.
  AttentionTiles(KernelBuilder &k, double scale, int64_t group,
                 int64_t mostTokens);

  /// Whether it is the form to choose: lanes without a row compute for nothing.
  static bool fits(const KernelBuilder &k, int64_t group, int64_t tokens) {
    return k.getTarget().lanesAreRegister() &&
           tokens * group >= int64_t(k.getSubgroupSize());
  }

  const PagedCache &getCache() const { return cache; }
  const HeadUnits &getUnits() const { return units; }
  /// Tokens of a tile.
  int64_t getTokens() const { return tokens; }

  /// Reads the queries of tokens [first, first + getTokens()) for key head
  /// `head`.
  void begin(Expression first, Expression head);
  /// Attends from the rows of tokens of `slot` to positions [begin, end), each
  /// token up to its own; the other rows attend to nothing. `begin` is a
  /// multiple of the page size. `end` null: no end.
  void attend(Expression slot, Expression begin, Expression end);
  /// Calls store(rows, unit, parts) for the weighted values of the rows that
  /// attended, and of all units of a head; they are not divided by the total.
  void forEachUnit(
      llvm::function_ref<void(const Rows &, Expression, Expressions)> store);
  void forEachRow(llvm::function_ref<void(const Rows &)> store);
  /// The token at an offset in the tile, or the last one.
  Expression getToken(Expression offset) const;

private:
  Expression at(Expression element, int64_t vector);
  void forRows(const Rows &row, int64_t vector,
               llvm::function_ref<void()> body);
  void takeBlock(Expression slot, Expression position, Expression count);
  /// Makes the rows of a block in a cache what readUnit reads, and returns the
  /// base of the first one.
  Expression openBlock(const InputBuffer &cache, Expression row,
                       Expression firstScale, Expression count);
  Expressions readUnit(const InputBuffer &cache, Expression base,
                       Expression unit) const;
  void computeScores(Expression base, Expression count);
  void multiplyUnit(llvm::ArrayRef<Expression> bases, Expression unit,
                    Expressions &scores);
  Expressions computeWeights(Expression position, Expression count);
  void addValues(Expression base, Expression count,
                 llvm::ArrayRef<Expression> factors);

  KernelBuilder &k;
  double scale;
  int64_t group, lanes, tokens, vectors, block;
  HeadUnits units;
  int64_t perHead; ///< Units of a head.
  int64_t stride;  ///< From the base of a row to that of the next one.
  PagedCache cache;
  InputBuffer query, keys, values;
  WorkgroupArray queries, weights, sums;
  std::optional<WorkgroupArray> decoded; ///< Of codes: [position][part][unit].
  Expression first, head;
  llvm::SmallVector<Rows, 4> rows;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_ATTENTIONTILES_H
