//===- Int8Codes.cpp - Numbers as int8 codes with a scale -----------------===//
#include "codegen/Kernels/Int8Codes.h"

using namespace quern;

static Expression magnitude(Expression x) { return max(x, 0 - x); }

Expression quern::findLargest(KernelBuilder &k, int64_t octets, unsigned lanes,
                              Expression lane,
                              llvm::function_ref<Octet(Expression)> read) {
  Expression found =
      k.accumulate(octets, lanes, lane, {k.zeroVector()},
                   [&](Expression octet, llvm::ArrayRef<Expression> carried) {
                     Octet x = read(octet);
                     Expression larger = max(magnitude(x.a), magnitude(x.b));
                     return Expressions{max(carried[0], larger)};
                   })
          .front();
  Expression largest = max(max(found[0], found[1]), max(found[2], found[3]));
  auto combine = [](Expression a, Expression b) { return max(a, b); };
  return lanes > k.getSubgroupSize() ? k.reduceWorkgroup(largest, combine)
                                     : k.reduceMax(largest, lanes);
}

Expression quern::invertScale(Expression largest) {
  return select(largest > 0, 127 / largest, largest.constant(0));
}

Expression quern::toCode(Expression x, Expression inverseScale) {
  return roundEven(x * inverseScale);
}

Expression quern::packInt8Codes(llvm::ArrayRef<Expression> codes) {
  Expression word;
  for (auto [i, code] : llvm::enumerate(codes)) {
    // Adding 1.5 * 2^23 leaves the integer in the low bits.
    Expression byte = (bitsOf(code + 12582912) & 255) << double(8 * i);
    word = i == 0 ? byte : word | byte;
  }
  return word;
}

Expression quern::unpackInt8Code(Expression word, unsigned byte) {
  if (byte != 3)
    word = word << double(24 - 8 * byte);
  return toF32Signed(shiftRightSigned(word, 24));
}

Expression quern::unpackInt8Codes(KernelBuilder &k, Expression word) {
  Expression shifts = vector({k.i32(24), k.i32(16), k.i32(8), k.i32(0)});
  return toF32Signed(shiftRightSigned(splat(word) << shifts, 24));
}
