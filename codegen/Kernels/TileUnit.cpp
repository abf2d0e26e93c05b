//===- TileUnit.cpp - Products on tile registers --------------------------===//
#include "codegen/Kernels/TileUnit.h"

#include "dialects/Kernel/IR/KernelOps.h"

using namespace mlir;
using namespace quern;

static_assert(kTileRows == kernel::TileProductsOp::kRows);

Expressions quern::multiplyTiles(TileElement element, const InputTiles &inputs,
                                 const TilePanels &panels) {
  const Expression &place = inputs.starts.front();
  OpBuilder &builder = place.getBuilder();
  Type type = element == TileElement::Int8 ? Type(builder.getI8Type())
                                           : Type(builder.getBF16Type());
  IntegerAttr partStride;
  if (inputs.parts > 1)
    partStride = builder.getI64IntegerAttr(inputs.partStride);
  auto op = kernel::TileProductsOp::create(
      builder, place.getLoc(), TypeAttr::get(type), inputs.memory.get(),
      toValues(inputs.starts), builder.getI64IntegerAttr(inputs.rowStride),
      builder.getI64IntegerAttr(inputs.parts), partStride, panels.memory.get(),
      toValues(panels.starts), builder.getI64IntegerAttr(panels.words));
  Expressions products;
  for (Value sum : op.getSums())
    products.push_back(place.with(sum));
  return products;
}

Expression quern::takeBFloats(Octet &rest) {
  constexpr uint32_t high = 0xffff0000, half = 0x8000;
  auto take = [&](Expression &x) {
    Expression bits = (bitsOf(x) + double(half)) & double(high);
    x = x - floatOf(bits);
    return bits;
  };
  Expression even = take(rest.a), odd = take(rest.b);
  return (even >> 16.0) | odd;
}
