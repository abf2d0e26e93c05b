//===- ExpertPanels.cpp - experts, a lane owns a weight row ---------------===//
//
// The forms of ExpertRows.cpp and ExpertTiles.cpp for weights in panels and for
// int8 inputs.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/ExpertTiles.h"
#include "codegen/Kernels/Panels.h"

using namespace quern;

namespace {

class PanelExpertsBuilder {
public:
  PanelExpertsBuilder(KernelBuilder &k, const Linear &linear,
                      PanelInputs inputs, RegisterTile most, int64_t width)
      : k(k), linear(linear), inputs(inputs), most(most),
        columns(k, linear, width) {}

  Status buildRows() {
    QUERN_RETURN_IF_ERROR(beginGathered());
    int64_t slots = k.dim("K");
    k.setGrid(2, slots);
    Expression token = k.getGroup(1);
    Expression pair = token * double(slots) + k.getGroup(2);
    store(pair, multiply(token, pair));
    return Status::ok();
  }

  Status buildSum() {
    QUERN_RETURN_IF_ERROR(beginGathered());
    int64_t slots = k.dim("K");
    InputBuffer weights = k.getScalarInput("weights");
    Expression token = k.getGroup(1);
    Expressions zeros(columns.width, k.f32(0));
    store(token, k.loop(k.index(0), k.index(slots), 1, zeros,
                        [&](Expression slot, llvm::ArrayRef<Expression> sums) {
                          Expression pair = token * double(slots) + slot;
                          Expressions products = multiply(pair, pair);
                          Expression scale = weights.read(pair);
                          for (auto [product, sum] : llvm::zip(products, sums))
                            product = fma(product, scale, sum);
                          return products;
                        }));
    return Status::ok();
  }

  /// Axis x counts panels, axis y the workgroups that share the tiles.
  Status buildTiles() {
    QUERN_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, getTileSizes(k));
    k.setSubgroups(1);
    // A walker's tiles follow each other: one or two experts, whose weights are
    // read once, for so few tokens that their inputs stay in the cache.
    constexpr int64_t tilesOfWalker = 16;
    int64_t walkers = std::max<int64_t>(k.dim("TILES") / tilesOfWalker, 1);
    k.setGrid(0, columns.getGroups());
    k.setGrid(1, walkers);
    columns.place(k.getGroup(0), /*apart=*/false);
    addArguments();
    // The first tile of an expert waits for its weights, and the others lose
    // nothing. Measured with dense weights alone.
    panels->readsFromMemory = inputs == PanelInputs::Floats;
    pairs = k.getInput("pairs");
    InputBuffer tileExperts = k.getInput("tile_experts");
    InputBuffer tileEnds = k.getInput("tile_ends");
    Expression first = k.index(0), walker = k.getGroup(1);
    for (auto [i, size] : llvm::enumerate(sizes)) {
      Expression end = toIndex(tileEnds.read(k.index(i)));
      Expression count = end - first;
      auto getBound = [&](Expression number) {
        return first + count * number / double(walkers);
      };
      k.loop(getBound(walker), getBound(walker + 1), 1, [&](Expression tile) {
        buildTile(tile, getExpert(tileExperts, tile), size);
      });
      first = end;
    }
    return Status::ok();
  }

private:
  /// Axis x counts panels, axis y tokens.
  Status beginGathered() {
    k.setSubgroups(1);
    k.setGrid(0, columns.getGroups());
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, 1));
    columns.place(k.getGroup(0), /*apart=*/true);
    addArguments();
    panels->readsFromMemory = true;
    experts = k.getInput("experts");
    return Status::ok();
  }

  void addArguments() {
    panels = createPanelProducts(k, linear, inputs);
    out = columns.getOutput();
  }

  Expression getExpert(const InputBuffer &buffer, Expression at) {
    return toIndex(min(buffer.read(at), k.i32(k.dim("E") - 1)));
  }

  /// Input row `input` with the expert of `choice`.
  Expressions multiply(Expression input, Expression choice) {
    return panels->compute({input}, getExpert(experts, choice),
                           columns.numbers);
  }
  void store(Expression row, llvm::ArrayRef<Expression> products) {
    columns.store(out, row, /*mayEnd=*/false, {}, products);
  }

  /// The products of the first `size` rows of a tile, some at a time.
  void buildTile(Expression tile, Expression expert, int64_t size) {
    int64_t total = k.dim("P"), perInput = total / k.dim("R");
    for (int64_t from = 0; from < size; from += most.tokens) {
      Expressions outputs, rows;
      for (int64_t t = from; t != std::min(size, from + most.tokens); ++t) {
        Expression pair =
            toIndex(pairs.read(tile * double(k.dim("M")) + double(t)));
        outputs.push_back(pair);
        rows.push_back(min(pair, k.index(total - 1)) / double(perInput));
      }
      Expressions products = panels->compute(rows, expert, columns.numbers);
      for (auto [t, pair] : llvm::enumerate(outputs))
        columns.store(
            out, pair, /*mayEnd=*/true, [&] { return pair < double(total); },
            llvm::ArrayRef(products).slice(t * columns.width, columns.width));
    }
  }

  KernelBuilder &k;
  Linear linear;
  PanelInputs inputs;
  RegisterTile most;
  PanelColumns columns;
  std::unique_ptr<PanelProducts> panels;
  InputBuffer experts, pairs;
  OutputBuffer out;
};

} // namespace

/// For one input row at a time.
static PanelExpertsBuilder makeGathered(KernelBuilder &k, const Linear &linear,
                                        PanelInputs inputs) {
  RegisterTile most = getRegisterTile(k.getTarget(), inputs);
  int64_t streams = k.getTarget().panelStreams;
  return PanelExpertsBuilder(k, linear, inputs, most,
                             std::min(streams, most.tokens * most.width));
}

Status quern::buildPanelExpertRows(KernelBuilder &k, const Linear &linear,
                                   PanelInputs inputs) {
  return makeGathered(k, linear, inputs).buildRows();
}

Status quern::buildPanelExpertSum(KernelBuilder &k, const Linear &linear,
                                  PanelInputs inputs) {
  return makeGathered(k, linear, inputs).buildSum();
}

Status quern::buildPanelExpertTiles(KernelBuilder &k, const Linear &linear,
                                    PanelInputs inputs) {
  RegisterTile most = getRegisterTile(k.getTarget(), inputs);
  return PanelExpertsBuilder(k, linear, inputs, most, most.width).buildTiles();
}
