//===- ExpertTiles.cpp - experts, tiles of sorted pairs -------------------===//
//
// As linear for few tokens, where the input rows of a tile are those of the
// pairs that expert_sort put there, and the weight is that of its expert. There
// is code for each size of a tile, and a workgroup walks the tiles of one size
// after the other: devices that run vectors of lanes under a mask execute every
// branch, taken or not, so neither a tile nor a workgroup may be empty. Tiles
// of many rows are for matrix units (ExpertMatrix.cpp); where those can't
// multiply the weights, lanes compute them in parts.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/ExpertTiles.h"
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/MatrixTiles.h"
#include "codegen/Kernels/Panels.h"

using namespace quern;

namespace {

class ExpertTilesBuilder {
public:
  ExpertTilesBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear),
        rows(chooseRows(k, linear, k.getTarget().gemvRows)) {}

  /// Axis x counts weight rows, axis y the workgroups that share the tiles.
  Status build() {
    QUERN_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, getTileSizes(k));
    k.setSubgroups(k.getTarget().subgroupsPerWorkgroup);
    int64_t perGroup = int64_t(rows) * k.getSubgroups();
    int64_t rowGroups = (linear.weightRows + perGroup - 1) / perGroup;
    int64_t walkers = std::clamp<int64_t>(
        k.getTarget().expertsWorkgroups / rowGroups, 1, k.dim("TILES"));
    k.setGrid(0, rowGroups);
    k.setGrid(1, walkers);
    x = k.getInput("x");
    pairs = k.getInput("pairs");
    weight = k.getInput("weight");
    out = getLinearOutput(k, linear, rows);
    tileExperts = k.getInput("tile_experts");
    InputBuffer tileEnds = k.getInput("tile_ends");

    lane = k.getLane();
    firstRow = (k.getGroup(0) * double(k.getSubgroups()) + k.getSubgroup()) *
               double(rows);
    k.guard(
        linear.weightRows % perGroup != 0,
        [&] { return firstRow < double(linear.weightRows); },
        [&] {
          WeightRows weightRows =
              getWeightRows(k, linear, weight, firstRow, rows);
          Expression first = k.index(0);
          for (auto [i, size] : llvm::enumerate(sizes)) {
            Expression end = toIndex(tileEnds.read(k.index(i)));
            k.loop(first + k.getGroup(1), end, walkers, [&](Expression tile) {
              Expression row = tile * double(k.dim("M"));
              if (size <= mostRows)
                return buildTile(weightRows, tile, row, size);
              k.loop(row, row + double(size), mostRows, [&](Expression part) {
                buildTile(weightRows, tile, part, mostRows);
              });
            });
            first = end;
          }
        });
    return Status::ok();
  }

private:
  /// More would need more registers than lanes have.
  static constexpr int64_t mostRows = 8;

  /// The products of `size` rows of a tile, from `begin` on. Lane l knows the
  /// pair of row l modulo `size`.
  void buildTile(const WeightRows &weightRows, Expression tile,
                 Expression begin, int64_t size) {
    int64_t total = k.dim("P"), perInput = total / k.dim("R");
    Expression expert =
        toIndex(min(tileExperts.read(tile), k.i32(k.dim("E") - 1)));
    WeightRows chosen = weightRows.ofMatrix(expert);
    Expression pair = toIndex(pairs.read(begin + lane % double(size)));
    Expression input = min(pair, k.index(total - 1)) / double(perInput);
    Expression inputBase = toI32(input * double(linear.octets()));
    Expressions inputBases;
    for (int64_t t = 0; t != size; ++t)
      inputBases.push_back(toIndex(k.shuffleFrom(inputBase, k.i32(t))));
    Expressions products = sumShares(
        k, accumulateShares(k, x, chosen, linear.octets(), inputBases), size);
    k.when((lane < double(size)) & (pair < double(total)),
           [&] { storeOutputs(k, linear, out, pair, firstRow, products); });
  }

  KernelBuilder &k;
  Linear linear;
  unsigned rows;
  InputBuffer x, pairs, tileExperts, weight;
  OutputBuffer out;
  Expression lane, firstRow;
};

} // namespace

Result<std::vector<int64_t>> quern::getTileSizes(const KernelBuilder &k) {
  int64_t most = k.dim("M");
  if (most > int64_t(k.getSubgroupSize()) || (most & (most - 1)) != 0)
    return unsupported("tiles of " + std::to_string(most) +
                       " rows: not a power of two up to the subgroup size " +
                       std::to_string(k.getSubgroupSize()));
  std::vector<int64_t> sizes;
  for (int64_t size = most; size != 0; size /= 2)
    sizes.push_back(size);
  if (int64_t(sizes.size()) != k.dim("SIZES"))
    return invalidArgument("tiles of up to " + std::to_string(most) +
                           " rows have " + std::to_string(sizes.size()) +
                           " sizes, not " + std::to_string(k.dim("SIZES")));
  return sizes;
}

static Status buildRowMajorTiles(KernelBuilder &k, const Linear &linear) {
  if (k.dim("M") >= leastMatrixTile)
    if (std::optional<DataType> element = chooseMatrixElement(k, linear))
      return buildExpertMatrix(k, linear, *element);
  return ExpertTilesBuilder(k, linear).build();
}

static Status buildTiles(KernelBuilder &k, PanelInputs inputs) {
  QUERN_RETURN_IF_ERROR(requireMultiple(k, "C", 8));
  QUERN_RETURN_IF_ERROR(checkMatrices(k, "weight", k.dim("W")));
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
  QUERN_ASSIGN_OR_RETURN(bool inPanels, hasPanels(k, linear, inputs));
  if (inputs == PanelInputs::Codes)
    QUERN_RETURN_IF_ERROR(checkCodes(k, linear.inputs));
  else if (!inPanels)
    return buildRowMajorTiles(k, linear);
  return buildPanelExpertTiles(k, linear, inputs);
}

Status quern::buildExpertTiles(KernelBuilder &k) {
  return buildTiles(k, PanelInputs::Floats);
}
Status quern::buildIntegerExpertTiles(KernelBuilder &k) {
  return buildTiles(k, PanelInputs::Codes);
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
