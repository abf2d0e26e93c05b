//===- Expression.h - Values under construction -----------------*- C++ -*-===//
//
// Arithmetic on SSA values in the notation of the formulas. An Expression is a
// value of type index, i1, i32, f32 or vector<4x(i32|f32)>; an operator emits
// the arith op of that type where its builder stands. Constants of C++ take
// the other operand's type, scalars meet vectors as splats. Integers and
// indices are unsigned.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_CODEGEN_KERNELS_EXPRESSION_H
#define QUERN_CODEGEN_KERNELS_EXPRESSION_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

namespace quern {

class Expression {
public:
  Expression() = default;
  Expression(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value)
      : builder(&builder), loc(loc.getAsOpaquePointer()), value(value) {}

  mlir::Value get() const { return value; }
  mlir::Type getType() const { return value.getType(); }
  bool isVector() const;
  bool isFloat() const;
  explicit operator bool() const { return static_cast<bool>(value); }

  mlir::OpBuilder &getBuilder() const { return *builder; }
  mlir::Location getLoc() const {
    return mlir::Location::getFromOpaquePointer(loc);
  }
  /// Another value at the same place.
  Expression with(mlir::Value other) const {
    return Expression(*builder, getLoc(), other);
  }
  /// A constant of this expression's type.
  Expression constant(double number) const;

  /// Component of a vector.
  Expression operator[](unsigned component) const;

private:
  mlir::OpBuilder *builder = nullptr;
  const void *loc = nullptr;
  mlir::Value value;
};

using Expressions = llvm::SmallVector<Expression, 8>;

/// Operands of an op.
llvm::SmallVector<mlir::Value> toValues(llvm::ArrayRef<Expression> expressions);

Expression operator+(Expression a, Expression b);
Expression operator-(Expression a, Expression b);
Expression operator*(Expression a, Expression b);
Expression operator/(Expression a, Expression b);
Expression operator%(Expression a, Expression b);
Expression operator&(Expression a, Expression b);
Expression operator|(Expression a, Expression b);
Expression operator^(Expression a, Expression b);
Expression operator<<(Expression a, Expression b);
Expression operator>>(Expression a, Expression b); ///< Logical shift.
Expression operator<(Expression a, Expression b);
Expression operator<=(Expression a, Expression b);
Expression operator>(Expression a, Expression b);
Expression operator>=(Expression a, Expression b);
Expression operator==(Expression a, Expression b);
Expression operator!=(Expression a, Expression b); ///< NaN != NaN.

#define QUERN_EXPRESSION_CONSTANTS(op)                                         \
  inline Expression operator op(Expression a, double b) {                      \
    return a op a.constant(b);                                                 \
  }                                                                            \
  inline Expression operator op(double a, Expression b) {                      \
    return b.constant(a) op b;                                                 \
  }
QUERN_EXPRESSION_CONSTANTS(+)
QUERN_EXPRESSION_CONSTANTS(-)
QUERN_EXPRESSION_CONSTANTS(*)
QUERN_EXPRESSION_CONSTANTS(/)
QUERN_EXPRESSION_CONSTANTS(%)
QUERN_EXPRESSION_CONSTANTS(&)
QUERN_EXPRESSION_CONSTANTS(|)
QUERN_EXPRESSION_CONSTANTS(^)
QUERN_EXPRESSION_CONSTANTS(<<)
QUERN_EXPRESSION_CONSTANTS(>>)
QUERN_EXPRESSION_CONSTANTS(<)
QUERN_EXPRESSION_CONSTANTS(<=)
QUERN_EXPRESSION_CONSTANTS(>)
QUERN_EXPRESSION_CONSTANTS(>=)
QUERN_EXPRESSION_CONSTANTS(==)
QUERN_EXPRESSION_CONSTANTS(!=)
#undef QUERN_EXPRESSION_CONSTANTS

/// a * b + c, rounded once where the device can.
Expression fma(Expression a, Expression b, Expression c);
/// Unsigned for integers; for floats the other operand if one is NaN.
Expression min(Expression a, Expression b);
Expression max(Expression a, Expression b);
Expression select(Expression condition, Expression a, Expression b);
Expression exp(Expression x);
Expression log(Expression x);
Expression sqrt(Expression x);
Expression roundEven(Expression x);
/// Reinterprets 32-bit components.
Expression bitsOf(Expression x);  ///< float -> i32
Expression floatOf(Expression x); ///< i32 bits -> float
/// Integers with a sign.
Expression shiftRightSigned(Expression a, unsigned bits);
Expression toF32Signed(Expression x);
/// The two halves of an i32 as f32.
Expression unpackHalf(Expression word);
/// Two f32 rounded to halves, in an i32.
Expression packHalves(Expression low, Expression high);
/// sum plus the products of the four bytes of words: those of b have a sign,
/// those of a are below 2^unsignedBits, or have a sign if that is 0.
Expression byteDot(Expression a, Expression b, Expression sum,
                   unsigned unsignedBits);
/// Conversions of values.
Expression toIndex(Expression x); ///< i32 -> index, unsigned
Expression toI32(Expression x);   ///< index or i1 -> i32; f32 >= 0 -> i32
Expression toF32(Expression x);   ///< i32 or index (unsigned) -> f32

Expression splat(Expression x);
/// A vector of four scalars.
Expression vector(llvm::ArrayRef<Expression> components);
/// Components of the concatenation of a and b.
Expression shuffle(Expression a, Expression b,
                   llvm::ArrayRef<int64_t> components);
/// Sum of the components.
Expression sum(Expression x);
/// Adds the dot product of two vectors to a scalar.
Expression dot(Expression a, Expression b, Expression accumulator);

} // namespace quern

#endif // QUERN_CODEGEN_KERNELS_EXPRESSION_H
