//===- LinearMma.cpp - linear for many tokens on matrix units -------------===//
//
// A workgroup computes a tile of tokens x weight rows, 32 columns at a time,
// which it copies into workgroup memory some steps ahead. A subgroup multiplies
// all tokens of the tile with 32 weight rows of its own (MmaWeights), in
// products of 16 tokens x 16 columns x 8 rows.
//
// Codes of encoded rows are multiplied as whole numbers; the scale of a group
// of 32 columns multiplies their sum, as it does elsewhere.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/Linear.h"
#include "codegen/Kernels/MmaWeights.h"

using namespace quern;

static constexpr unsigned tokensOfProduct = 16;
/// Octets of a token in a step.
static constexpr unsigned stepOctets = MmaWeights::columns / 8;

bool quern::usesMatrixUnits(const KernelBuilder &k, const Linear &linear) {
  return k.getTarget().mmaTokens != 0 &&
         linear.inputs % MmaWeights::columns == 0 &&
         MmaWeights::areExact(k.getType("x"), k.getArgument("weight"));
}

namespace {

class LinearMmaBuilder {
public:
  LinearMmaBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear), type(k.getType("x")),
        stages(k.getTarget().mmaStages) {
    int64_t needed = (linear.tokens + tokensOfProduct - 1) / tokensOfProduct;
    tileTokens = tokensOfProduct *
                 static_cast<unsigned>(std::min<int64_t>(
                     needed, k.getTarget().mmaTokens / tokensOfProduct));
  }

  Status build() {
    k.setSubgroups(k.getTarget().subgroupsPerWorkgroup);
    int64_t tileRows = int64_t(k.getSubgroups()) * MmaWeights::rows;
    k.setGrid(0, (linear.weightRows + tileRows - 1) / tileRows);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, tileTokens));
    x = k.getInput("x");
    lane = k.getLane();
    thread = k.getSubgroup() * double(k.getSubgroupSize()) + lane;
    firstToken = k.getGroup(1) * double(tileTokens);
    firstRow = k.getGroup(0) * double(tileRows) +
               k.getSubgroup() * double(MmaWeights::rows);
    inputs = k.allocateMemory(int64_t(stages) * stageOctets(), 4);
    MmaWeights weights(k, linear, type, firstRow, stages);
    out = getLinearOutput(k, linear, rowsOfLane);
    store(multiply(weights));
    return Status::ok();
  }

