//===- HeadUnits.h - How lanes share the elements of a head -----*- C++ -*-===//
//
// A unit is what a lane reads of a head at once, as parts to compute with: an
// octet, which is two vectors, or the four words of a vector with four codes
// each, which are four vectors; these are wide reads of a GPU. Where the lanes
// of a subgroup are the elements of one register, a unit is a word of one, two
// or four scalars: the words of all lanes are one contiguous read, while
// components of vectors would have to be sorted out first.
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
  /// For the arguments q and k_cache, and those of the same types.
  explicit HeadUnits(KernelBuilder &k);

  /// Elements of a unit, and parts that they come in.
  int64_t getElements() const { return elements; }
  int64_t getParts() const { return parts; }
  /// Whether caches hold codes (PagedCache says where their scales are).
  bool isCoded() const { return coded; }

  /// A cache.
  InputBuffer getCache(std::string_view name) const;
  /// A cache's unit as it lies in memory: what `unpack` takes. Of codes it is
  /// one word or vector of words.
  Expressions readPacked(const InputBuffer &cache, Expression unit) const;
  /// Its parts; codes as they are.
  Expressions unpack(llvm::ArrayRef<Expression> packed) const;
  /// The f32 that is word `index` of a cache of codes.
  Expression readScale(const InputBuffer &cache, Expression index) const;

  /// An input of the type of q.
  InputBuffer getInput(std::string_view name) const;
  Expressions read(const InputBuffer &buffer, Expression unit) const;
  /// An output of the same type or f32.
  OutputBuffer getOutput(std::string_view name) const;
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
  bool coded, byWords;
  int64_t elements, parts;
  OctetOrder order; ///< Of the elements of two parts.
};

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_HEADUNITS_H
