//===- ExpertMatrix.cpp - experts, tiles of sorted pairs on matrix units --===//
//
// As linear on matrix units, where the tokens of a tile are the inputs of its
// pairs, and the weight is that of its expert. A tile of any size is computed
// with all its rows: what has no pair is not stored. A workgroup has one tile
// at most, so that nothing lives in registers from tile to tile; those that
// follow each other read the same weights where their tiles are of one expert.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/ExpertTiles.h"
#include "codegen/Kernels/MatrixTiles.h"

#include <algorithm>

using namespace quern;

/// The rows of a tile of pairs by the target's weight rows, but no more of
/// these than there are; a subgroup has all pairs.
static MatrixTile chooseExpertMatrixTile(const KernelBuilder &k,
                                         const Linear &linear) {
  auto tokens = unsigned(k.dim("M"));
  unsigned rows = k.getTarget().mmaRows;
  while (rows > MatrixTile::subgroupRows && rows / 2 >= linear.weightRows)
    rows /= 2;
  return {tokens, rows, tokens};
}

Status quern::buildExpertMatrix(KernelBuilder &k, const Linear &linear,
                                DataType element) {
  QUERN_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, getTileSizes(k));
  MatrixTile tile = chooseExpertMatrixTile(k, linear);
  MatrixProduct product(k, linear, tile, element);
  k.setGrid(0, k.dim("TILES"));
  k.setGrid(1, (linear.weightRows + tile.rows - 1) / tile.rows);
  InputBuffer pairs = k.getInput("pairs");
  InputBuffer tileExperts = k.getInput("tile_experts");
  OutputBuffer out = getLinearOutput(k, linear, MatrixTile::rowsPerLane);
  int64_t total = k.dim("P"), perInput = total / k.dim("R");
  Expression at = k.getGroup(0);
  Expression firstRow = k.getGroup(1) * double(tile.rows);
  bool rowsMayEnd = linear.weightRows % tile.rows != 0;
  Expression end =
      toIndex(k.getInput("tile_ends").read(k.index(sizes.size() - 1)));
  k.when(at < end, [&] {
    Expression expert =
        toIndex(min(tileExperts.read(at), k.i32(k.dim("E") - 1)));
    Expression firstOfExpert = expert * double(linear.weightRows);
    // Lanes beyond the tile's units ask for a place, too.
    auto getPair = [&](Expression token) {
      return toIndex(
          pairs.read(at * double(tile.tokens) + token % double(tile.tokens)));
    };
    product.build(
        [&](Expression token, unsigned) {
          return min(getPair(token), k.index(total - 1)) / double(perInput);
        },
        [&](Expression row, unsigned count) {
          Expression own = firstRow + row;
          if (rowsMayEnd)
            own = min(own, k.index(linear.weightRows - count));
          return firstOfExpert + own;
        },
        [&](Expression token, Expression tileRow, const Expressions &products) {
          Expression pair = getPair(token), row = firstRow + tileRow;
          Expression isInside = pair < double(total);
          if (rowsMayEnd)
            isInside = isInside & (row < double(linear.weightRows));
          k.when(isInside,
                 [&] { storeOutputs(k, linear, out, pair, row, products); });
        });
  });
  return Status::ok();
}
