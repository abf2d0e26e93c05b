//===- Expression.cpp - Values under construction -------------------------===//
#include "codegen/Kernels/Expression.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace quern;

bool Expression::isVector() const { return isa<VectorType>(getType()); }

bool Expression::isFloat() const {
  return getElementTypeOrSelf(getType()).isF32();
}

SmallVector<Value> quern::toValues(ArrayRef<Expression> expressions) {
  SmallVector<Value> values;
  for (const Expression &expression : expressions)
    values.push_back(expression.get());
  return values;
}

Expression Expression::constant(double number) const {
  Type element = getElementTypeOrSelf(getType());
  TypedAttr attribute;
  if (element.isF32())
    attribute = builder->getF32FloatAttr(static_cast<float>(number));
  else if (element.isInteger(32))
    attribute = builder->getI32IntegerAttr(
        static_cast<int32_t>(static_cast<int64_t>(number)));
  else
    attribute = builder->getIntegerAttr(element, static_cast<int64_t>(number));
  if (auto type = dyn_cast<VectorType>(getType()))
    attribute = DenseElementsAttr::get(type, Attribute(attribute));
  return with(arith::ConstantOp::create(*builder, getLoc(), attribute));
}

Expression Expression::operator[](unsigned component) const {
  return with(builder->createOrFold<vector::ExtractOp>(
      getLoc(), value, static_cast<int64_t>(component)));
}

/// Makes both operands vectors if one of them is.
static void unify(Expression &a, Expression &b) {
  if (a.isVector() && !b.isVector())
    b = splat(b);
  else if (b.isVector() && !a.isVector())
    a = splat(a);
  assert(a.getType() == b.getType() && "operands of different types");
}

template <typename Op, typename... Args>
static Expression emit(Expression at, Args &&...args) {
  return at.with(at.getBuilder().createOrFold<Op>(at.getLoc(),
                                                  std::forward<Args>(args)...));
}

template <typename FloatOp, typename IntegerOp>
static Expression binary(Expression a, Expression b) {
  unify(a, b);
  return a.isFloat() ? emit<FloatOp>(a, a.get(), b.get())
                     : emit<IntegerOp>(a, a.get(), b.get());
}

template <typename IntegerOp>
static Expression integer(Expression a, Expression b) {
  unify(a, b);
  assert(!a.isFloat() && "an integer operation");
  return emit<IntegerOp>(a, a.get(), b.get());
}

static Expression compare(Expression a, Expression b,
                          arith::CmpFPredicate ordered,
                          arith::CmpIPredicate integer) {
  unify(a, b);
  if (a.isFloat())
    return emit<arith::CmpFOp>(a, ordered, a.get(), b.get());
  return emit<arith::CmpIOp>(a, integer, a.get(), b.get());
}

static Type withElement(Type like, Type element) {
  auto vector = dyn_cast<VectorType>(like);
  return vector ? Type(vector.clone(element)) : element;
}

Expression quern::operator+(Expression a, Expression b) {
  return binary<arith::AddFOp, arith::AddIOp>(a, b);
}
Expression quern::operator-(Expression a, Expression b) {
  return binary<arith::SubFOp, arith::SubIOp>(a, b);
}
Expression quern::operator*(Expression a, Expression b) {
  return binary<arith::MulFOp, arith::MulIOp>(a, b);
}
Expression quern::operator/(Expression a, Expression b) {
  return binary<arith::DivFOp, arith::DivUIOp>(a, b);
}
Expression quern::operator%(Expression a, Expression b) {
  return integer<arith::RemUIOp>(a, b);
}
Expression quern::operator&(Expression a, Expression b) {
  return integer<arith::AndIOp>(a, b);
}
Expression quern::operator|(Expression a, Expression b) {
  return integer<arith::OrIOp>(a, b);
}
Expression quern::operator^(Expression a, Expression b) {
  return integer<arith::XOrIOp>(a, b);
}
Expression quern::operator<<(Expression a, Expression b) {
  return integer<arith::ShLIOp>(a, b);
}
Expression quern::operator>>(Expression a, Expression b) {
  return integer<arith::ShRUIOp>(a, b);
}
Expression quern::operator<(Expression a, Expression b) {
  return compare(a, b, arith::CmpFPredicate::OLT, arith::CmpIPredicate::ult);
}
Expression quern::operator<=(Expression a, Expression b) {
  return compare(a, b, arith::CmpFPredicate::OLE, arith::CmpIPredicate::ule);
}
Expression quern::operator>(Expression a, Expression b) {
  return compare(a, b, arith::CmpFPredicate::OGT, arith::CmpIPredicate::ugt);
}
Expression quern::operator>=(Expression a, Expression b) {
  return compare(a, b, arith::CmpFPredicate::OGE, arith::CmpIPredicate::uge);
}
Expression quern::operator==(Expression a, Expression b) {
  return compare(a, b, arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq);
}
Expression quern::operator!=(Expression a, Expression b) {
  return compare(a, b, arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne);
}

