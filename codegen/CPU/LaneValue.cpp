//===- LaneValue.cpp - A value of every lane of a subgroup ----------------===//
#include "codegen/CPU/LaneValue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace quern::cpu;

LaneValue LaneValue::uniform(Value value) {
  return {Kind::Uniform, value.getType(), {value}, {}};
}
LaneValue LaneValue::affine(Type type, Value base, ArrayRef<int64_t> offsets) {
  LaneValue value{Kind::Affine, type, {}, {}};
  if (base)
    value.values.push_back(base);
  value.offsets.assign(offsets.begin(), offsets.end());
  return value;
}
LaneValue LaneValue::parts(Type type, ValueRange parts) {
  LaneValue value{Kind::Parts, type, {}, {}};
  value.values.assign(parts.begin(), parts.end());
  return value;
}
LaneValue LaneValue::flat(Type type, Value value) {
  if (!isa<VectorType>(type))
    return parts(type, value);
  return {Kind::Flat, type, {value}, {}};
}

Type LaneBuilder::convertType(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (!element.isIndex())
    return type;
  Type wide = IntegerType::get(type.getContext(), 64);
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(vector.clone(wide)) : wide;
}

Type LaneBuilder::vectorOf(Type element, unsigned count) {
  return VectorType::get(count, element);
}

Value LaneBuilder::constant(Type type, int64_t value) {
  Type element = getElementTypeOrSelf(type);
  TypedAttr attribute;
  if (isa<FloatType>(element))
    attribute = builder.getFloatAttr(element, double(value));
  else
    attribute = IntegerAttr::get(
        element, APInt(element.getIntOrFloatBitWidth(), uint64_t(value),
                       /*isSigned=*/false, /*implicitTrunc=*/true));
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, Attribute(attribute));
  return arith::ConstantOp::create(builder, loc, attribute);
}

Value LaneBuilder::shuffle(Value a, Value b, ArrayRef<int64_t> indices) {
  return vector::ShuffleOp::create(builder, loc, a, b, indices);
}

Value LaneBuilder::repeatLanes(Value vector, unsigned times) {
  if (times == 1)
    return vector;
  SmallVector<int64_t> indices;
  for (unsigned i = 0; i != lanes * times; ++i)
    indices.push_back(i / times);
  return shuffle(vector, vector, indices);
}

Value LaneBuilder::getVector(const LaneValue &value) {
  assert(value.getComponents() == 1);
  return getPart(value, 0);
}

Value LaneBuilder::getPart(const LaneValue &value, unsigned i) {
  auto type = cast<VectorType>(vectorOf(value.getElement(), lanes));
  switch (value.kind) {
  case LaneValue::Kind::Parts:
    return value.values[i];
  case LaneValue::Kind::Uniform: {
    Value scalar = value.values[0];
    if (isa<VectorType>(value.type))
      scalar = builder.createOrFold<vector::ExtractOp>(loc, scalar, int64_t(i));
    return vector::BroadcastOp::create(builder, loc, type, scalar);
  }
  case LaneValue::Kind::Affine: {
    unsigned width = value.type.getIntOrFloatBitWidth();
    SmallVector<APInt> constants;
    for (int64_t offset : value.offsets)
      constants.push_back(APInt(width, uint64_t(offset), false, true));
    Value vector = arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, constants));
    if (value.values.empty())
      return vector;
    Value base =
        vector::BroadcastOp::create(builder, loc, type, value.values[0]);
    return arith::AddIOp::create(builder, loc, base, vector);
  }
  case LaneValue::Kind::Flat:
    break;
  }
  SmallVector<int64_t> indices;
  for (unsigned lane = 0; lane != lanes; ++lane)
    indices.push_back(lane * value.getComponents() + i);
  return shuffle(value.values[0], value.values[0], indices);
}

