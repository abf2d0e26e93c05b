//===- EncodedPanels.h - Codes and factors of weight rows -------*- C++ -*-===//
//
// What products with int8 codes read of an encoded weight: a lane owns a row.
// Weights lie in panels, or row by row where they can't.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_ENCODEDPANELS_H
#define QUERN_CODEGEN_KERNELS_ENCODEDPANELS_H

#include "codegen/Kernels/Panels.h"

namespace quern {

/// The inputs of the groups of a token's codes.
struct CodeFactors {
  Expression scale;
  Expression sum; ///< Of the codes.
};

/// Scales and minima of a group of the lanes' rows.
struct WeightFactors {
  Expression scale, minimum; ///< No minimum if the encoding has none.
};

class EncodedPanels {
public:
  /// Takes the argument "weight", one matrix or several of `linear.weightRows`
  /// rows each.
  EncodedPanels(KernelBuilder &k, const Linear &linear);

  const EncodingInfo &getInfo() const { return info; }
  int64_t getGroups() const { return groups; }
  /// Whether the words of a panel lie side by side, those of one word first.
  bool areInPanels() const { return inPanels; }
  const InputBuffer &getBuffer() const { return weight; }

  void clear();
  /// Numbers the panel; of the last one of a matrix some lanes may have no row:
  /// they get the last one.
  void addPanel(Expression matrix, Expression panel);

  /// The first word of the codes of a group: of the panel, or of the lane's row
  /// if there are no panels.
  Expression getFirstWord(size_t panel, Expression group) const;
  /// Words of four codes of a group, in the order of the inputs' words. Those
  /// of 8 bits are as they are stored.
  Expressions readCodes(size_t panel, Expression group) const;
  WeightFactors readFactors(size_t panel, Expression group) const;

private:
  Expression readFactor(size_t panel, Expression group, unsigned factor) const;

  KernelBuilder &k;
  Linear linear;
  bool inPanels;
  int64_t lanes;
  EncodedMatrix matrix;
  const EncodingInfo &info;
  int64_t groups;
  InputBuffer weight;
  Expressions wordBases;   ///< First word of the panel or the lane's row.
  Expressions factorBases; ///< First factor of the lane's row, in halves.
};

/// Adds to a row's sum the products of a group, which `product` is the exact
/// sum of: codes of the weight, less the code of zero, by codes of the input.
Expression addGroup(Expression sum, Expression product,
                    const CodeFactors &input, const WeightFactors &weight);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_ENCODEDPANELS_H
