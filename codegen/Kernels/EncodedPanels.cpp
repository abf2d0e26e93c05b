//===- EncodedPanels.cpp - Codes and factors of weight rows ---------------===//
#include "codegen/Kernels/EncodedPanels.h"

using namespace quern;

EncodedPanels::EncodedPanels(KernelBuilder &k, const Linear &linear)
    : k(k), linear(linear), inPanels(k.hasConfig("weight_panels")),
      lanes(k.getSubgroupSize()),
      matrix(k.getArgument("weight").encoding,
             k.getArgument("weight").getElements() / uint64_t(linear.inputs),
             linear.inputs),
      info(matrix.getInfo()), groups(linear.inputs / kGroupSize),
      weight(k.getScalarInput("weight")) {}

void EncodedPanels::clear() {
  wordBases.clear();
  factorBases.clear();
}

void EncodedPanels::addPanel(Expression matrix, Expression panel) {
  Expression lane = k.getLane();
  int64_t rowWords = groups * info.wordsPerGroup();
  bool mayEnd = linear.weightRows % lanes != 0;
  if (inPanels) {
    Expression number = matrix * double(linear.weightRows / lanes) + panel;
    wordBases.push_back(number * double(rowWords * lanes));
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

Expression EncodedPanels::getFirstWord(size_t panel, Expression group) const {
  return wordBases[panel] +
         group * double(info.wordsPerGroup() * (inPanels ? lanes : 1));
}

Expressions EncodedPanels::readCodes(size_t panel, Expression group) const {
  int64_t perGroup = info.wordsPerGroup(), stride = inPanels ? lanes : 1;
  Expression first = getFirstWord(panel, group);
  if (inPanels)
    first = first + k.getLane();
  Expressions words;
  for (int64_t w = 0; w != perGroup; ++w) {
    Expression word = weight.read(first + double(w * stride));
    if (info.bits == 8) {
      words.push_back(word);
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
Expression EncodedPanels::readFactor(size_t panel, Expression group,
                                     unsigned factor) const {
  return weight.readHalf(factorBases[panel] +
                         (group * double(info.factorsPerGroup() * kScaleRows) +
                          double(factor * kScaleRows)));
}

WeightFactors EncodedPanels::readFactors(size_t panel, Expression group) const {
  WeightFactors factors;
  factors.scale = readFactor(panel, group, 0);
  if (info.hasMinimum)
    factors.minimum =
        toMinimum(info, readFactor(panel, group, 1), factors.scale);
  return factors;
}

Expression quern::addGroup(Expression sum, Expression product,
                           const CodeFactors &input,
                           const WeightFactors &weight) {
  sum = fma(product * input.scale, weight.scale, sum);
  if (weight.minimum)
    sum = fma(input.sum * input.scale, weight.minimum, sum);
  return sum;
}
