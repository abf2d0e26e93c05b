//===- ExpandBytes.cpp - Halves and bytes of words by words ---------------===//
#include "codegen/Kernels/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_EXPANDBYTESPASS
#include "codegen/Kernels/KernelsPasses.h.inc"
} // namespace quern

using namespace quern;

/// A constant of an integer, index or vector type.
static Value makeConstant(OpBuilder &builder, Location loc, Type type,
                          int64_t value) {
  TypedAttr number = builder.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    number = DenseElementsAttr::get(vector, Attribute(number));
  return arith::ConstantOp::create(builder, loc, number);
}

/// Byte `byte` of the words, with or without a sign.
static Value extractByte(OpBuilder &builder, Location loc, Value words,
                         unsigned byte, bool isSigned) {
  Type type = words.getType();
  if (byte != 3)
    words = arith::ShLIOp::create(
        builder, loc, words, makeConstant(builder, loc, type, 24 - 8 * byte));
  Value bits = makeConstant(builder, loc, type, 24);
  if (isSigned)
    return arith::ShRSIOp::create(builder, loc, words, bits);
  return arith::ShRUIOp::create(builder, loc, words, bits);
}

Value quern::expandByteDot(OpBuilder &builder, kernel::ByteDotOp op) {
  Location loc = op.getLoc();
  Value sum = op.getSum();
  for (unsigned byte = 0; byte != 4; ++byte) {
    Value product = arith::MulIOp::create(
        builder, loc,
        extractByte(builder, loc, op.getA(), byte, !op.getUnsignedBits()),
        extractByte(builder, loc, op.getB(), byte, true));
    sum = arith::AddIOp::create(builder, loc, sum, product);
  }
  return sum;
}

static Value expandReadHalf(OpBuilder &builder, kernel::ReadHalfOp op) {
  Location loc = op.getLoc();
  Type index = builder.getIndexType();
  Value two = makeConstant(builder, loc, index, 2);
  Value word = kernel::ReadOp::create(
      builder, loc, builder.getI32Type(), op.getBuffer(),
      arith::DivUIOp::create(builder, loc, op.getIndex(), two));
  Value pair = kernel::UnpackHalfOp::create(
      builder, loc, VectorType::get(2, builder.getF32Type()), word);
  Value isHigh = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::ne,
      arith::RemUIOp::create(builder, loc, op.getIndex(), two),
      makeConstant(builder, loc, index, 0));
  return arith::SelectOp::create(
      builder, loc, isHigh, vector::ExtractOp::create(builder, loc, pair, 1),
      vector::ExtractOp::create(builder, loc, pair, 0));
}

namespace {
struct ExpandBytes : quern::impl::ExpandBytesPassBase<ExpandBytes> {
  void runOnOperation() override {
    getOperation()->walk([&](Operation *op) {
      OpBuilder builder(op);
      Value expanded;
      if (auto dot = dyn_cast<kernel::ByteDotOp>(op))
        expanded = expandByteDot(builder, dot);
      else if (auto read = dyn_cast<kernel::ReadHalfOp>(op))
        expanded = expandReadHalf(builder, read);
      else
        return;
      op->replaceAllUsesWith(ValueRange{expanded});
      op->erase();
      ++numExpanded;
    });
  }
};
} // namespace
