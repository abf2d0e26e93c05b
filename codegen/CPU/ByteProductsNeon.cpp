//===- ByteProductsNeon.cpp - Products of bytes by NEON -------------------===//
#include "codegen/CPU/ByteProducts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace quern;

namespace {

/// Bytes of both factors have a sign here.
class NeonProducts : public ByteProducts {
public:
  int64_t getNumLanes() const override { return 4; }
  bool hasProduct(kernel::ByteDotOp op) const override {
    return getLargest(op) <= 128;
  }
};

/// sdot adds four products to 32 bits.
class DotProducts : public NeonProducts {
public:
  Value add(OpBuilder &builder, kernel::ByteDotOp op, ArrayRef<Factors> factors,
            Value sum) const override {
    Location loc = op.getLoc();
    for (const Factors &each : factors)
      sum = callIntrinsic(builder, loc, "llvm.aarch64.neon.sdot.v4i32.v16i8",
                          sum.getType(),
                          {sum, castToBytes(builder, loc, each.a),
                           castToBytes(builder, loc, each.b)});
    return sum;
  }
};

/// smull makes products of 16 bits, saddlp adds pairs of them in 32, addp pairs
/// of those.
class LongProducts : public NeonProducts {
public:
  Value add(OpBuilder &builder, kernel::ByteDotOp op, ArrayRef<Factors> factors,
            Value sum) const override {
    Location loc = op.getLoc();
    // Products that can be summed in 16 bits.
    size_t together = INT16_MAX / (127 * getLargest(op));
    Value pairs[2];
    while (!factors.empty()) {
      size_t count = std::min(factors.size(), together);
      for (int64_t half : {0, 1}) {
        Value products;
        for (const Factors &each : factors.take_front(count))
          products =
              addTo(builder, loc, products, multiply(builder, loc, each, half));
        pairs[half] = addTo(
            builder, loc, pairs[half],
            callIntrinsic(builder, loc, "llvm.aarch64.neon.saddlp.v4i32.v8i16",
                          sum.getType(), products));
      }
      factors = factors.drop_front(count);
    }
    return addTo(builder, loc, sum,
                 callIntrinsic(builder, loc, "llvm.aarch64.neon.addp.v4i32",
                               sum.getType(), pairs));
  }

private:
  static Value addTo(OpBuilder &builder, Location loc, Value sum, Value more) {
    return sum ? Value(arith::AddIOp::create(builder, loc, sum, more)) : more;
  }

  /// Eight products of the lower or upper bytes.
  static Value multiply(OpBuilder &builder, Location loc,
                        const Factors &factors, int64_t half) {
    auto takeHalf = [&](Value words) -> Value {
      return vector::ExtractStridedSliceOp::create(
          builder, loc, castToBytes(builder, loc, words), {8 * half}, {8}, {1});
    };
    return callIntrinsic(builder, loc, "llvm.aarch64.neon.smull.v8i16",
                         VectorType::get(8, builder.getI16Type()),
                         {takeHalf(factors.a), takeHalf(factors.b)});
  }
};

} // namespace

std::unique_ptr<ByteProducts> quern::createNeonProducts(ByteDot kind) {
  if (kind == ByteDot::NeonDot)
    return std::make_unique<DotProducts>();
  return std::make_unique<LongProducts>();
}
