//===- ByteProducts.cpp - Instructions for products of bytes --------------===//
#include "codegen/CPU/ByteProducts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace quern;

std::unique_ptr<ByteProducts> quern::createByteProducts(ByteDot kind) {
  switch (kind) {
  case ByteDot::None:
    return nullptr;
  case ByteDot::Avx2:
  case ByteDot::Vnni:
  case ByteDot::VnniInt8:
  case ByteDot::Vnni512:
    return createX86Products(kind);
  case ByteDot::Neon:
  case ByteDot::NeonDot:
    break;
  }
  return createNeonProducts(kind);
}

Value quern::callIntrinsic(OpBuilder &builder, Location loc, StringRef name,
                           Type type, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(builder, loc, type,
                                       builder.getStringAttr(name), operands)
      .getResult(0);
}

Value quern::castToBytes(OpBuilder &builder, Location loc, Value words) {
  int64_t count = cast<VectorType>(words.getType()).getNumElements() * 4;
  return LLVM::BitcastOp::create(
      builder, loc, VectorType::get(count, builder.getI8Type()), words);
}

Value quern::makeSplat(OpBuilder &builder, Location loc, VectorType type,
                       int64_t value) {
  APInt bits(type.getElementTypeBitWidth(), value, /*isSigned=*/true);
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, bits));
}
