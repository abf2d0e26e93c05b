//===- WeightRows.h - Rows of a dense or quantised weight -------*- C++ -*-===//
#ifndef QUERN_CODEGEN_KERNELS_WEIGHTROWS_H
#define QUERN_CODEGEN_KERNELS_WEIGHTROWS_H

#include "codegen/Kernels/KernelBuilder.h"

namespace quern {

using Octets = llvm::SmallVector<Octet, 8>;

/// A few consecutive rows of a weight whose last dimension is `columns`; what
/// an encoded weight holds is described in runtime/base/Encoding.h.
class WeightRows {
public:
  struct Range {
    Expression first; ///< A multiple of `count`.
    unsigned count;   ///< A power of two.
    int64_t total;    ///< Rows of the matrix.
    bool mayEnd;      ///< Rows may lie beyond `total`; those are the last one.
  };

  WeightRows(KernelBuilder &k, std::string_view name, const InputBuffer &buffer,
             int64_t columns, const Range &range);

  /// The same rows of matrix number `matrix`, all of `total` rows; of an
  /// encoded weight a multiple of kScaleRows (checkMatrices).
  WeightRows ofMatrix(Expression matrix) const;

  size_t size() const { return bases.size(); }
  bool isEncoded() const { return info != nullptr; }
  /// The order in which octets come.
  OctetOrder naturalOrder() const { return buffer.naturalOrder(); }

  /// The values of elements [8 * octet, 8 * octet + 8) of each row.
  Octets readOctets(Expression octet) const;
  /// The same of one row of a dense weight.
  Octet readOctet(size_t row, Expression octet) const {
    return buffer.readOctet(bases[row] + octet);
  }

  /// The vector of words with the codes of an octet of an encoded row, and
  /// these codes, as floats with zero taken away; both without the row's scale.
  Expression readCodeWords(size_t row, Expression octet) const;
  Octet decodeCodes(Expression words, Expression octet) const;
  /// The codes of a group of an encoded row, as floats with zero taken away.
  Octets readCodes(size_t row, Expression group) const;
  /// The scales of a group of all rows.
  Expressions readScales(Expression group) const {
    return readFactors(group, 0);
  }
  /// Their minima, of rows that have some.
  Expressions readMinima(Expression group,
                         llvm::ArrayRef<Expression> scales) const;
  bool hasMinimum() const { return info && info->hasMinimum; }

private:
  unsigned octetsPerVector() const { return info->codesPerWord() / 2; }
  /// The scales (0), or the minima or zero points (1).
  Expressions readFactors(Expression group, unsigned factor) const;

  KernelBuilder *k;
  InputBuffer buffer;
  const EncodingInfo *info = nullptr;
  Range range;
  int64_t rowUnits;        ///< Octets or vectors of words of a row.
  int64_t groups = 0;      ///< Of a row.
  int64_t factorStart = 0; ///< First factors of the weight, in vectors of 4.
  Expressions bases;       ///< Octet or vector of words where a row begins.
  Expressions factorBases; ///< Factors of group 0, for each kScaleRows rows.
};

/// The code at bit `shift` of a word, or of each of four words, as a float with
/// zero taken away.
Expression readCode(const EncodingInfo &info, Expression words,
                    Expression shift);

/// The minimum of a group, of which `factor` is stored behind the scale.
Expression toMinimum(const EncodingInfo &info, Expression factor,
                     Expression scale);

/// Unsupported if a weight of several matrices is encoded and their rows are no
/// multiple of kScaleRows.
Status checkMatrices(const KernelBuilder &k, std::string_view name,
                     int64_t rows);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_WEIGHTROWS_H
