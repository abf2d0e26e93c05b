//===- LinearTiles.cpp - linear for many tokens ---------------------------===//
//
// Lanes form a grid of token lanes x row lanes; each owns a register tile of
// consecutive tokens and consecutive weight rows and walks K octet by octet.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/Linear.h"

using namespace quern;

Expressions quern::multiplyTile(KernelBuilder &k, const InputBuffer &x,
                                const WeightRows &weight, Expression octet,
                                llvm::ArrayRef<Expression> tokenBases,
                                llvm::ArrayRef<Expression> carried) {
  Expressions products(carried.begin(), carried.end());
  Octets weights = weight.readOctets(octet);
  size_t rows = weights.size();
  for (size_t t = 0; t != tokenBases.size(); ++t) {
    Octet input =
        k.reorder(x.readOctet(tokenBases[t] + octet), weight.naturalOrder());
    for (size_t r = 0; r != rows; ++r) {
      Expression &product = products[t * rows + r];
      product = dot(weights[r].b, input.b, dot(weights[r].a, input.a, product));
    }
  }
  return products;
}

namespace {

class LinearTilesBuilder {
public:
  LinearTilesBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear), tokens(k.getTarget().gemmTokens),
        rows(chooseRows(k, linear, k.getTarget().gemmRows)) {}

  Status build() {
    k.setSubgroups(k.getTarget().subgroupsPerWorkgroup);
    unsigned lanes = k.launch.workgroupSize[0];
    // Short prompts would waste most of a taller tile.
    unsigned tokenLanes = std::max(1u, std::min(lanes, 32 / tokens));
    unsigned rowLanes = lanes / tokenLanes;
    int64_t tileRows = int64_t(rowLanes) * rows;
    uint32_t tileTokens = tokenLanes * tokens;
    k.setGrid(0, (linear.weightRows + tileRows - 1) / tileRows);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, tileTokens));
    x = k.getInput("x");
    weight = k.getInput("weight");
    out = getLinearOutput(k, linear, rows);

    Expression thread =
        k.getSubgroup() * double(k.getSubgroupSize()) + k.getLane();
    firstToken = k.getGroup(1) * double(tileTokens) +
                 thread / double(rowLanes) * double(tokens);
    firstRow = k.getGroup(0) * double(tileRows) +
               thread % double(rowLanes) * double(rows);
    buildTile(linear.tokens % tileTokens != 0,
              linear.weightRows % tileRows != 0);
    return Status::ok();
  }

private:
  void buildTile(bool tokensMayEnd, bool rowsMayEnd) {
    Expressions tokenBases = makeTokenBases(tokensMayEnd);
    WeightRows weightRows(k, "weight", weight, linear.inputs,
                          {firstRow, rows, linear.weightRows, rowsMayEnd});
    Expressions zeros(tokens * rows, k.f32(0));
    Expressions products = k.loop(
        k.index(0), k.index(linear.octets()), 1, zeros,
        [&](Expression octet, llvm::ArrayRef<Expression> carried) {
          return multiplyTile(k, x, weightRows, octet, tokenBases, carried);
        });
    for (unsigned t = 0; t != tokens; ++t) {
      Expression token = firstToken + double(t);
      auto isInside = [&] {
        Expression inside = token < double(linear.tokens);
        return rowsMayEnd ? inside & (firstRow < double(linear.weightRows))
                          : inside;
      };
      k.guard(tokensMayEnd || rowsMayEnd, isInside, [&] {
        storeOutputs(
            k, linear, out, token, firstRow,
            llvm::ArrayRef<Expression>(products).slice(t * rows, rows));
      });
    }
  }

  /// First octets of the tokens, clamped to the last.
  Expressions makeTokenBases(bool mayEnd) {
    Expressions bases;
    for (unsigned i = 0; i != tokens; ++i) {
      Expression at = firstToken + double(i);
      if (mayEnd)
        at = min(at, k.index(linear.tokens - 1));
      bases.push_back(at * double(linear.octets()));
    }
    return bases;
  }

  KernelBuilder &k;
  const Linear &linear;
  unsigned tokens, rows;
  InputBuffer x, weight;
  OutputBuffer out;
  Expression firstToken, firstRow;
};

} // namespace

Status quern::buildLinearTiles(KernelBuilder &k, const Linear &linear) {
  return LinearTilesBuilder(k, linear).build();
}
