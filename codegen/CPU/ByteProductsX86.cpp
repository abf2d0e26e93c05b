//===- ByteProductsX86.cpp - Products of bytes by AVX2 and VNNI -----------===//
#include "codegen/CPU/ByteProducts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace quern;

namespace {

/// pmaddubsw adds pairs of products of unsigned and signed bytes in 16 bits,
/// pmaddwd adds pairs of those in 32.
class Avx2Products : public ByteProducts {
public:
  int64_t getNumLanes() const override { return 8; }

  bool hasProduct(kernel::ByteDotOp op) const override {
    return countTogether(op) != 0;
  }

  Value add(OpBuilder &builder, kernel::ByteDotOp op, ArrayRef<Factors> factors,
            Value sum) const override {
    Location loc = op.getLoc();
    auto halves = VectorType::get(16, builder.getI16Type());
    while (!factors.empty()) {
      size_t count = std::min(factors.size(), countTogether(op));
      Value pairs;
      for (const Factors &each : factors.take_front(count)) {
        Value products = multiply(builder, op, each, halves);
        pairs =
            pairs ? Value(arith::AddIOp::create(builder, loc, pairs, products))
                  : products;
      }
      Value ones = makeSplat(builder, loc, halves, 1);
      sum = arith::AddIOp::create(builder, loc, sum,
                                  callIntrinsic(builder, loc,
                                                "llvm.x86.avx2.pmadd.wd",
                                                sum.getType(), {pairs, ones}));
      factors = factors.drop_front(count);
    }
    return sum;
  }

private:
  /// Products whose pairs can be summed in 16 bits. None of unsigned bytes of 8
  /// bits: pmaddubsw would saturate.
  static size_t countTogether(kernel::ByteDotOp op) {
    return INT16_MAX / (2 * 127 * getLargest(op));
  }

  /// Sums of pairs of products, 16 bits each. A sign of a goes to b.
  static Value multiply(OpBuilder &builder, kernel::ByteDotOp op,
                        const Factors &factors, VectorType halves) {
    Location loc = op.getLoc();
    Value a = castToBytes(builder, loc, factors.a);
    Value b = castToBytes(builder, loc, factors.b);
    if (!op.getUnsignedBits()) {
      b = callIntrinsic(builder, loc, "llvm.x86.avx2.psign.b", b.getType(),
                        {b, a});
      Value noPoison = LLVM::ConstantOp::create(
          builder, loc, builder.getI1Type(), builder.getBoolAttr(false));
      a = callIntrinsic(builder, loc, "llvm.abs.v32i8", a.getType(),
                        {a, noPoison});
    }
    return callIntrinsic(builder, loc, "llvm.x86.avx2.pmadd.ub.sw", halves,
                         {a, b});
  }
};

/// vpdpbusd adds four products of unsigned and signed bytes to 32 bits, without
/// saturation.
class VnniProducts : public ByteProducts {
public:
  explicit VnniProducts(ByteDot kind)
      : hasSigned(kind == ByteDot::VnniInt8), is512(kind == ByteDot::Vnni512) {}

  int64_t getNumLanes() const override { return is512 ? 16 : 8; }
  bool hasProduct(kernel::ByteDotOp) const override { return true; }

  Value add(OpBuilder &builder, kernel::ByteDotOp op, ArrayRef<Factors> factors,
            Value sum) const override {
    if (!op.getUnsignedBits() && !hasSigned)
      return addShifted(builder, op.getLoc(), factors, sum);
    StringRef name =
        op.getUnsignedBits() ? getUnsignedBySigned() : signedBySigned;
    for (const Factors &each : factors)
      sum = multiply(builder, op.getLoc(), name, sum, each.a, each.b);
    return sum;
  }

private:
  static constexpr StringRef signedBySigned = "llvm.x86.avx2.vpdpbssd.256";
  StringRef getUnsignedBySigned() const {
    return is512 ? "llvm.x86.avx512.vpdpbusd.512"
                 : "llvm.x86.avx512.vpdpbusd.256";
  }

  static Value multiply(OpBuilder &builder, Location loc, StringRef name,
                        Value sum, Value a, Value b) {
    return callIntrinsic(
        builder, loc, name, sum.getType(),
        {sum, castToBytes(builder, loc, a), castToBytes(builder, loc, b)});
  }

  /// a + 128 has no sign; 128 b is subtracted again. That sum is the same for
  /// all rows that are multiplied with one input, so that it is made once.
  Value addShifted(OpBuilder &builder, Location loc, ArrayRef<Factors> factors,
                   Value sum) const {
    auto type = cast<VectorType>(sum.getType());
    constexpr int64_t everySign = int64_t(int32_t(0x80808080));
    StringRef unsignedBySigned = getUnsignedBySigned();
    Value signs = makeSplat(builder, loc, type, everySign);
    Value excess = makeSplat(builder, loc, type, 0);
    for (const Factors &each : factors) {
      Value shifted = arith::XOrIOp::create(builder, loc, each.a, signs);
      sum = multiply(builder, loc, unsignedBySigned, sum, shifted, each.b);
      excess = multiply(builder, loc, unsignedBySigned, excess, signs, each.b);
    }
    return arith::SubIOp::create(builder, loc, sum, excess);
  }

  bool hasSigned; ///< vpdpbssd takes two signed bytes.
  bool is512;
};

} // namespace

std::unique_ptr<ByteProducts> quern::createX86Products(ByteDot kind) {
  if (kind == ByteDot::Avx2)
    return std::make_unique<Avx2Products>();
  return std::make_unique<VnniProducts>(kind);
}
