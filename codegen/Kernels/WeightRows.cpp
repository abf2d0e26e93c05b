//===- WeightRows.cpp - Rows of a dense or quantised weight ---------------===//
#include "codegen/Kernels/WeightRows.h"

using namespace quern;

WeightRows::WeightRows(KernelBuilder &k, std::string_view name,
                       const InputBuffer &buffer, int64_t columns,
                       const Range &range)
    : k(&k), buffer(buffer), range(range), rowUnits(columns / 8) {
  const KernelArgument &argument = k.getArgument(name);
  auto atMost = [&](Expression index, int64_t last) {
    return range.mayEnd ? min(index, k.index(last)) : index;
  };
  if (argument.encoding != Encoding::None) {
    EncodedMatrix matrix(argument.encoding,
                         argument.getElements() /
                             static_cast<uint64_t>(columns),
                         static_cast<uint64_t>(columns));
    info = &matrix.getInfo();
    groups = static_cast<int64_t>(matrix.groupsPerRow());
    factorStart = static_cast<int64_t>(matrix.wordBytes() / 16);
    rowUnits = static_cast<int64_t>(matrix.rowWordBytes() / 16);
    for (unsigned r = 0; r < range.count; r += kScaleRows) {
      Expression block = (range.first + double(r)) / double(kScaleRows);
      factorBases.push_back(atMost(block, (range.total - 1) / kScaleRows) *
                            double(groups * info->factorsPerGroup()));
    }
  }
  for (unsigned r = 0; r != range.count; ++r)
    bases.push_back(atMost(range.first + double(r), range.total - 1) *
                    double(rowUnits));
}

WeightRows WeightRows::ofMatrix(Expression matrix) const {
  WeightRows rows = *this;
  for (Expression &base : rows.bases)
    base = matrix * double(range.total * rowUnits) + base;
  for (Expression &base : rows.factorBases)
    base = matrix * double(range.total / kScaleRows * groups *
                           info->factorsPerGroup()) +
           base;
  return rows;
}

Expression quern::readCode(const EncodingInfo &info, Expression words,
                           Expression shift) {
  unsigned bits = info.bits;
  if (info.isSigned())
    return toF32Signed(
        shiftRightSigned(words << (32.0 - bits - shift), 32 - bits));
  Expression codes = toF32Signed((words >> shift) & double((1 << bits) - 1));
  return info.zero == 0 ? codes : codes - double(info.zero);
}

Expression WeightRows::readCodeWords(size_t row, Expression octet) const {
  return buffer.read(bases[row] + octet / double(octetsPerVector()));
}

Octet WeightRows::decodeCodes(Expression words, Expression octet) const {
  Expression shift =
      toI32(octet % double(octetsPerVector())) * double(2 * info->bits);
  return {readCode(*info, words, shift),
          readCode(*info, words, shift + double(info->bits)),
          OctetOrder::Linear};
}

Octets WeightRows::readCodes(size_t row, Expression group) const {
  unsigned vectors = info->wordsPerGroup() / 4, codes = info->codesPerWord();
  Octets octets;
  for (unsigned v = 0; v != vectors; ++v) {
    Expression words =
        buffer.read(bases[row] + group * double(vectors) + double(v));
    for (unsigned i = 0; i != codes; i += 2)
      octets.push_back({readCode(*info, words, k->i32(i * info->bits)),
                        readCode(*info, words, k->i32((i + 1) * info->bits)),
                        OctetOrder::Linear});
  }
  return octets;
}

Expressions WeightRows::readFactors(Expression group, unsigned factor) const {
  // Those of kScaleRows rows are one vector of words.
  Expressions factors;
  for (Expression base : factorBases) {
    Expression vector =
        buffer.read(base + group * double(info->factorsPerGroup()) +
                    double(factorStart + factor));
    Expressions words = {vector[0], vector[1], vector[2], vector[3]};
    for (unsigned half = 2; half >= 1 && half * 2 >= range.count; half /= 2) {
      Expression isUpper = range.first / double(2 * half) % 2 == 1;
      for (unsigned i = 0; i != half; ++i)
        words[i] = select(isUpper, words[i + half], words[i]);
      words.truncate(half);
    }
    for (Expression word : words) {
      Expression pair = unpackHalf(word);
      if (range.count == 1)
        factors.push_back(select(range.first % 2 == 1, pair[1], pair[0]));
      else
        factors.append({pair[0], pair[1]});
    }
  }
  return factors;
}

Expression quern::toMinimum(const EncodingInfo &info, Expression factor,
                            Expression scale) {
  return info.hasZeroPoint ? factor * scale * -1.0 : factor;
}

Expressions WeightRows::readMinima(Expression group,
                                   llvm::ArrayRef<Expression> scales) const {
  Expressions minima = readFactors(group, 1);
  for (auto [minimum, scale] : llvm::zip(minima, scales))
    minimum = toMinimum(*info, minimum, scale);
  return minima;
}

Octets WeightRows::readOctets(Expression octet) const {
  Octets octets;
  if (!isEncoded()) {
    for (size_t row = 0; row != size(); ++row)
      octets.push_back(readOctet(row, octet));
    return octets;
  }
  constexpr unsigned octetsPerGroup = kGroupSize / 8;
  Expression group = octet / double(octetsPerGroup);
  Expressions scales = readScales(group), minima;
  if (hasMinimum())
    minima = readMinima(group, scales);
  for (size_t row = 0; row != size(); ++row) {
    Octet codes = decodeCodes(readCodeWords(row, octet), octet);
    auto scale = [&](Expression part) {
      return hasMinimum() ? fma(part, scales[row], minima[row])
                          : part * scales[row];
    };
    octets.push_back({scale(codes.a), scale(codes.b), codes.order});
  }
  return octets;
}

Status quern::checkMatrices(const KernelBuilder &k, std::string_view name,
                            int64_t rows) {
  const KernelArgument &argument = k.getArgument(name);
  if (argument.encoding == Encoding::None || rows % kScaleRows == 0)
    return Status::ok();
  return unsupported(
      "matrices of " + std::to_string(rows) + " rows can't be encoded as " +
      std::string(getEncodingInfo(argument.encoding).name) +
      ", their rows are no multiple of " + std::to_string(kScaleRows));
}
