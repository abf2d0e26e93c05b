//===- HeadUnits.h - How lanes share the elements of a head -----*- C++ -*-===//
//
// A unit is what a lane reads of a head at once, as parts to compute with. An
// octet is two vectors, wide reads of a GPU. Where the lanes of a subgroup are
// the elements of one register, a unit is a word of one or two scalars: the
// words of all lanes are one contiguous read, while components of vectors would
// have to be sorted out first.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_HEADUNITS_H
#define QUERN_CODEGEN_KERNELS_HEADUNITS_H

#include "codegen/Kernels/KernelBuilder.h"

namespace quern {

/// Below every score and still finite, so that differences are no NaN.
inline constexpr double kLowestScore = -1e30;

class HeadUnits {
public:
  /// For buffers of the type of argument `name`.
  HeadUnits(KernelBuilder &k, std::string_view name);

  /// Elements of a unit, and parts that they come in.
  int64_t getElements() const { return elements; }
  int64_t getParts() const { return parts; }

  InputBuffer getInput(std::string_view name) const;
  /// An output of the same type or f32.
  OutputBuffer getOutput(std::string_view name) const;

  Expressions read(const InputBuffer &buffer, Expression unit) const;
  void write(const OutputBuffer &buffer, Expression unit,
             llvm::ArrayRef<Expression> values) const;

  Expression zero() const { return byWords ? k.f32(0) : k.zeroVector(); }
  /// Adds the products of a part's elements to a scalar.
  Expression multiply(Expression a, Expression b, Expression sum) const {
    return byWords ? fma(a, b, sum) : dot(a, b, sum);
  }
  /// The part of the lane `distance` away.
  Expression shuffleXor(Expression part, unsigned distance) const;

private:
  KernelBuilder &k;
  DataType type;
  bool byWords;
  int64_t elements, parts;
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_HEADUNITS_H
