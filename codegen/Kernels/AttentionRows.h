//===- AttentionRows.h - Softmax over the paged KV cache --------*- C++ -*-===//
//
// A subgroup computes rows: the query heads of one key head, for one or more
// tokens of a slot. Keys and values are read once for all of them.
//
// A team of lanes shares the elements of a head; the teams of a subgroup take
// turns in the positions. A turn scores a block of positions for every row.
// Partial products of several positions are summed across the team together,
// so that each lane ends with scores of its own and takes their exponentials
// alone. Softmax is online: each row carries its maximum, its sum and the
// weighted values so far.
//
// Codes of keys and values are multiplied as they are: the scale of a key is
// taken into its score, that of a value into its weight.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_ATTENTIONROWS_H
#define QUERN_CODEGEN_KERNELS_ATTENTIONROWS_H

#include "codegen/Kernels/HeadUnits.h"
#include "codegen/Kernels/PagedCache.h"

namespace quern {

class AttentionRows {
public:
  /// What a row carries through the positions.
  struct State {
    Expression maximum;
    Expression total;   ///< Of the weights this lane took.
    Expressions values; ///< The parts of this lane's units.
  };
  using States = llvm::SmallVector<State, 8>;

  /// Takes q, k_cache and v_cache of the request; `scale` of the scores,
  /// `group` query heads for each key head.
  AttentionRows(KernelBuilder &k, double scale, int64_t group);

  const PagedCache &getCache() const { return cache; }
  const HeadUnits &getUnits() const { return units; }

  /// Attends from the query heads of key head `head` of `tokens` of `slot` to
  /// positions [begin, end), each token up to its own. `begin` is a multiple of
  /// the page size. Row t * group + h is
  /// query head h of the group for tokens[t]. `end` null: no end.
  States attend(const Expressions &tokens, Expression slot, Expression head,
                Expression begin, Expression end);

  /// Calls store(unit, parts) for the units of this lane, numbered in the head;
  /// the lanes of one team store.
  void forEachUnit(const State &state,
                   llvm::function_ref<void(Expression, Expressions)> store);
  /// Runs body in one lane.
  void inOneLane(llvm::function_ref<void()> body);

private:
  /// Positions of a turn of the loop.
  int64_t getBlock() const { return positions * teams; }
  Expressions readQuery(Expression row);
  /// Keys or values of the positions of a block: this lane's units, packed.
  using Block = llvm::SmallVector<llvm::SmallVector<Expressions, 4>, 8>;
  Block readBlock(const InputBuffer &cache, llvm::ArrayRef<Expression> rows);
  llvm::SmallVector<Expressions, 8> unpack(const Block &block);
  Expressions multiplyKeys(const Expressions &queryParts,
                           llvm::ArrayRef<Expressions> keyParts);
  Expressions shareWeights(const Expressions &weights);
  void addValues(State &state, llvm::ArrayRef<Expressions> valueParts,
                 const Expressions &weights, Expression factor);
  llvm::SmallVector<Expressions, 8>
  multiplyCodedKeys(llvm::ArrayRef<Expressions> queries, const Block &block);
  void addCodedValues(States &states, const Block &block,
                      llvm::ArrayRef<Expressions> weights,
                      llvm::ArrayRef<Expression> factors);
  void takeBlock(States &states, llvm::ArrayRef<Expressions> queries,
                 const Expressions &limits, Expression slot, Expression head,
                 Expression first, Expression last);
  void prefetchBlock(Expression slot, Expression head, Expression first,
                     Expression last);
  Expressions sumAcrossTeam(Expressions values);
  Expressions updateSoftmax(State &state, llvm::ArrayRef<Expression> scores,
                            llvm::ArrayRef<Expression> isInside);
  static void rescale(State &state, Expression maximum);
  void mergeLanes(State &state);

  States makeInitial(size_t rows);
  static Expressions flatten(llvm::ArrayRef<State> states);
  States unflatten(llvm::ArrayRef<Expression> flat);

  KernelBuilder &k;
  double scale;
  int64_t group;
  HeadUnits units;
  int64_t perHead; ///< Units of a head.
  unsigned lanes, teams;
  int64_t perLane;    ///< Units of a lane.
  unsigned positions; ///< Of a team in a turn; a power of two.
  PagedCache cache;
  InputBuffer query, keys, values;
  Expression lane, team; ///< Lane in the team.
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_ATTENTIONROWS_H
