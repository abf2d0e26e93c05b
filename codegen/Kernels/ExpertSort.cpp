//===- ExpertSort.cpp - sorting (token, slot) pairs by expert -------------===//
//
// The pairs of an expert fill tiles of M rows; the tiles of expert 0 come
// first. A subgroup handles one expert at a time and walks all pairs of the
// step. The grid counts tokens, so its size says how many there are.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelBuilder.h"
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

namespace {

/// Number of set bits of an i32.
Expression countBits(Expression x) {
  x = x - ((x >> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >> 2) & 0x33333333);
  x = (x + (x >> 4)) & 0x0f0f0f0f;
  return (x * 0x01010101) >> 24;
}

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
  /// body(pair, whether it chose the expert, values).
  Expressions
  walkPairs(Expression expert, llvm::ArrayRef<Expression> init,
            llvm::function_ref<Expressions(Expression, Expression,
                                           llvm::ArrayRef<Expression>)>
                body) {
    return k.loop(k.index(0), pairs, lanes, init,
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
          walkPairs(expert, {k.i32(0)},
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
    tileRows = k.dim("M");
    counts = k.getInput("counts");
    sorted = k.getRunOutput("pairs", 1);
    tileExperts = k.getRunOutput("tile_experts", 1);
    OutputBuffer tileCount = k.getRunOutput("tile_count", 1);
    return forEachExpert([&](Expression expert) {
      Expression firstTile = countTilesBefore(expert);
      Expression count = toIndex(counts.read(expert));
      Expression tiles = tilesOf(count);
      scatter(expert, firstTile);
      pad(firstTile, count, tiles);
      k.loop(thread, tiles, k.getSubgroupSize(), [&](Expression tile) {
        tileExperts.writeRun(firstTile + tile, {toI32(expert)});
      });
      k.when((expert == double(numExperts - 1)) & (thread == 0), [&] {
        tileCount.writeRun(k.index(0), {toI32(firstTile + tiles)});
      });
    });
  }

private:
  Expression tilesOf(Expression count) {
    return (count + double(tileRows - 1)) / double(tileRows);
  }

  Expression countTilesBefore(Expression expert) {
    Expression mine =
        k.accumulate(numExperts, lanes, lane, {k.i32(0)},
                     [&](Expression other, llvm::ArrayRef<Expression> carried) {
                       Expression tiles =
                           toI32(tilesOf(toIndex(counts.read(other))));
                       return Expressions{carried[0] + select(other < expert,
                                                              tiles, k.i32(0))};
                     })
            .front();
    return toIndex(k.reduceAdd(mine, lanes));
  }

  /// Writes the pairs of the expert in their order.
  void scatter(Expression expert, Expression firstTile) {
    Expression base = toI32(firstTile * double(tileRows));
    Expression bit = k.i32(1) << toI32(lane);
    walkPairs(expert, {base},
              [&](Expression pair, Expression isMine,
                  llvm::ArrayRef<Expression> carried) {
                Expression mask =
                    k.reduce(select(isMine, bit, k.i32(0)), lanes,
                             [](Expression a, Expression b) { return a | b; });
                Expression before = countBits(mask & (bit - 1));
                k.when(isMine & (thread < double(lanes)), [&] {
                  sorted.writeRun(toIndex(carried[0] + before), {toI32(pair)});
                });
                return Expressions{carried[0] + countBits(mask)};
              });
  }

  /// Marks the rows of the last tile that hold no pair.
  void pad(Expression firstTile, Expression count, Expression tiles) {
    Expression end = tiles * double(tileRows);
    k.loop(count + thread, end, k.getSubgroupSize(), [&](Expression row) {
      sorted.writeRun(firstTile * double(tileRows) + row, {k.i32(-1)});
    });
  }

  KernelBuilder &k;
  int64_t numExperts, tileRows = 1;
  unsigned lanes;
  InputBuffer experts, counts;
  OutputBuffer sorted, tileExperts;
  Expression thread, lane, pairs;
};

} // namespace

Status quern::buildExpertCount(KernelBuilder &k) {
  return ExpertSortBuilder(k).buildCount();
}

Status quern::buildExpertSort(KernelBuilder &k) {
  return ExpertSortBuilder(k).buildSort();
}
