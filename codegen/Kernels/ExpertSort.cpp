//===- ExpertSort.cpp - sorting (token, slot) pairs by expert -------------===//
//
// The pairs of an expert fill tiles of M rows; the last one has the smallest
// size that holds the rest. Tiles are ordered by size, then by expert. A
// subgroup handles one expert at a time and walks all pairs of the step. The
// grid counts tokens, so its size says how many there are.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/ExpertTiles.h"
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

/// Number of set bits of an i32.
static Expression countBits(Expression x) {
  x = x - ((x >> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >> 2) & 0x33333333);
  x = (x + (x >> 4)) & 0x0f0f0f0f;
  return (x * 0x01010101) >> 24;
}

namespace {

class ExpertSortBuilder {
public:
  explicit ExpertSortBuilder(KernelBuilder &k)
      : k(k), numExperts(k.dim("E")),
        lanes(std::min(32u, k.getSubgroupSize())) {}

  /// Sets the launch and calls `body` for each expert of this subgroup.
  Status forEachExpert(llvm::function_ref<void(Expression)> body) {
    k.setSubgroups(1);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("T"), 1));
    experts = k.getInput("experts");
    thread = k.getLane();
    lane = thread % double(lanes);
    Expression group = k.getGroup(1), tokens = k.getGroupCount(1);
    pairs = tokens * double(k.dim("K"));
    // Experts group, group + tokens, ... below E.
    Expression turns = (tokens + double(numExperts - 1) - group) / tokens;
    k.loop(k.index(0), turns, 1,
           [&](Expression turn) { body(group + turn * tokens); });
    return Status::ok();
  }

  /// Carries values over the pairs of the step, `lanes` at a time, through
  /// body(pair, whether it chose the expert, values), up to `end`.
  Expressions
  walkPairs(Expression expert, Expression end, llvm::ArrayRef<Expression> init,
            llvm::function_ref<Expressions(Expression, Expression,
                                           llvm::ArrayRef<Expression>)>
                body) {
    return k.loop(k.index(0), end, lanes, init,
                  [&](Expression base, llvm::ArrayRef<Expression> carried) {
                    Expression pair = base + lane;
                    Expression chosen = experts.read(min(pair, pairs - 1));
                    Expression isMine =
                        (pair < pairs) & (chosen == toI32(expert));
                    return body(pair, isMine, carried);
                  });
  }

  Status buildCount() {
    OutputBuffer counts = k.getRunOutput("counts", 1);
    return forEachExpert([&](Expression expert) {
      Expression count =
          walkPairs(expert, pairs, {k.i32(0)},
                    [&](Expression, Expression isMine,
                        llvm::ArrayRef<Expression> carried) {
                      return Expressions{carried[0] + toI32(isMine)};
                    })
              .front();
      count = k.reduceAdd(count, lanes);
      k.when(thread == 0, [&] { counts.writeRun(expert, {count}); });
    });
  }

  Status buildSort() {
    QUERN_ASSIGN_OR_RETURN(sizes, getTileSizes(k));
    counts = k.getInput("counts");
    sorted = k.getRunOutput("pairs", 1);
    tileExperts = k.getRunOutput("tile_experts", 1);
    tileEnds = k.getRunOutput("tile_ends", 1);
    return forEachExpert([&](Expression expert) { sortExpert(expert); });
  }

