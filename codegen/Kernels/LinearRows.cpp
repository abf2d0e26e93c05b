//===- LinearRows.cpp - linear for few tokens -----------------------------===//
//
// A subgroup owns `rows` weight rows; lane l reads octets l, l + lanes, ... of
// each of them once and multiplies them with all tokens. The lanes' shares are
// summed at the end, the tokens together.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/Linear.h"

using namespace quern;

/// As multiplyTile for one token, with a vector of partial sums for each row.
static Expressions multiplyVectors(KernelBuilder &k, const InputBuffer &x,
                                   const WeightRows &weight, Expression input,
                                   Expression octet,
                                   llvm::ArrayRef<Expression> carried) {
  Octet value = k.reorder(x.readOctet(input), weight.naturalOrder());
  Expressions sums;
  for (size_t r = 0; r != weight.size(); ++r) {
    Octet w = weight.readOctet(r, octet);
    sums.push_back(fma(w.b, value.b, fma(w.a, value.a, carried[r])));
  }
  return sums;
}

/// The same for a group of encoded rows, whose first octet of the input is
/// `input`: the scale multiplies the sum of the group.
static Expressions multiplyGroups(KernelBuilder &k, const InputBuffer &x,
                                  const WeightRows &weight, Expression input,
                                  Expression group,
                                  llvm::ArrayRef<Expression> carried) {
  Octets values;
  for (unsigned i = 0; i != kGroupSize / 8; ++i)
    values.push_back(
        k.reorder(x.readOctet(input + double(i)), OctetOrder::Linear));
  Expressions scales = weight.readScales(group), minima;
  Expression total;
  if (weight.hasMinimum()) {
    minima = weight.readMinima(group, scales);
    total = values[0].a + values[0].b;
    for (const Octet &value : llvm::drop_begin(values))
      total = total + (value.a + value.b);
  }
  Expressions sums;
  for (size_t r = 0; r != weight.size(); ++r) {
    Octets codes = weight.readCodes(r, group);
    Expression sum = codes[0].a * values[0].a;
    sum = fma(codes[0].b, values[0].b, sum);
    for (size_t i = 1; i != codes.size(); ++i)
      sum = fma(codes[i].b, values[i].b, fma(codes[i].a, values[i].a, sum));
    sum = fma(sum, scales[r], carried[r]);
    if (weight.hasMinimum())
      sum = fma(total, minima[r], sum);
    sums.push_back(sum);
  }
  return sums;
}

Expressions quern::accumulateShares(KernelBuilder &k, const InputBuffer &x,
                                    const WeightRows &weight, int64_t octets,
                                    llvm::ArrayRef<Expression> tokenBases) {
  size_t tokens = tokenBases.size();
  // Vectors make longer independent chains; more of them would be spilled.
  Expressions zeros(tokens * weight.size(),
                    tokens == 1 ? k.zeroVector() : k.f32(0));
  constexpr unsigned octetsPerGroup = kGroupSize / 8;
  bool inGroups = tokens == 1 && weight.isEncoded();
  Expressions shares = k.accumulate(
      inGroups ? octets / octetsPerGroup : octets, k.getSubgroupSize(),
      k.getLane(), zeros,
      [&](Expression at, llvm::ArrayRef<Expression> carried) {
        if (tokens != 1)
          return multiplyTile(k, x, weight, at, tokenBases, carried);
        if (!inGroups)
          return multiplyVectors(k, x, weight, tokenBases[0] + at, at, carried);
        Expression input = tokenBases[0] + at * double(octetsPerGroup);
        return multiplyGroups(k, x, weight, input, at, carried);
      });
  for (Expression &share : shares)
    if (share.isVector())
      share = sum(share);
  return shares;
}

/// Lane l gets the sum across lanes of value l modulo their number, which is
/// rounded up to a power of two. Each step halves what a lane holds: it gives
/// away what the other lane keeps.
static Expression sumEach(KernelBuilder &k, Expressions values) {
  unsigned distance = 1;
  for (; values.size() > 1; distance *= 2) {
    Expression isUpper = k.getLane() / double(distance) % 2 == 1;
    Expressions halves;
    for (size_t i = 0; i < values.size(); i += 2) {
      Expression low = values[i];
      Expression high = i + 1 < values.size() ? values[i + 1] : k.f32(0);
      Expression kept = select(isUpper, high, low);
      Expression given = select(isUpper, low, high);
      halves.push_back(kept + k.shuffleXor(given, distance));
    }
    values = std::move(halves);
  }
  for (; distance < k.getSubgroupSize(); distance *= 2)
    values[0] = values[0] + k.shuffleXor(values[0], distance);
  return values[0];
}

Expressions quern::sumShares(KernelBuilder &k,
                             llvm::ArrayRef<Expression> shares,
                             unsigned tokens) {
  size_t rows = shares.size() / tokens;
  Expressions sums;
  for (size_t r = 0; r != rows; ++r) {
    Expressions column;
    for (size_t t = 0; t != tokens; ++t)
      column.push_back(shares[t * rows + r]);
    sums.push_back(sumEach(k, std::move(column)));
  }
  return sums;
}

WeightRows quern::getWeightRows(KernelBuilder &k, const Linear &linear,
                                const InputBuffer &weight, Expression firstRow,
                                unsigned rows) {
  return WeightRows(
      k, "weight", weight, linear.inputs,
      {firstRow, rows, linear.weightRows, linear.weightRows % rows != 0});
}

namespace {

class LinearRowsBuilder {
public:
  LinearRowsBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear), tokens(linear.tokens),
        rows(chooseRows(k, linear, k.getTarget().gemvRows)) {}

  Status build() {
    k.setSubgroups(k.getTarget().subgroupsPerWorkgroup);
    int64_t perGroup = int64_t(rows) * k.getSubgroups();
    k.setGrid(0, (linear.weightRows + perGroup - 1) / perGroup);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(tokens, tokens));
    x = k.getInput("x");
    weight = k.getInput("weight");
    out = getLinearOutput(k, linear, rows);
    lane = k.getLane();
    firstRow = (k.getGroup(0) * double(k.getSubgroups()) + k.getSubgroup()) *
               double(rows);
    k.guard(
        linear.weightRows % perGroup != 0,
        [&] { return firstRow < double(linear.weightRows); },
        [&] { buildRows(); });
    return Status::ok();
  }

private:
  void buildRows() {
    Expressions tokenBases;
    for (int64_t t = 0; t != tokens; ++t)
      tokenBases.push_back(k.index(t * linear.octets()));
    Expressions products = sumShares(
        k,
        accumulateShares(k, x, getWeightRows(k, linear, weight, firstRow, rows),
                         linear.octets(), tokenBases),
        tokens);
    k.when(lane < double(tokens),
           [&] { storeOutputs(k, linear, out, lane, firstRow, products); });
  }

  KernelBuilder &k;
  const Linear &linear;
  int64_t tokens;
  unsigned rows;
  InputBuffer x, weight;
  OutputBuffer out;
  Expression lane, firstRow;
};

} // namespace

Status quern::buildLinearRows(KernelBuilder &k, const Linear &linear) {
  if (linear.tokens > int64_t(k.getSubgroupSize()))
    return buildLinearTiles(k, linear);
  return LinearRowsBuilder(k, linear).build();
}
