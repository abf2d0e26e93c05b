//===- IntegerPanels.cpp - Products of int8 codes and encoded weights -----===//
//
// The products of the codes of a group are summed as integers and scaled once:
// with codes c of the weight and q of the input,
//
//   sum += scale_w * scale_x * (sum(c q) - zero * sum(q))
//
// and with a minimum += minimum * scale_x * sum(q). The difference is exact:
// both parts are less than 2^24. Weights lie in panels, or row by row where
// they can't.
//
//===----------------------------------------------------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Panels.h"
#include "codegen/Kernels/WeightRows.h"

using namespace quern;

namespace {

/// Added to a code with a sign it gives one without.
constexpr double kSignShift = 128;

class IntegerPanelProducts : public PanelProducts {
public:
  IntegerPanelProducts(KernelBuilder &k, const Linear &linear)
      : k(k), linear(linear), inPanels(k.hasConfig("weight_panels")),
        lanes(k.getSubgroupSize()),
        matrix(k.getArgument("weight").encoding,
               k.getArgument("weight").getElements() / uint64_t(linear.inputs),
               linear.inputs),
        info(matrix.getInfo()),
        isShifted(info.isSigned() && k.getTarget().multipliesUnsignedBytes()),
        groups(linear.inputs / kGroupSize), codes(k.getScalarInput("codes")),
        factors(k.getScalarInput("factors")),
        weight(k.getScalarInput("weight")) {}

  Expressions compute(llvm::ArrayRef<Expression> tokens, Expression matrix,
                      llvm::ArrayRef<Expression> panels) override {
    wordBases.clear();
    factorBases.clear();
    for (const Expression &panel : panels)
      addPanel(matrix, panel);
    Expressions zeros(tokens.size() * panels.size(), k.f32(0));
    return k.loop(k.index(0), k.index(groups), 1, zeros,
                  [&](Expression group, llvm::ArrayRef<Expression> sums) {
                    Expressions next(sums.begin(), sums.end());
                    multiplyGroup(tokens, group, next);
                    return next;
                  });
  }

private:
  void addPanel(Expression matrix, Expression panel) {
    Expression lane = k.getLane();
    int64_t rowWords = groups * info.wordsPerGroup();
    bool mayEnd = linear.weightRows % lanes != 0;
    if (inPanels) {
      Expression number = matrix * double(linear.weightRows / lanes) + panel;
      wordBases.push_back(number * double(rowWords * lanes) + lane);
    } else {
      Expression row = panel * double(lanes) + lane;
      if (mayEnd)
        row = min(row, k.index(linear.weightRows - 1));
      wordBases.push_back((matrix * double(linear.weightRows) + row) *
                          double(rowWords));
    }
    Expression block =
        panel * double(lanes / kScaleRows) + lane / double(kScaleRows);
    if (mayEnd)
      block = min(block, k.index((linear.weightRows - 1) / kScaleRows));
    block = matrix * double(linear.weightRows / kScaleRows) + block;
    int64_t blockFactors = groups * info.factorsPerGroup() * kScaleRows;
    factorBases.push_back(
        block * double(blockFactors) +
        (lane % double(kScaleRows) + double(this->matrix.wordBytes() / 2)));
  }

  /// Words of four codes of a group of a panel's rows, in the order of the
  /// inputs' words.
  Expressions readCodes(size_t p, Expression group) {
    int64_t perGroup = info.wordsPerGroup(), stride = inPanels ? lanes : 1;
    Expression first = wordBases[p] + group * double(perGroup * stride);
    Expressions words;
    if (readsFromMemory && inPanels)
      prefetchAhead(weight, first, perGroup, lanes,
                    k.getTarget().integerPrefetch);
    for (int64_t w = 0; w != perGroup; ++w) {
      Expression word = weight.read(first + double(w * stride));
      if (info.bits == 8) {
        words.push_back(isShifted ? word ^ double(0x80808080) : word);
        continue;
      }
      constexpr uint32_t everyByte = 0x01010101;
      double mask = double(((1u << info.bits) - 1) * everyByte);
      for (unsigned shift = 0; shift != 8; shift += info.bits)
        words.push_back((shift == 0 ? word : word >> double(shift)) & mask);
    }
    return words;
  }

  /// Scale (0), or minimum or zero point (1), of a group of a panel's rows.
  Expression readFactor(size_t p, Expression group, unsigned factor) {
    return weight.readHalf(
        factorBases[p] + (group * double(info.factorsPerGroup() * kScaleRows) +
                          double(factor * kScaleRows)));
  }

  void multiplyGroup(llvm::ArrayRef<Expression> tokens, Expression group,
                     Expressions &sums) {
    constexpr int64_t wordsPerGroup = kGroupSize / 4;
    std::vector<Expressions> inputs;
    Expressions scales, codeSums;
    for (const Expression &token : tokens) {
      Expression at = token * double(groups) + group;
      Expressions words;
      for (int64_t w = 0; w != wordsPerGroup; ++w)
        words.push_back(codes.read(at * double(wordsPerGroup) + double(w)));
      inputs.push_back(words);
      scales.push_back(factors.read(at * 2.0));
      codeSums.push_back(factors.read(at * 2.0 + 1.0));
    }
    unsigned unsignedBits = info.isSigned() && !isShifted ? 0 : info.bits;
    double zero = isShifted ? kSignShift : info.zero;
    size_t panels = wordBases.size();
    for (size_t p = 0; p != panels; ++p) {
      Expressions words = readCodes(p, group);
      Expression scale = readFactor(p, group, 0), minimum;
      if (info.hasMinimum)
        minimum = toMinimum(info, readFactor(p, group, 1), scale);
      for (size_t t = 0; t != tokens.size(); ++t) {
        Expression product = k.i32(0);
        for (auto [word, input] : llvm::zip(words, inputs[t]))
          product = byteDot(word, input, product, unsignedBits);
        Expression value = toF32Signed(product);
        if (zero != 0)
          value = fma(codeSums[t], k.f32(-zero), value);
        Expression &sum = sums[t * panels + p];
        sum = fma(value * scales[t], scale, sum);
        if (info.hasMinimum)
          sum = fma(codeSums[t] * scales[t], minimum, sum);
      }
    }
  }

  KernelBuilder &k;
  Linear linear;
  bool inPanels;
  int64_t lanes;
  EncodedMatrix matrix;
  const EncodingInfo &info;
  bool isShifted; ///< Codes with a sign are read without one.
  int64_t groups;
  InputBuffer codes, factors, weight;
  Expressions wordBases;   ///< First word of the lane's row.
  Expressions factorBases; ///< First factor of the lane's row, in halves.
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