private:
  /// Consecutive weight rows of which a lane gets the products.
  static constexpr unsigned rowsOfLane = 8;

  int64_t stageOctets() const { return int64_t(tileTokens) * stepOctets; }
  unsigned tokenBlocks() const { return tileTokens / tokensOfProduct; }

  /// The products of this lane, in fragments [token block, weight product].
  Expressions multiply(const MmaWeights &weights) {
    int64_t steps = linear.inputs / MmaWeights::columns;
    for (unsigned stage = 0; stage + 1 != stages; ++stage) {
      if (stage < steps)
        copy(weights, k.index(stage), k.index(stage));
      k.commitCopies();
    }
    Expressions zeros(tokenBlocks() * MmaWeights::products, k.zeroVector());
    return k.loop(
        k.index(0), k.index(steps), 1, zeros,
        [&](Expression step, llvm::ArrayRef<Expression> carried) {
          k.waitForCopies(stages - 2);
          // Behind it all lanes see the step's columns and are done
          // with those of the step before, whose stage is free.
          k.barrier();
          Expression ahead = step + double(stages - 1);
          k.when(ahead < double(steps),
                 [&] { copy(weights, ahead, ahead % double(stages)); });
          k.commitCopies();
          return multiplyStep(weights, step % double(stages), carried);
        });
  }

  void copy(const MmaWeights &weights, Expression step, Expression stage) {
    unsigned threads = k.launch.workgroupSize[0];
    unsigned octets = static_cast<unsigned>(stageOctets());
    for (unsigned first = 0; first < octets; first += threads) {
      Expression item = thread + double(first);
      k.guard(
          first + threads > octets, [&] { return item < double(octets); },
          [&] {
            Expression row = item / double(stepOctets);
            Expression octet = item % double(stepOctets);
            Expression token = firstToken + row;
            if (linear.tokens % tileTokens != 0)
              token = min(token, k.index(linear.tokens - 1));
            k.copyAsync(x,
                        token * double(linear.octets()) +
                            step * double(stepOctets) + octet,
                        inputs,
                        stage * double(octets) + row * double(stepOctets) +
                            (octet ^ (row / 2.0 % double(stepOctets))));
          });
    }
    weights.copy(step, stage);
  }

  /// Fragments [token block, half of the columns]; octets are swapped so that
  /// eight rows come from different banks.
  Expressions readInputs(Expression stage) {
    Expression row = lane % double(tokensOfProduct);
    Expression base = stage * double(stageOctets()) + row * double(stepOctets);
    Expressions fragments;
    for (unsigned block = 0; block != tokenBlocks(); ++block)
      for (unsigned half = 0; half != 2; ++half) {
        Expression octet = lane / double(tokensOfProduct) + double(2 * half);
        fragments.push_back(k.loadMatrix(
            inputs, base + double(block * tokensOfProduct * stepOctets) +
                        (octet ^ (row / 2.0 % double(stepOctets)))));
      }
    return fragments;
  }

  Expressions multiplyStep(const MmaWeights &weights, Expression stage,
                           llvm::ArrayRef<Expression> carried) {
    Expressions tokens = readInputs(stage);
    Expressions sums(carried.begin(), carried.end());
    /// The sum over the columns of the step, added to `sum`.
    auto add = [&](unsigned block, const Expressions &rows, Expression sum) {
      for (unsigned half = 0; half != 2; ++half)
        sum =
            k.multiplyMatrices(type, tokens[2 * block + half], rows[half], sum);
      return sum;
    };
    Expressions scales, minima, totals;
    if (weights.isEncoded())
      scales = weights.readFactors(stage, 0);
    if (weights.hasMinimum()) {
      minima = weights.readFactors(stage, 1);
      // Inputs are summed up by a product with ones.
      Expression one = k.i32(type == DataType::F16 ? 0x3c003c00 : 0x3f803f80);
      Expression ones = vector({one, one});
      for (unsigned block = 0; block != tokenBlocks(); ++block)
        totals.push_back(add(block, {ones, ones}, k.zeroVector()));
    }
    for (unsigned p = 0; p != MmaWeights::products; ++p) {
      Expressions rows = weights.readFragments(stage, p);
      for (unsigned block = 0; block != tokenBlocks(); ++block) {
        Expression &sum = sums[block * MmaWeights::products + p];
        if (!weights.isEncoded()) {
          sum = add(block, rows, sum);
          continue;
        }
        sum = fma(add(block, rows, k.zeroVector()), scales[p], sum);
        if (weights.hasMinimum())
          sum = fma(totals[block], minima[p], sum);
      }
    }
    return sums;
  }

  void store(const Expressions &sums) {
    int64_t tileRows = int64_t(k.getSubgroups()) * MmaWeights::rows;
    bool tokensMayEnd = linear.tokens % tileTokens != 0,
         rowsMayEnd = linear.weightRows % tileRows != 0;
    Expression row = firstRow + lane % 4.0 * double(rowsOfLane);
    for (unsigned block = 0; block != tokenBlocks(); ++block)
      for (unsigned half = 0; half != 2; ++half) {
        Expression token = firstToken + lane / 4.0 +
                           double(block * tokensOfProduct + 8 * half);
        Expressions products;
        for (unsigned p = 0; p != MmaWeights::products; ++p) {
          Expression sum = sums[block * MmaWeights::products + p];
          products.append({sum[2 * half], sum[2 * half + 1]});
        }
        auto isInside = [&] {
          Expression inside = token < double(linear.tokens);
          return rowsMayEnd ? inside & (row < double(linear.weightRows))
                            : inside;
        };
        k.guard(tokensMayEnd || rowsMayEnd, isInside,
                [&] { storeOutputs(k, linear, out, token, row, products); });
      }
  }

  KernelBuilder &k;
  const Linear &linear;
  DataType type;
  unsigned stages, tileTokens;
  InputBuffer x;
  OutputBuffer out;
  Expression lane, thread, firstToken, firstRow, inputs;
};

} // namespace

Status quern::buildLinearMma(KernelBuilder &k, const Linear &linear) {
  return LinearMmaBuilder(k, linear).build();
}
