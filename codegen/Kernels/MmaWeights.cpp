//===- MmaWeights.cpp - Weight rows as fragments of products --------------===//
#include "codegen/Kernels/MmaWeights.h"

using namespace quern;

/// Groups of a step: one.
static_assert(MmaWeights::columns == kGroupSize);
static constexpr unsigned rowBlocks = MmaWeights::rows / kScaleRows;

bool MmaWeights::areExact(DataType inputs, const KernelArgument &weight) {
  if (inputs != DataType::F16 && inputs != DataType::BF16)
    return false;
  return weight.encoding != Encoding::None || weight.type == inputs ||
         (weight.type == DataType::BF16 && inputs == DataType::F16);
}

MmaWeights::MmaWeights(KernelBuilder &k, const Linear &linear, DataType type,
                       Expression firstRow, unsigned stages)
    : k(k), type(type), buffer(k.getInput("weight")),
      stored(k.getType("weight")), lane(k.getLane()), firstRow(firstRow),
      totalRows(linear.weightRows), rowUnits(linear.octets()),
      stepUnits(columns / 8) {
  const KernelArgument &argument = k.getArgument("weight");
  unsigned factors = 0;
  if (argument.encoding != Encoding::None) {
    EncodedMatrix matrix(argument.encoding,
                         static_cast<uint64_t>(linear.weightRows),
                         static_cast<uint64_t>(linear.inputs));
    info = &matrix.getInfo();
    rowUnits = static_cast<int64_t>(matrix.rowWordBytes() / 16);
    groups = static_cast<int64_t>(matrix.groupsPerRow());
    factorStart = static_cast<int64_t>(matrix.wordBytes() / 16);
    stepUnits = info->wordsPerGroup() / 4;
    factors = info->factorsPerGroup();
  }
  Expression subgroup = k.getSubgroup();
  unsigned units = rows * stepUnits, scales = rowBlocks * factors;
  subgroupUnits = subgroup * double(units);
  subgroupFactors = subgroup * double(scales);
  stageUnits = units * k.getSubgroups();
  stageFactors = scales * k.getSubgroups();
  // Codes are read by pairs of words.
  memory = isEncoded() ? k.allocateMemory(int64_t(stages) * stageUnits * 2, 2)
                       : k.allocateMemory(int64_t(stages) * stageUnits, 4);
  if (isEncoded())
    factorMemory = k.allocateMemory(int64_t(stages) * stageFactors, 4);
}

/// Row, or block of rows, of the weight.
Expression MmaWeights::clampRow(Expression row, int64_t rowsOfUnit) const {
  if (totalRows % (int64_t(rows) * k.getSubgroups()) == 0)
    return row;
  return min(row, k.index((totalRows - 1) / rowsOfUnit));
}

/// The place of a row of the subgroup: 8 * product + column.
Expression MmaWeights::slotOf(Expression row) const {
  return row % 8.0 / 2.0 * 8.0 + row / 8.0 * 2.0 + row % 2.0;
}

void MmaWeights::copy(Expression step, Expression stage) const {
  double perRow = stepUnits;
  Expression unit = lane % perRow;
  Expression base = stage * double(stageUnits) + subgroupUnits;
  for (unsigned n = 0; n != stepUnits; ++n) {
    Expression row =
        lane / perRow + double(k.getSubgroupSize() / stepUnits * n);
    Expression from =
        clampRow(firstRow + row, 1) * double(rowUnits) + unit + step * perRow;
    Expression slot = slotOf(row);
    if (isEncoded()) {
      k.copyAsync(buffer, from, memory, (base + slot * perRow + unit) * 2.0);
      continue;
    }
    k.copyAsync(buffer, from, memory,
                base + slot * perRow + (unit ^ (slot / 2.0 % perRow)));
  }
  if (!isEncoded())
    return;
  double factors = info->factorsPerGroup();
  k.when(lane < rowBlocks * factors, [&] {
    Expression block =
        clampRow(firstRow / double(kScaleRows) + lane / factors, kScaleRows);
    Expression from = (block * double(groups) + step) * factors +
                      lane % factors + double(factorStart);
    k.copyAsync(buffer, from, factorMemory,
                stage * double(stageFactors) + subgroupFactors +
                    lane % factors * double(rowBlocks) + lane / factors);
  });
}