Value LaneBuilder::getFlat(const LaneValue &value) {
  unsigned count = value.getComponents();
  if (value.kind == LaneValue::Kind::Flat)
    return value.values[0];
  if (count == 1)
    return getVector(value);
  SmallVector<int64_t> indices;
  if (value.isUniform()) {
    for (unsigned i = 0; i != lanes * count; ++i)
      indices.push_back(i % count);
    return shuffle(value.values[0], value.values[0], indices);
  }
  if (value.isSplat())
    return repeatLanes(value.values[0], count);
  // Joins the parts, then interleaves.
  SmallVector<Value> joined(value.values.begin(), value.values.end());
  for (unsigned length = lanes; joined.size() > 1; length *= 2) {
    SmallVector<Value> pairs;
    SmallVector<int64_t> both;
    for (unsigned i = 0; i != 2 * length; ++i)
      both.push_back(i);
    for (size_t i = 0; i + 1 < joined.size(); i += 2)
      pairs.push_back(shuffle(joined[i], joined[i + 1], both));
    joined = std::move(pairs);
  }
  for (unsigned i = 0; i != lanes * count; ++i)
    indices.push_back(i % count * lanes + i / count);
  return shuffle(joined[0], joined[0], indices);
}

Value LaneBuilder::getLane(const LaneValue &value, unsigned lane) {
  unsigned count = value.getComponents();
  switch (value.kind) {
  case LaneValue::Kind::Uniform:
    return value.values[0];
  case LaneValue::Kind::Affine: {
    Value offset = constant(value.type, value.offsets[lane]);
    if (value.values.empty())
      return offset;
    return builder.createOrFold<arith::AddIOp>(loc, value.values[0], offset);
  }
  case LaneValue::Kind::Flat: {
    SmallVector<int64_t> indices;
    for (unsigned i = 0; i != count; ++i)
      indices.push_back(lane * count + i);
    return shuffle(value.values[0], value.values[0], indices);
  }
  case LaneValue::Kind::Parts:
    break;
  }
  SmallVector<Value> components;
  for (Value part : value.values)
    components.push_back(
        builder.createOrFold<vector::ExtractOp>(loc, part, int64_t(lane)));
  if (!isa<VectorType>(value.type))
    return components[0];
  return vector::FromElementsOp::create(
      builder, loc, cast<VectorType>(value.type), components);
}

LaneValue LaneBuilder::select(Value mask, const LaneValue &a,
                              const LaneValue &b, const Carrier &carrier) {
  if (carrier.kind == LaneValue::Kind::Flat) {
    Value wide = repeatLanes(mask, a.getComponents());
    return LaneValue::flat(
        carrier.type,
        arith::SelectOp::create(builder, loc, wide, getFlat(a), getFlat(b)));
  }
  SmallVector<Value> parts;
  for (unsigned i = 0; i != a.getComponents(); ++i)
    parts.push_back(arith::SelectOp::create(builder, loc, mask, getPart(a, i),
                                            getPart(b, i)));
  return LaneValue::parts(carrier.type, parts);
}

void LaneBuilder::getTypes(const Carrier &carrier,
                           SmallVectorImpl<Type> &types) {
  auto vector = dyn_cast<VectorType>(carrier.type);
  Type element = getElementTypeOrSelf(carrier.type);
  unsigned count = vector ? vector.getNumElements() : 1;
  if (carrier.kind == LaneValue::Kind::Uniform)
    types.push_back(carrier.type);
  else if (carrier.kind == LaneValue::Kind::Flat)
    types.push_back(vectorOf(element, lanes * count));
  else
    types.append(count, vectorOf(element, lanes));
}

void LaneBuilder::pack(const LaneValue &value, const Carrier &carrier,
                       SmallVectorImpl<Value> &values) {
  assert(value.type == carrier.type);
  if (carrier.kind == LaneValue::Kind::Uniform) {
    assert(value.isUniform());
    values.push_back(value.values[0]);
  } else if (carrier.kind == LaneValue::Kind::Flat) {
    values.push_back(getFlat(value));
  } else {
    for (unsigned i = 0; i != value.getComponents(); ++i)
      values.push_back(getPart(value, i));
  }
}

LaneValue LaneBuilder::unpack(const Carrier &carrier, ValueRange &values) {
  SmallVector<Type> types;
  getTypes(carrier, types);
  ValueRange mine = values.take_front(types.size());
  values = values.drop_front(types.size());
  if (carrier.kind == LaneValue::Kind::Uniform)
    return LaneValue::uniform(mine[0]);
  if (carrier.kind == LaneValue::Kind::Flat)
    return LaneValue::flat(carrier.type, mine[0]);
  return LaneValue::parts(carrier.type, mine);
}