private:
  /// Tiles of each size, i32.
  struct Tiles {
    Expressions before; ///< Of experts before this one.
    Expressions total;  ///< Of all experts.
  };

  /// Few tokens choose few experts: the others get no walks. Expert 0 stores
  /// the ends of the sizes, chosen or not.
  void sortExpert(Expression expert) {
    Expression count = counts.read(expert);
    Expression isChosen = k.i32(0) < count, isFirst = toI32(expert) == 0;
    Tiles tiles = countTiles(
        expert, select(isChosen | isFirst, k.index(numExperts), k.index(0)));
    Expression rest = count & double(sizes[0] - 1),
               full = count >> double(getShift());
    Expression start = k.i32(0), restTile = k.i32(0);
    for (size_t i = 0; i != sizes.size(); ++i) {
      Expression mine = start + tiles.before[i];
      restTile =
          select(isRestOfSize(count, i), i == 0 ? mine + full : mine, restTile);
      start = start + tiles.total[i];
      k.when(isFirst & (thread == 0),
             [&] { tileEnds.writeRun(k.index(i), {start}); });
    }
    scatter(expert, select(isChosen, pairs, k.index(0)),
            full * double(sizes[0]), tiles.before[0] * double(sizes[0]),
            restTile * double(sizes[0]));
    Expression hasRest = k.i32(0) < rest;
    k.loop(toIndex(rest) + thread,
           select(hasRest, k.index(sizes[0]), k.index(0)), k.getSubgroupSize(),
           [&](Expression row) {
             sorted.writeRun(toIndex(restTile * double(sizes[0])) + row,
                             {k.i32(-1)});
           });
    k.loop(thread, toIndex(full), k.getSubgroupSize(), [&](Expression tile) {
      tileExperts.writeRun(toIndex(tiles.before[0]) + tile, {toI32(expert)});
    });
    k.when(hasRest & (thread == 0),
           [&] { tileExperts.writeRun(toIndex(restTile), {toI32(expert)}); });
  }

  /// log2 of the rows of a full tile.
  unsigned getShift() const { return unsigned(sizes.size()) - 1; }

  /// Whether the pairs of an expert that fill no tile need one of size i.
  Expression isRestOfSize(Expression count, size_t i) {
    Expression rest = count & double(sizes[0] - 1);
    return (k.i32(sizes[i] / 2) < rest) & (rest <= double(sizes[i]));
  }

  /// Looks at the experts below `end`.
  Tiles countTiles(Expression expert, Expression end) {
    size_t numSizes = sizes.size();
    Expressions zeros(2 * numSizes, k.i32(0));
    Expressions sums =
        k.loop(k.index(0), end, lanes, zeros,
               [&](Expression base, llvm::ArrayRef<Expression> carried) {
                 Expression other = base + lane;
                 Expression count =
                     select(other < double(numExperts),
                            counts.read(min(other, k.index(numExperts - 1))),
                            k.i32(0));
                 Expressions next;
                 for (size_t i = 0; i != numSizes; ++i) {
                   Expression tiles = toI32(isRestOfSize(count, i));
                   if (i == 0)
                     tiles = tiles + (count >> double(getShift()));
                   next.push_back(carried[2 * i] +
                                  select(other < expert, tiles, k.i32(0)));
                   next.push_back(carried[2 * i + 1] + tiles);
                 }
                 return next;
               });
    Tiles tiles;
    for (size_t i = 0; i != numSizes; ++i) {
      tiles.before.push_back(k.reduceAdd(sums[2 * i], lanes));
      tiles.total.push_back(k.reduceAdd(sums[2 * i + 1], lanes));
    }
    return tiles;
  }

  /// Writes the pairs of the expert in their order: the first `fullRows` from
  /// row `first` on, the others from row `rest` on.
  void scatter(Expression expert, Expression end, Expression fullRows,
               Expression first, Expression rest) {
    Expression bit = k.i32(1) << toI32(lane);
    walkPairs(expert, end, {k.i32(0)},
              [&](Expression pair, Expression isMine,
                  llvm::ArrayRef<Expression> carried) {
                Expression mask =
                    k.reduce(select(isMine, bit, k.i32(0)), lanes,
                             [](Expression a, Expression b) { return a | b; });
                Expression at = carried[0] + countBits(mask & (bit - 1));
                Expression row =
                    select(at < fullRows, first + at, rest + (at - fullRows));
                k.when(isMine & (thread < double(lanes)),
                       [&] { sorted.writeRun(toIndex(row), {toI32(pair)}); });
                return Expressions{carried[0] + countBits(mask)};
              });
  }

  KernelBuilder &k;
  int64_t numExperts;
  std::vector<int64_t> sizes;
  unsigned lanes;
  InputBuffer experts, counts;
  OutputBuffer sorted, tileExperts, tileEnds;
  Expression thread, lane, pairs;
};

} // namespace

Status quern::buildExpertCount(KernelBuilder &k) {
  return ExpertSortBuilder(k).buildCount();
}

Status quern::buildExpertSort(KernelBuilder &k) {
  return ExpertSortBuilder(k).buildSort();
}
