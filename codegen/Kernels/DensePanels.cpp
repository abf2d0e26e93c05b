//===- DensePanels.cpp - Products with panels of a dense weight -----------===//
//
// A panel lies word by word (exec.weight): the words of all lanes are one
// contiguous read.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/Panels.h"

using namespace quern;

namespace {

class DensePanelProducts : public PanelProducts {
public:
  DensePanelProducts(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear), lanes(k.getSubgroupSize()),
        perWord(k.getType("weight") == DataType::F32 ? 1 : 2),
        x(k.getScalarInput("x")), weight(k.getScalarInput("weight")) {}

  Expressions compute(llvm::ArrayRef<Expression> tokens, Expression matrix,
                      llvm::ArrayRef<Expression> panels) override {
    tokenBases.clear();
    for (const Expression &token : tokens)
      tokenBases.push_back(token * double(linear.inputs));
    panelBases.clear();
    int64_t panelWords = linear.inputs / perWord * lanes;
    Expression matrixPanels = matrix * double(linear.weightRows / lanes);
    for (const Expression &panel : panels)
      panelBases.push_back((matrixPanels + panel) * double(panelWords) +
                           k.getLane());
    // Additions to one sum wait for each other: two sums where there is room.
    RegisterTile most = getRegisterTile(k.getTarget(), PanelInputs::Floats);
    int64_t products = int64_t(tokens.size() * panels.size());
    sumsPerRow = products * perWord <= most.tokens * most.width ? perWord : 1;
    return sumOctets(products);
  }

private:
  Expressions sumOctets(int64_t numProducts) {
    // sums[(t * panels + p) * sumsPerRow + s]
    Expressions zeros(size_t(numProducts * sumsPerRow), k.f32(0));
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
    size_t tokens = tokenBases.size(), panels = panelBases.size();
    Expression firstElement = octet * 8.0;
    Expression firstWord = octet * double(wordsPerOctet * lanes);
    if (readsFromMemory)
      for (const Expression &base : panelBases)
        prefetchAhead(weight, base + firstWord, wordsPerOctet, lanes,
                      k.getTarget().panelPrefetch);
    std::vector<Expressions> inputs(tokens); // The word read last.
    for (int64_t word = 0; word != wordsPerOctet; ++word) {
      llvm::SmallVector<Expressions, 4> weights;
      for (const Expression &base : panelBases)
        weights.push_back(
            weight.readWord(base + firstWord + double(word * lanes)));
      for (int64_t e = 0; e != perWord; ++e) {
        int64_t element = word * perWord + e;
        for (size_t t = 0; t != tokens; ++t) {
          Expression input = readInput(t, firstElement, element, inputs[t]);
          for (size_t p = 0; p != panels; ++p) {
            Expression &sum =
                sums[(t * panels + p) * sumsPerRow + e % sumsPerRow];
            sum = fma(weights[p][e], input, sum);
          }
        }
      }
    }
  }

  /// An element of the octet that begins at `first`; `word` keeps those of the
  /// word that it was in.
  Expression readInput(size_t t, Expression first, int64_t element,
                       Expressions &word) {
    int64_t perInputWord = k.getType("x") == DataType::F32 ? 1 : 2;
    if (element % perInputWord == 0)
      word = x.readWord((tokenBases[t] + first) / double(perInputWord) +
                        double(element / perInputWord));
    return word[element % perInputWord];
  }

  KernelBuilder &k;
  Linear linear;
  int64_t lanes, perWord;
  int64_t sumsPerRow = 1;
  InputBuffer x, weight;
  Expressions panelBases, tokenBases;
};

} // namespace

std::unique_ptr<PanelProducts>
quern::createDensePanelProducts(KernelBuilder &k, const Linear &linear) {
  return std::make_unique<DensePanelProducts>(k, linear);
}