Expression quern::fma(Expression a, Expression b, Expression c) {
  unify(a, b);
  unify(a, c);
  unify(a, b);
  if (a.isVector())
    return emit<vector::FMAOp>(a, a.get(), b.get(), c.get());
  return emit<math::FmaOp>(a, a.get(), b.get(), c.get());
}
Expression quern::min(Expression a, Expression b) {
  return binary<arith::MinNumFOp, arith::MinUIOp>(a, b);
}
Expression quern::max(Expression a, Expression b) {
  return binary<arith::MaxNumFOp, arith::MaxUIOp>(a, b);
}
Expression quern::select(Expression condition, Expression a, Expression b) {
  unify(a, b);
  // SPIR-V before 1.4 selects vectors by vectors only.
  if (a.isVector())
    condition = splat(condition);
  return emit<arith::SelectOp>(a, condition.get(), a.get(), b.get());
}
Expression quern::exp(Expression x) { return emit<math::ExpOp>(x, x.get()); }
Expression quern::log(Expression x) { return emit<math::LogOp>(x, x.get()); }
Expression quern::sqrt(Expression x) { return emit<math::SqrtOp>(x, x.get()); }
Expression quern::roundEven(Expression x) {
  return emit<math::RoundEvenOp>(x, x.get());
}

Expression quern::bitsOf(Expression x) {
  Type type = withElement(x.getType(), x.getBuilder().getI32Type());
  return emit<arith::BitcastOp>(x, type, x.get());
}
Expression quern::floatOf(Expression x) {
  Type type = withElement(x.getType(), x.getBuilder().getF32Type());
  return emit<arith::BitcastOp>(x, type, x.get());
}
Expression quern::shiftRightSigned(Expression a, unsigned bits) {
  return emit<arith::ShRSIOp>(a, a.get(), a.constant(bits).get());
}
Expression quern::toF32Signed(Expression x) {
  Type f32 = withElement(x.getType(), x.getBuilder().getF32Type());
  return emit<arith::SIToFPOp>(x, f32, x.get());
}
Expression quern::unpackHalf(Expression word) {
  return emit<kernel::UnpackHalfOp>(
      word, VectorType::get(2, word.getBuilder().getF32Type()), word.get());
}
Expression quern::packHalves(Expression low, Expression high) {
  return emit<kernel::PackHalfOp>(low, low.getBuilder().getI32Type(),
                                  vector({low, high}).get());
}
Expression quern::byteDot(Expression a, Expression b, Expression sum,
                          unsigned unsignedBits) {
  IntegerAttr bits;
  if (unsignedBits != 0)
    bits = sum.getBuilder().getI64IntegerAttr(unsignedBits);
  return emit<kernel::ByteDotOp>(sum, sum.getType(), a.get(), b.get(),
                                 sum.get(), bits);
}
Expression quern::toIndex(Expression x) {
  if (x.getType().isIndex())
    return x;
  return emit<arith::IndexCastUIOp>(x, x.getBuilder().getIndexType(), x.get());
}
Expression quern::toI32(Expression x) {
  Type i32 = withElement(x.getType(), x.getBuilder().getI32Type());
  if (x.getType().isIndex())
    return emit<arith::IndexCastUIOp>(x, i32, x.get());
  if (x.isFloat())
    return emit<arith::FPToSIOp>(x, i32, x.get());
  if (x.getType().isInteger(1))
    return emit<arith::ExtUIOp>(x, i32, x.get());
  return x;
}
Expression quern::toF32(Expression x) {
  if (x.isFloat())
    return x;
  return emit<arith::UIToFPOp>(toI32(x), x.getBuilder().getF32Type(),
                               toI32(x).get());
}

Expression quern::splat(Expression x) {
  if (x.isVector())
    return x;
  return emit<vector::BroadcastOp>(x, VectorType::get(4, x.getType()), x.get());
}
Expression quern::vector(ArrayRef<Expression> components) {
  SmallVector<Value> values;
  for (const Expression &component : components)
    values.push_back(component.get());
  auto type = VectorType::get(static_cast<int64_t>(values.size()),
                              values.front().getType());
  return emit<vector::FromElementsOp>(components.front(), type, values);
}
Expression quern::shuffle(Expression a, Expression b,
                          ArrayRef<int64_t> components) {
  return emit<vector::ShuffleOp>(a, a.get(), b.get(), components);
}
Expression quern::sum(Expression x) { return (x[0] + x[1]) + (x[2] + x[3]); }
Expression quern::dot(Expression a, Expression b, Expression accumulator) {
  for (unsigned i = 0; i != 4; ++i)
    accumulator = fma(a[i], b[i], accumulator);
  return accumulator;
}
