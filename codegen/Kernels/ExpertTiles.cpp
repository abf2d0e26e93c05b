//===- ExpertTiles.cpp - experts, tiles of sorted pairs -------------------===//
//
// As linear for many tokens, where the input rows of a tile are those of the
// pairs that expert_sort put there, and the weight is that of its expert. A
// group whose tile does not exist ends at once, and rows of a tile that hold no
// pair cost little.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Linear.h"

using namespace quern;

namespace {

class ExpertTilesBuilder {
public:
  ExpertTilesBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear),
        tokens(std::min<int64_t>(k.getTarget().gemmTokens, k.dim("M"))),
        rows(chooseRows(k, linear, k.getTarget().gemmRows)) {}

  Status build() {
    k.setSubgroups(k.getTarget().subgroupsPerWorkgroup);
    int64_t tokenLanes = k.dim("M") / tokens;
    int64_t lanes = k.launch.workgroupSize[0];
    if (k.dim("M") % tokens != 0 || lanes % tokenLanes != 0)
      return unsupported("tiles of " + std::to_string(k.dim("M")) +
                         " rows do not fit a workgroup of " +
                         std::to_string(lanes));
    int64_t rowLanes = lanes / tokenLanes, tileRows = rowLanes * rows;
    k.setGrid(0, (linear.weightRows + tileRows - 1) / tileRows);
    k.setGrid(1, k.dim("TILES"));
    x = k.getInput("x");
    pairs = k.getInput("pairs");
    weight = k.getInput("weight");
    out = getLinearOutput(k, linear, rows);
    InputBuffer tileExperts = k.getInput("tile_experts");
    InputBuffer tileCount = k.getInput("tile_count");

    Expression thread =
        k.getSubgroup() * double(k.getSubgroupSize()) + k.getLane();
    Expression tile = k.getGroup(1);
    firstSlot =
        tile * double(k.dim("M")) + thread / double(rowLanes) * double(tokens);
    firstRow = k.getGroup(0) * double(tileRows) +
               thread % double(rowLanes) * double(rows);
    bool rowsMayEnd = linear.weightRows % tileRows != 0;
    k.when(tile < toIndex(tileCount.read(k.index(0))), [&] {
      Expression expert =
          toIndex(min(tileExperts.read(tile), k.i32(k.dim("E") - 1)));
      buildTile(expert, rowsMayEnd);
    });
    return Status::ok();
  }

private:
  void buildTile(Expression expert, bool rowsMayEnd) {
    int64_t total = k.dim("P"), perInput = total / k.dim("R");
    Expressions tilePairs, tokenBases, rowBases;
    for (unsigned t = 0; t != tokens; ++t) {
      Expression pair = toIndex(pairs.read(firstSlot + double(t)));
      tilePairs.push_back(pair);
      Expression input = min(pair, k.index(total - 1)) / double(perInput);
      tokenBases.push_back(input * double(linear.octets()));
    }
    for (unsigned r = 0; r != rows; ++r) {
      Expression row = firstRow + double(r);
      if (rowsMayEnd)
        row = min(row, k.index(linear.weightRows - 1));
      rowBases.push_back((expert * double(linear.weightRows) + row) *
                         double(linear.octets()));
    }
    // Rows that hold no pair stand at the end of a tile. A lane computes as
    // many as hold one, up to the next power of two, none if none does.
    Expression used = k.i32(0);
    for (Expression pair : tilePairs)
      used = used + toI32(pair < double(total));
    for (unsigned count = 1; count / 2 < tokens; count *= 2)
      k.when((k.i32(count / 2) < used) & (used < k.i32(count + 1)), [&] {
        unsigned most = std::min(count, tokens);
        multiplyRows(llvm::ArrayRef<Expression>(tilePairs).take_front(most),
                     llvm::ArrayRef<Expression>(tokenBases).take_front(most),
                     rowBases, rowsMayEnd);
      });
  }

  /// The products of some rows of a tile, stored where there is a pair.
  void multiplyRows(llvm::ArrayRef<Expression> tilePairs,
                    llvm::ArrayRef<Expression> tokenBases,
                    llvm::ArrayRef<Expression> rowBases, bool rowsMayEnd) {
    Expressions zeros(tilePairs.size() * rows, k.f32(0));
    Expressions products =
        k.loop(k.index(0), k.index(linear.octets()), 1, zeros,
               [&](Expression octet, llvm::ArrayRef<Expression> carried) {
                 return multiplyTile(k, x, weight, octet, tokenBases, rowBases,
                                     carried);
               });
    for (size_t t = 0; t != tilePairs.size(); ++t) {
      Expression isInside = tilePairs[t] < double(k.dim("P"));
      if (rowsMayEnd)
        isInside = isInside & (firstRow < double(linear.weightRows));
      k.when(isInside, [&] {
        storeOutputs(
            k, linear, out, tilePairs[t], firstRow,
            llvm::ArrayRef<Expression>(products).slice(t * rows, rows));
      });
    }
  }

  KernelBuilder &k;
  Linear linear;
  unsigned tokens, rows;
  InputBuffer x, pairs, weight;
  OutputBuffer out;
  Expression firstSlot, firstRow;
};

} // namespace

Status quern::buildExpertTiles(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "C", 8));
  if (k.getType("out") != DataType::F32)
    QUERN_RETURN_IF_ERROR(requireMultiple(k, "N", 8));
  Linear linear{k.dim("P"), k.dim("C"), k.dim("W"), LinearEpilogue::None};
  QUERN_ASSIGN_OR_RETURN(linear.epilogue, readLinearEpilogue(k));
  QUERN_RETURN_IF_ERROR(checkOutputs(k, linear));
  if (k.dim("P") % k.dim("R") != 0)
    return invalidArgument(std::to_string(k.dim("P")) +
                           " outputs are no multiple of " +
                           std::to_string(k.dim("R")) + " inputs");
  k.flops = 2 * uint64_t(k.dim("P")) * linear.inputs * linear.weightRows;
  return ExpertTilesBuilder(k, linear).build();
}

Status quern::buildExpertCombine(KernelBuilder &k) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "H", 8));
  int64_t octets = k.dim("H") / 8, slots = k.dim("K");
  InputBuffer products = k.getInput("products");
  InputBuffer weights = k.getScalarInput("weights");
  OutputBuffer out = k.getOutput("out");
  return buildPerOctet(
      k, k.dim("T"), k.dim("H"), [&](Expression token, Expression octet) {
        Expressions sums = k.loop(
            k.index(0), k.index(slots), 1, {k.zeroVector(), k.zeroVector()},
            [&](Expression slot, llvm::ArrayRef<Expression> carried) {
              Expression pair = token * double(slots) + slot;
              Octet product = products.readOctet(pair * double(octets) + octet);
              Expression scale = splat(weights.read(pair));
              return Expressions{fma(product.a, scale, carried[0]),
                                 fma(product.b, scale, carried[1])};
            });
        out.writeOctet(token * double(octets) + octet,
                       {sums[0], sums[1], OctetOrder::Linear});
      });
}
