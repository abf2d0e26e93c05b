//===- MmaWeights.h - Weight rows as fragments of products ------*- C++ -*-===//
#ifndef QUERN_CODEGEN_KERNELS_MMAWEIGHTS_H
#define QUERN_CODEGEN_KERNELS_MMAWEIGHTS_H

#include "codegen/Kernels/Linear.h"

namespace quern {

/// 32 weight rows of a subgroup, 32 columns at a time, on their way through
/// workgroup memory into four products of 8 rows: column c of product j is row
/// 8 (c / 2) + 2 j + c % 2. Lane l then ends up with products of the
/// consecutive rows 8 (l % 4) ... + 7, whose factors lie together.
///
/// In memory the rows lie in order of product and column, their octets swapped
/// so that the eight rows of a product come from different banks.
class MmaWeights {
public:
  static constexpr unsigned rows = 32, columns = 32, products = 4;

  /// Whether fragments of the type of the inputs hold the weights exactly; of
  /// bf16 weights those from 2^-17 to 65504 count.
  static bool areExact(DataType inputs, const KernelArgument &weight);

  /// Rows [firstRow, firstRow + 32) of the weight; those behind the last are
  /// the last. `type` is that of the fragments.
  MmaWeights(KernelBuilder &k, const Linear &linear, DataType type,
             Expression firstRow, unsigned stages);

  bool isEncoded() const { return info != nullptr; }
  bool hasMinimum() const { return info && info->hasMinimum; }

  /// Begins to copy columns [32 step, 32 step + 32) into a stage.
  void copy(Expression step, Expression stage) const;
  /// The fragments of product `product` for columns 0 to 15 and 16 to 31 of the
  /// step; codes with zero taken away if the rows are encoded.
  Expressions readFragments(Expression stage, unsigned product) const;
  /// The scales of the rows of this lane (factor 0), or their minima (1), as
  /// they multiply the result of each product.
  Expressions readFactors(Expression stage, unsigned factor) const;

private:
  Expression clampRow(Expression row, int64_t rowsOfUnit) const;
  Expression slotOf(Expression row) const;
  Expressions readDense(Expression stage, unsigned product) const;
  Expressions readCodes(Expression stage, unsigned product) const;
  Expression decode(Expression words, unsigned shift) const;

  KernelBuilder &k;
  DataType type;
  InputBuffer buffer;
  DataType stored;
  const EncodingInfo *info = nullptr;
  Expression lane, firstRow;
  int64_t totalRows;
  int64_t rowUnits;        ///< Units of 16 bytes of a row.
  unsigned stepUnits;      ///< The same of one step.
  int64_t groups = 0;      ///< Of a row.
  int64_t factorStart = 0; ///< First factors of the weight, in units.
  Expression memory, factorMemory;
  Expression
      subgroupUnits; ///< Where the rows of this subgroup begin in a stage.
  Expression subgroupFactors;
  unsigned stageUnits, stageFactors; ///< Of all subgroups.
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_MMAWEIGHTS_H