Expressions MmaWeights::readFragments(Expression stage,
                                      unsigned product) const {
  return isEncoded() ? readCodes(stage, product) : readDense(stage, product);
}

/// One read has the fragments of both halves of the columns: matrix m is octet
/// m of the eight rows of the product.
Expressions MmaWeights::readDense(Expression stage, unsigned product) const {
  double perRow = stepUnits;
  Expression row = lane % 8.0, octet = lane / 8.0;
  Expression words =
      k.loadMatrix(memory, stage * double(stageUnits) + subgroupUnits +
                               (row + double(8 * product)) * perRow +
                               (octet ^ (row / 2.0 % perRow)));
  Expressions halves;
  for (unsigned half = 0; half != 2; ++half) {
    Expressions fragment;
    for (unsigned i = 0; i != 2; ++i) {
      Expression word = words[2 * half + i];
      if (stored != type)
        word = packHalf(floatOf(word << 16), floatOf(word & 0xffff0000u));
      fragment.push_back(word);
    }
    halves.push_back(vector(fragment));
  }
  return halves;
}

/// Two codes, that at bit `shift` of each half of a word, as a word of the
/// fragment's type. The sums are exact.
Expression MmaWeights::decode(Expression words, unsigned shift) const {
  unsigned bits = info->bits, mask = (1u << bits) - 1;
  if (type == DataType::BF16) {
    auto high = [&](unsigned from) {
      return bitsOf(readCode(*info, words, k.i32(from)));
    };
    return (high(shift) >> 16) | (high(shift + 16) & 0xffff0000u);
  }
  if (shift != 0)
    words = words >> double(shift);
  // 1024 + n is 0x6400 | n; a sign becomes an offset.
  unsigned offset = info->isSigned() ? 1u << (bits - 1) : 0;
  double zero = 1024.0 + (info->isSigned() ? offset : info->zero);
  Expression pair = unpackHalf((words & double(mask << 16 | mask)) ^
                               double((0x6400u | offset) * 0x10001u));
  pair = pair - pair.constant(zero);
  return packHalf(pair[0], pair[1]);
}

/// Element e of a run of four words is in word e % 4, at bit e / 4 * bits; this
/// lane has elements 2 t, 2 t + 1, 2 t + 8 and 2 t + 9 of 16, for t = l % 4.
Expressions MmaWeights::readCodes(Expression stage, unsigned product) const {
  unsigned bits = info->bits;
  Expression t = lane % 4.0;
  Expression slot = lane / 4.0 + double(8 * product);
  Expression base =
      (stage * double(stageUnits) + subgroupUnits + slot * double(stepUnits)) *
          2.0 +
      t % 2.0;
  Expression shift = toI32(t / 2.0) * double(bits);
  Expressions halves;
  for (unsigned unit = 0; unit != stepUnits; ++unit) {
    Expression words = k.readMemory(memory, base + double(2 * unit));
    Expression even = words[0] >> shift, odd = words[1] >> shift;
    // Codes whose elements are neighbours, side by side.
    Expression low = (even & 0xffff) | (odd << 16);
    Expression high = (even >> 16) | (odd & 0xffff0000u);
    if (bits == 8)
      halves.push_back(vector({decode(low, 0), decode(high, 0)}));
    else
      for (Expression pairs : {low, high})
        halves.push_back(vector({decode(pairs, 0), decode(pairs, 2 * bits)}));
  }
  return halves;
}

Expressions MmaWeights::readFactors(Expression stage, unsigned factor) const {
  Expression words = k.readMemory(
      factorMemory, stage * double(stageFactors) + subgroupFactors +
                        lane % 4.0 + double(factor * rowBlocks));
  Expressions factors;
  for (unsigned product = 0; product != products; ++product) {
    Expression pair = unpackHalf(words[product]);
    factors.push_back(vector({pair[0], pair[1], pair[0], pair[1]}));
  }
  return factors;
}
