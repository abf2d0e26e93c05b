//===- LinearPanels.cpp - linear with weights in panels -------------------===//
//
// A panel has as many weight rows as a subgroup has lanes, word by word
// (exec.weight): a lane owns a row, the words of all lanes are one contiguous
// read, inputs are the same in all lanes, and nothing is summed across lanes.
//
// A workgroup computes some panels for a tile of tokens. With few tokens its
// panels lie far apart: consecutive workgroups then read several streams, each
// of them sequential, which memory serves faster than one.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/Linear.h"

using namespace quern;

namespace {

class LinearPanelsBuilder {
public:
  LinearPanelsBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear), lanes(k.getSubgroupSize()),
        perWord(k.getType("weight") == DataType::F32 ? 1 : 2),
        words(linear.inputs / perWord), panels(linear.weightRows / lanes) {
    const TargetDescription &target = k.getTarget();
    int64_t most = target.panelTokens, registers = most * target.panelWidth;
    isFew = linear.tokens <= most;
    // Tiles of equal size, so that the last one is not nearly empty.
    int64_t tiles = (linear.tokens + most - 1) / most;
    tokens = (linear.tokens + tiles - 1) / tiles;
    width = isFew ? std::min<int64_t>(target.panelStreams, registers / tokens)
                  : target.panelWidth;
    width = std::clamp<int64_t>(width, 1, panels);
    // Additions to one sum wait for each other: two sums where there is room.
    sumsPerRow = tokens * width * perWord <= registers ? perWord : 1;
  }

  Status build() {
    k.setSubgroups(1);
    int64_t groups = (panels + width - 1) / width;
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(linear.tokens, tokens));
    if (isFew) {
      k.setGrid(0, groups);
    } else {
      // Neighbours have the same panels, which stay in the cache.
      std::swap(k.launch.grid[0], k.launch.grid[1]);
      k.launch.axis = 0;
      k.setGrid(1, groups);
    }
    x = k.getScalarInput("x");
    weight = k.getScalarInput("weight");
    out = k.getRunOutput("out", k.getType("out") == DataType::F32 ? 1 : 2);
    lane = k.getLane();
    Expression group = k.getGroup(isFew ? 0 : 1);
    for (int64_t p = 0; p != width; ++p) {
      Expression panel = isFew ? group + double(p * groups)
                               : group * double(width) + double(p);
      panelNumbers.push_back(panel);
      if (panels % width != 0)
        panel = min(panel, k.index(panels - 1));
      panelBases.push_back(panel * double(words * lanes) + lane);
    }
    Expression first = isFew ? k.index(0) : k.getGroup(0) * double(tokens);
    for (int64_t t = 0; t != tokens; ++t) {
      Expression token = first + double(t);
      tokenNumbers.push_back(token);
      if (linear.tokens % tokens != 0)
        token = min(token, k.index(linear.tokens - 1));
      tokenBases.push_back(token * double(linear.inputs));
    }
    buildTile();
    return Status::ok();
  }

private:
  /// sums[(t * width + p) * sumsPerRow + s]
  void buildTile() {
    Expressions zeros(size_t(tokens * width * sumsPerRow), k.f32(0));
    Expressions sums =
        k.loop(k.index(0), k.index(linear.octets()), 1, zeros,
               [&](Expression octet, llvm::ArrayRef<Expression> carried) {
                 Expressions next(carried.begin(), carried.end());
                 multiplyOctet(octet, next);
                 return next;
               });
    bool mayEnd = panels % width != 0 || linear.tokens % tokens != 0;
    for (int64_t t = 0; t != tokens; ++t)
      for (int64_t p = 0; p != width; ++p) {
        size_t at = size_t(t * width + p) * sumsPerRow;
        Expression product =
            sumsPerRow == 1 ? sums[at] : sums[at] + sums[at + 1];
        k.guard(
            mayEnd,
            [&] {
              return (panelNumbers[p] < double(panels)) &
                     (tokenNumbers[t] < double(linear.tokens));
            },
            [&] { store(tokenNumbers[t], panelNumbers[p], product); });
      }
  }

  void multiplyOctet(Expression octet, Expressions &sums) {
    int64_t wordsPerOctet = 8 / perWord;
    Expression firstElement = octet * 8.0;
    Expression firstWord = octet * double(wordsPerOctet * lanes);
    std::vector<Expressions> inputs(tokens); // The word read last.
    for (int64_t word = 0; word != wordsPerOctet; ++word) {
      llvm::SmallVector<Expressions, 4> weights;
      for (const Expression &base : panelBases)
        weights.push_back(
            weight.readWord(base + firstWord + double(word * lanes)));
      for (int64_t e = 0; e != perWord; ++e) {
        int64_t element = word * perWord + e;
        for (int64_t t = 0; t != tokens; ++t) {
          Expression input = readInput(t, firstElement, element, inputs[t]);
          for (int64_t p = 0; p != width; ++p) {
            Expression &sum =
                sums[(t * width + p) * sumsPerRow + e % sumsPerRow];
            sum = fma(weights[p][e], input, sum);
          }
        }
      }
    }
  }

  /// An element of the octet that begins at `first`; `word` keeps those of the
  /// word that it was in.
  Expression readInput(int64_t t, Expression first, int64_t element,
                       Expressions &word) {
    int64_t perInputWord = k.getType("x") == DataType::F32 ? 1 : 2;
    if (element % perInputWord == 0)
      word = x.readWord((tokenBases[t] + first) / double(perInputWord) +
                        double(element / perInputWord));
    return word[element % perInputWord];
  }

  /// Stores the products of a panel's rows, one in each lane. Lanes whose
  /// outputs make whole words store them.
  void store(Expression token, Expression panel, Expression product) {
    unsigned distance = linear.perOutput();
    Expression value = product;
    if (linear.epilogue != LinearEpilogue::None)
      value = applyEpilogue(linear.epilogue,
                            {product, k.shuffleXor(product, 1)})[0];
    Expression at = token * double(linear.outputs()) +
                    panel * double(lanes / distance) + lane / double(distance);
    Expressions values{value};
    if (k.getType("out") != DataType::F32) {
      values.push_back(k.shuffleXor(value, distance));
      distance *= 2;
    }
    k.guard(
        distance != 1, [&] { return lane % double(distance) == 0; },
        [&] { out.writeRun(at, values); });
  }

  KernelBuilder &k;
  const Linear &linear;
  int64_t lanes, perWord, words, panels;
  int64_t tokens, width, sumsPerRow;
  bool isFew;
  InputBuffer x, weight;
  OutputBuffer out;
  Expression lane;
  Expressions panelNumbers, panelBases, tokenNumbers, tokenBases;
};

} // namespace

Status quern::buildLinearPanels(KernelBuilder &k, const Linear &linear) {
  if (linear.weightRows % k.getSubgroupSize() != 0)
    return invalidArgument("the weight has " +
                           std::to_string(linear.weightRows) +
                           " rows, which are no panels");
  return LinearPanelsBuilder(k, linear).build();
}
