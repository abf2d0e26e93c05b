//===- IntegerPanels.cpp - Products of int8 codes and encoded weights -----===//
//
// The products of the codes of a group are summed as integers and scaled once:
// with codes c of the weight and q of the input,
//
//   sum += scale_w * scale_x * (sum(c q) - zero * sum(q))
//
// and with a minimum += minimum * scale_x * sum(q). The difference is exact:
// both parts are less than 2^24.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/EncodedPanels.h"
#include "codegen/Kernels/KernelFamilies.h"

using namespace quern;

namespace {

/// Added to a code with a sign it gives one without.
constexpr double kSignShift = 128;

class IntegerPanelProducts : public PanelProducts {
public:
  IntegerPanelProducts(KernelBuilder &k, const Linear &linear)
      : k(k), panels(k, linear),
        isShifted(panels.getInfo().isSigned() &&
                  k.getTarget().multipliesUnsignedBytes()),
        codes(k.getScalarInput("codes")), factors(k.getScalarInput("factors")) {
  }

  Expressions compute(llvm::ArrayRef<Expression> tokens, Expression matrix,
                      llvm::ArrayRef<Expression> numbers) override {
    panels.clear();
    for (const Expression &panel : numbers)
      panels.addPanel(matrix, panel);
    Expressions zeros(tokens.size() * numbers.size(), k.f32(0));
    return k.loop(k.index(0), k.index(panels.getGroups()), 1, zeros,
                  [&](Expression group, llvm::ArrayRef<Expression> sums) {
                    Expressions next(sums.begin(), sums.end());
                    multiplyGroup(tokens, group, numbers.size(), next);
                    return next;
                  });
  }

private:
  Expressions readCodes(size_t p, Expression group) {
    if (readsFromMemory && panels.areInPanels())
      prefetchAhead(panels.getBuffer(), panels.getFirstWord(p, group),
                    panels.getInfo().wordsPerGroup(), k.getSubgroupSize(),
                    k.getTarget().integerPrefetch);
    Expressions words = panels.readCodes(p, group);
    if (isShifted)
      for (Expression &word : words)
        word = word ^ double(0x80808080);
    return words;
  }

  void multiplyGroup(llvm::ArrayRef<Expression> tokens, Expression group,
                     size_t numPanels, Expressions &sums) {
    constexpr int64_t wordsPerGroup = kGroupSize / 4;
    std::vector<Expressions> inputs;
    std::vector<CodeFactors> inputFactors;
    for (const Expression &token : tokens) {
      Expression at = token * double(panels.getGroups()) + group;
      Expressions words;
      for (int64_t w = 0; w != wordsPerGroup; ++w)
        words.push_back(codes.read(at * double(wordsPerGroup) + double(w)));
      inputs.push_back(words);
      inputFactors.push_back(
          {factors.read(at * 2.0), factors.read(at * 2.0 + 1.0)});
    }
    const EncodingInfo &info = panels.getInfo();
    unsigned unsignedBits = info.isSigned() && !isShifted ? 0 : info.bits;
    double zero = isShifted ? kSignShift : info.zero;
    for (size_t p = 0; p != numPanels; ++p) {
      Expressions words = readCodes(p, group);
      WeightFactors weight = panels.readFactors(p, group);
      for (size_t t = 0; t != tokens.size(); ++t) {
        Expression product = k.i32(0);
        for (auto [word, input] : llvm::zip(words, inputs[t]))
          product = byteDot(word, input, product, unsignedBits);
        Expression value = toF32Signed(product);
        if (zero != 0)
          value = fma(inputFactors[t].sum, k.f32(-zero), value);
        Expression &sum = sums[t * numPanels + p];
        sum = addGroup(sum, value, inputFactors[t], weight);
      }
    }
  }

  KernelBuilder &k;
  EncodedPanels panels;
  bool isShifted; ///< Codes with a sign are read without one.
  InputBuffer codes, factors;
};

} // namespace

std::unique_ptr<PanelProducts>
quern::createIntegerPanelProducts(KernelBuilder &k, const Linear &linear) {
  return std::make_unique<IntegerPanelProducts>(k, linear);
}

Status quern::checkCodes(const KernelBuilder &k, int64_t inputs) {
  if (k.getArgument("weight").encoding == Encoding::None)
    return invalidArgument("the weight is not encoded");
  if (k.dim("WORDS") * 4 != inputs || k.dim("G") * kGroupSize != inputs ||
      k.dim("TWO") != 2)
    return invalidArgument("codes and factors are not those of " +
                           std::to_string(inputs) + " inputs");
  if (k.getSubgroupSize() % kScaleRows == 0)
    return Status::ok();
  return unsupported("subgroups of " + std::to_string(k.getSubgroupSize()) +
                     " lanes are no multiple of " + std::to_string(kScaleRows));
}

Status quern::buildIntegerLinear(KernelBuilder &k) {
  Linear linear{k.dim("T"), k.dim("K"), k.dim("W"), LinearEpilogue::None};
  QUERN_ASSIGN_OR_RETURN(linear.epilogue, readLinearEpilogue(k));
  QUERN_RETURN_IF_ERROR(checkOutputs(k, linear));
  QUERN_RETURN_IF_ERROR(checkCodes(k, linear.inputs));
  if (k.getType("out") != DataType::F32)
    QUERN_RETURN_IF_ERROR(requireMultiple(k, "N", 8));
  QUERN_RETURN_IF_ERROR(hasPanels(k, linear, PanelInputs::Codes).getStatus());
  k.flops = 2 * uint64_t(linear.tokens) * linear.inputs * linear.weightRows;
  return buildPanelLinear(k, linear, PanelInputs::Codes);
}
