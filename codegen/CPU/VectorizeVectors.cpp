//===- VectorizeVectors.cpp - Components and lanes ------------------------===//
//
// Ops that move components of a lane's vector or values between lanes.
//
//===----------------------------------------------------------------------===//
#include "codegen/CPU/Vectorizer.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace quern;
using namespace quern::cpu;

LogicalResult Vectorizer::visitShuffle(gpu::ShuffleOp op) {
  LaneBuilder lane = at(op);
  const LaneValue value = get(op.getValue()), from = get(op.getOffset());
  values[op.getValid()] =
      LaneValue::uniform(lane.constant(builder.getI1Type(), 1));
  auto result = [&](LaneValue shuffled) {
    set(op.getShuffleResult(), std::move(shuffled));
    return success();
  };
  if (value.isUniform())
    return result(value);
  Value vector = lane.getVector(value);
  SmallVector<int64_t> indices;
  if (op.getMode() == gpu::ShuffleMode::XOR) {
    std::optional<int64_t> distance =
        from.isUniform() ? getConstantIntValue(from.values[0]) : std::nullopt;
    if (!distance || *distance < 0 || *distance >= int64_t(lanes))
      return op.emitError() << "the distance is no constant below " << lanes;
    for (unsigned i = 0; i != lanes; ++i)
      indices.push_back(i ^ *distance);
  } else if (op.getMode() != gpu::ShuffleMode::IDX) {
    return op.emitError() << "only xor and idx are vectorised";
  } else if (from.isConstant()) {
    for (int64_t offset : from.offsets)
      indices.push_back(offset & (lanes - 1));
  } else if (from.isUniform()) {
    return result(LaneValue::uniform(vector::ExtractOp::create(
        builder, lane.loc, vector,
        arith::IndexCastUIOp::create(builder, lane.loc, builder.getIndexType(),
                                     from.values[0])
            .getResult())));
  } else {
    SmallVector<Value> elements;
    for (unsigned i = 0; i != lanes; ++i) {
      Value at = arith::IndexCastUIOp::create(
          builder, lane.loc, builder.getIndexType(), lane.getLane(from, i));
      elements.push_back(
          vector::ExtractOp::create(builder, lane.loc, vector, at));
    }
    return result(LaneValue::parts(
        value.type,
        vector::FromElementsOp::create(
            builder, lane.loc, cast<VectorType>(vector.getType()), elements)
            .getResult()));
  }
  return result(
      LaneValue::parts(value.type, lane.shuffle(vector, vector, indices)));
}

LaneValue Vectorizer::visitExtract(vector::ExtractOp op) {
  LaneBuilder lane = at(op);
  const LaneValue &source = get(op.getSource());
  int64_t position = op.getStaticPosition()[0];
  if (source.isUniform())
    return LaneValue::uniform(builder.createOrFold<vector::ExtractOp>(
        lane.loc, source.values[0], position));
  return LaneValue::parts(op.getType(), lane.getPart(source, position));
}

LaneValue Vectorizer::visitFromElements(vector::FromElementsOp op) {
  LaneBuilder lane = at(op);
  bool isUniform = llvm::all_of(op.getElements(), [&](Value element) {
    return get(element).isUniform();
  });
  SmallVector<Value> elements;
  for (Value element : op.getElements())
    elements.push_back(isUniform ? get(element).values[0]
                                 : lane.getVector(get(element)));
  if (!isUniform)
    return LaneValue::parts(op.getType(), elements);
  return LaneValue::uniform(vector::FromElementsOp::create(
      builder, lane.loc, op.getType(), elements));
}

LaneValue Vectorizer::visitVectorShuffle(vector::ShuffleOp op) {
  LaneBuilder lane = at(op);
  const LaneValue &a = get(op.getV1()), &b = get(op.getV2());
  ArrayRef<int64_t> mask = op.getMask();
  if (a.isUniform() && b.isUniform())
    return LaneValue::uniform(lane.shuffle(a.values[0], b.values[0], mask));
  int64_t first = a.getComponents(), second = b.getComponents();
  Type type = op.getType();
  if (a.kind == LaneValue::Kind::Flat && b.kind == LaneValue::Kind::Flat) {
    SmallVector<int64_t> indices;
    for (unsigned i = 0; i != lanes; ++i)
      for (int64_t from : mask)
        indices.push_back(from < first
                              ? i * first + from
                              : lanes * first + i * second + from - first);
    return LaneValue::flat(type,
                           lane.shuffle(a.values[0], b.values[0], indices));
  }
  SmallVector<Value> parts;
  for (int64_t from : mask)
    parts.push_back(from < first ? lane.getPart(a, from)
                                 : lane.getPart(b, from - first));
  return LaneValue::parts(type, parts);
}

/// `like` with another element type.
static Type withElement(Type like, Type element) {
  auto vector = dyn_cast<VectorType>(like);
  return vector ? Type(vector.clone(element)) : element;
}

LaneValue Vectorizer::visitUnpackHalf(kernel::UnpackHalfOp op) {
  LaneBuilder lane = at(op);
  const LaneValue &word = get(op.getWord());
  bool isUniform = word.isUniform();
  Value words = isUniform ? word.values[0] : lane.getVector(word);
  auto convert = [&](Value bits) -> Value {
    Type type = bits.getType();
    bits = arith::TruncIOp::create(
        builder, lane.loc, withElement(type, builder.getI16Type()), bits);
    bits = arith::BitcastOp::create(
        builder, lane.loc, withElement(type, builder.getF16Type()), bits);
    return arith::ExtFOp::create(builder, lane.loc,
                                 withElement(type, builder.getF32Type()), bits);
  };
  Value low = convert(words);
  Value high = convert(arith::ShRUIOp::create(
      builder, lane.loc, words, lane.constant(words.getType(), 16)));
  auto type = cast<VectorType>(op.getType());
  if (!isUniform)
    return LaneValue::parts(type, {low, high});
  return LaneValue::uniform(vector::FromElementsOp::create(
      builder, lane.loc, type, ValueRange{low, high}));
}

LaneValue Vectorizer::visitPackHalf(kernel::PackHalfOp op) {
  LaneBuilder lane = at(op);
  const LaneValue &pair = get(op.getValues());
  auto convert = [&](unsigned i) -> Value {
    Value value = pair.isUniform()
                      ? vector::ExtractOp::create(builder, lane.loc,
                                                  pair.values[0], int64_t(i))
                      : lane.getPart(pair, i);
    Type type = value.getType();
    value = arith::TruncFOp::create(
        builder, lane.loc, withElement(type, builder.getF16Type()), value);
    value = arith::BitcastOp::create(
        builder, lane.loc, withElement(type, builder.getI16Type()), value);
    return arith::ExtUIOp::create(
        builder, lane.loc, withElement(type, builder.getI32Type()), value);
  };
  Value low = convert(0), high = convert(1);
  high = arith::ShLIOp::create(builder, lane.loc, high,
                               lane.constant(high.getType(), 16));
  Value word = arith::OrIOp::create(builder, lane.loc, low, high);
  return pair.isUniform() ? LaneValue::uniform(word)
                          : LaneValue::parts(builder.getI32Type(), word);
}
