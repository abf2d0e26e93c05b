//===- LinearPanels.cpp - linear with weights in panels -------------------===//
//
// A panel has as many weight rows as a subgroup has lanes, word by word
// (exec.weight): a lane owns a row, the words of all lanes are one contiguous
// read, inputs are the same in all lanes, and nothing is summed across lanes.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/Linear.h"

using namespace quern;

namespace {

class LinearPanelsBuilder {
public:
  LinearPanelsBuilder(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear),
        tile(k, linear, k.getTarget().panelTokens, k.getTarget().panelWidth),
        lanes(k.getSubgroupSize()),
        perWord(k.getType("weight") == DataType::F32 ? 1 : 2),
        words(linear.inputs / perWord) {
    // Additions to one sum wait for each other: two sums where there is room.
    bool hasRoom = tile.tokens * tile.width * perWord <= tile.registers;
    sumsPerRow = hasRoom ? perWord : 1;
  }

  Status build() {
    QUERN_RETURN_IF_ERROR(tile.place());
    x = k.getScalarInput("x");
    weight = k.getScalarInput("weight");
    OutputBuffer out = tile.getOutput();
    for (const Expression &panel : tile.panelNumbers)
      panelBases.push_back(panel * double(words * lanes) + k.getLane());
    for (const Expression &token : tile.tokenNumbers)
      tokenBases.push_back(token * double(linear.inputs));
    tile.store(out, computeProducts());
    return Status::ok();
  }

private:
  Expressions computeProducts() {
    // sums[(t * width + p) * sumsPerRow + s]
    Expressions zeros(size_t(tile.tokens * tile.width * sumsPerRow), k.f32(0));
    Expressions sums =
        k.loop(k.index(0), k.index(linear.octets()), 1, zeros,
               [&](Expression octet, llvm::ArrayRef<Expression> carried) {
                 Expressions next(carried.begin(), carried.end());
                 multiplyOctet(octet, next);
                 return next;
               });
    if (sumsPerRow == 1)
      return sums;
    Expressions products;
    for (size_t at = 0; at != sums.size(); at += 2)
      products.push_back(sums[at] + sums[at + 1]);
    return products;
  }

  void multiplyOctet(Expression octet, Expressions &sums) {
    int64_t wordsPerOctet = 8 / perWord;
    Expression firstElement = octet * 8.0;
    Expression firstWord = octet * double(wordsPerOctet * lanes);
    std::vector<Expressions> inputs(tile.tokens); // The word read last.
    for (int64_t word = 0; word != wordsPerOctet; ++word) {
      llvm::SmallVector<Expressions, 4> weights;
      for (const Expression &base : panelBases)
        weights.push_back(
            weight.readWord(base + firstWord + double(word * lanes)));
      for (int64_t e = 0; e != perWord; ++e) {
        int64_t element = word * perWord + e;
        for (int64_t t = 0; t != tile.tokens; ++t) {
          Expression input = readInput(t, firstElement, element, inputs[t]);
          for (int64_t p = 0; p != tile.width; ++p) {
            Expression &sum =
                sums[(t * tile.width + p) * sumsPerRow + e % sumsPerRow];
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

  KernelBuilder &k;
  const Linear &linear;
  PanelTile tile;
  int64_t lanes, perWord, words;
  int64_t sumsPerRow;
  InputBuffer x, weight;
  Expressions panelBases, tokenBases;
};

} // namespace

Status quern::buildLinearPanels(KernelBuilder &k, const Linear &linear) {
  if (linear.weightRows % k.getSubgroupSize() != 0)
    return invalidArgument("the weight has " +
                           std::to_string(linear.weightRows) +
                           " rows, which are no panels");
  return LinearPanelsBuilder(k, linear).build();
}
