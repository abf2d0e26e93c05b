//===- LaneValue.h - A value of every lane of a subgroup --------*- C++ -*-===//
//
// What a value of a kernel function (type T or vector<NxT> in each lane)
// becomes when a subgroup of L lanes is one SIMD vector:
//
//   Uniform  one T or vector<NxT>; all lanes hold it
//   Affine   integers: a uniform base plus a constant for each lane; memory at
//            such an index needs no gather, and without a base it is a constant
//   Parts    for each of the N components one vector<LxT>
//   Flat     one vector<(L*N)xT>, lane after lane: how N-vectors of
//            consecutive lanes lie in memory
//
// Parts and Flat are the same for scalars. Conversions between them are
// shuffles, made where they are needed; CSE removes repeated ones.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_CPU_LANEVALUE_H
#define QUERN_CODEGEN_CPU_LANEVALUE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

#include <optional>

namespace quern::cpu {

struct LaneValue {
  enum class Kind : uint8_t { Uniform, Affine, Parts, Flat };

  Kind kind = Kind::Uniform;
  mlir::Type type; ///< In one lane; i64 for index.
  /// Uniform, Flat: one. Affine: the base, if there is one. Parts: N.
  llvm::SmallVector<mlir::Value, 4> values;
  llvm::SmallVector<int64_t, 8> offsets; ///< Affine: one for each lane.

  bool isUniform() const { return kind == Kind::Uniform; }
  /// An integer constant for each lane.
  bool isConstant() const { return kind == Kind::Affine && values.empty(); }
  /// Parts that are one vector.
  bool isSplat() const {
    return kind == Kind::Parts && llvm::all_equal(values);
  }
  unsigned getComponents() const {
    auto vector = llvm::dyn_cast<mlir::VectorType>(type);
    return vector ? vector.getNumElements() : 1;
  }
  mlir::Type getElement() const { return mlir::getElementTypeOrSelf(type); }

  static LaneValue uniform(mlir::Value value);
  static LaneValue affine(mlir::Type type, mlir::Value base,
                          llvm::ArrayRef<int64_t> offsets);
  static LaneValue parts(mlir::Type type, mlir::ValueRange parts);
  static LaneValue flat(mlir::Type type, mlir::Value value);
};

/// Which representation a value has across a region's border.
struct Carrier {
  LaneValue::Kind kind = LaneValue::Kind::Uniform; ///< Not Affine.
  mlir::Type type;                                 ///< In one lane.
};

/// Makes and converts lane values at a builder's insertion point.
class LaneBuilder {
public:
  LaneBuilder(mlir::OpBuilder &builder, mlir::Location loc, unsigned lanes)
      : builder(builder), loc(loc), lanes(lanes) {}

  /// index becomes i64, in vectors too.
  static mlir::Type convertType(mlir::Type type);

  /// vector<LxT> of a scalar.
  mlir::Value getVector(const LaneValue &value);
  /// Component `i` as vector<LxT>.
  mlir::Value getPart(const LaneValue &value, unsigned i);
  /// vector<(L*N)xT>
  mlir::Value getFlat(const LaneValue &value);
  /// What one lane holds.
  mlir::Value getLane(const LaneValue &value, unsigned lane);

  /// In each lane whose bit in `mask` (vector<Lxi1>) is set `a`, else `b`, in
  /// the representation of `carrier`.
  LaneValue select(mlir::Value mask, const LaneValue &a, const LaneValue &b,
                   const Carrier &carrier);
  /// A mask with each bit `times` times.
  mlir::Value repeatLanes(mlir::Value vector, unsigned times);

  void getTypes(const Carrier &carrier, llvm::SmallVectorImpl<mlir::Type> &);
  llvm::SmallVector<mlir::Type> getTypes(llvm::ArrayRef<Carrier> carriers) {
    llvm::SmallVector<mlir::Type> types;
    for (const Carrier &carrier : carriers)
      getTypes(carrier, types);
    return types;
  }
  void pack(const LaneValue &value, const Carrier &carrier,
            llvm::SmallVectorImpl<mlir::Value> &values);
  /// Takes what pack added from the front of `values`.
  LaneValue unpack(const Carrier &carrier, mlir::ValueRange &values);

  mlir::Value constant(mlir::Type type, int64_t value);
  mlir::Value shuffle(mlir::Value a, mlir::Value b,
                      llvm::ArrayRef<int64_t> indices);
  mlir::Type vectorOf(mlir::Type element, unsigned count);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  unsigned lanes;
};

} // namespace quern::cpu

#endif // QUERN_CODEGEN_CPU_LANEVALUE_H
