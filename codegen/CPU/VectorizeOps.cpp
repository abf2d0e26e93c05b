//===- VectorizeOps.cpp - Arithmetic of a vectorised subgroup -------------===//
#include "codegen/CPU/Vectorizer.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace quern;
using namespace quern::cpu;

void Vectorizer::set(Value value, LaneValue result) {
  if (teams.isUniform(value) && !result.isUniform()) {
    LaneBuilder lane(builder, value.getLoc(), lanes);
    result = LaneValue::uniform(lane.getLane(result, 0));
  }
  values[value] = std::move(result);
}

LogicalResult Vectorizer::run(Block &block, const Mask &mask) {
  for (Operation &op : block.without_terminator())
    if (failed(visit(&op, mask)))
      return failure();
  return success();
}

LogicalResult Vectorizer::visit(Operation *op, const Mask &mask) {
  auto result = [&](LaneValue value) {
    set(op->getResult(0), std::move(value));
    return success();
  };
  SmallVector<int64_t> sequence;
  for (unsigned i = 0; i != lanes; ++i)
    sequence.push_back(i);
  LaneBuilder lane = at(op);
  Type i64 = builder.getI64Type();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](arith::ConstantOp op) { return visitConstant(op); })
      .Case([&](ub::PoisonOp op) {
        return result(LaneValue::uniform(
            lane.constant(LaneBuilder::convertType(op.getType()), 0)));
      })
      .Case([&](gpu::ThreadIdOp op) {
        if (op.getDimension() == gpu::Dimension::x)
          return result(LaneValue::affine(i64, Value(), sequence));
        return result(LaneValue::uniform(lane.constant(i64, 0)));
      })
      .Case([&](gpu::BlockIdOp op) {
        return result(LaneValue::uniform(groups[unsigned(op.getDimension())]));
      })
      .Case([&](gpu::GridDimOp op) {
        return result(
            LaneValue::uniform(groupCounts[unsigned(op.getDimension())]));
      })
      .Case([&](gpu::ShuffleOp op) { return visitShuffle(op); })
      // The lanes of a subgroup move in step.
      .Case([&](gpu::BarrierOp) { return success(); })
      .Case([&](scf::IfOp op) { return visitIf(op, mask); })
      .Case([&](scf::ForOp op) { return visitFor(op, mask); })
      .Case([&](scf::WhileOp op) { return visitWhile(op, mask); })
      .Case([&](kernel::ReadOp op) {
        return result(
            load(op, op.getBuffer(), op.getIndex(), op.getType(), mask));
      })
      .Case([&](memref::LoadOp op) {
        return result(
            load(op, op.getMemRef(), op.getIndices()[0], op.getType(), mask));
      })
      .Case([&](memref::AllocOp op) {
        MemRefType type = op.getType();
        setPointer(op, makeStackMemory(op.getLoc(), type.getElementType(),
                                       type.getNumElements()));
        return success();
      })
      .Case([&](memref::PrefetchOp op) {
        prefetch(op);
        return success();
      })
      .Case([&](memref::StoreOp op) {
        store(op, op.getMemRef(), op.getIndices()[0], op.getValue(), mask);
        return success();
      })
      .Case([&](kernel::ReadHalfOp op) { return result(loadHalf(op, mask)); })
      .Case([&](kernel::TileProductsOp op) {
        return visitTileProducts(op, mask);
      })
      .Case([&](kernel::ByteDotOp op) {
        if (llvm::all_of(op->getOperands(),
                         [&](Value value) { return get(value).isUniform(); }))
          return result(LaneValue::uniform(
              cloneWith(op,
                        {get(op.getA()).values[0], get(op.getB()).values[0],
                         get(op.getSum()).values[0]},
                        op.getType())));
        Value sum = cloneWith(op,
                              {lane.getVector(get(op.getA())),
                               lane.getVector(get(op.getB())),
                               lane.getVector(get(op.getSum()))},
                              lane.vectorOf(op.getType(), lanes));
        return result(LaneValue::parts(op.getType(), sum));
      })
      .Case(
          [&](kernel::UnpackHalfOp op) { return result(visitUnpackHalf(op)); })
      .Case([&](kernel::PackHalfOp op) { return result(visitPackHalf(op)); })
      .Case([&](vector::ExtractOp op) { return result(visitExtract(op)); })
      .Case([&](vector::FromElementsOp op) {
        return result(visitFromElements(op));
      })
      .Case(
          [&](vector::ShuffleOp op) { return result(visitVectorShuffle(op)); })
      .Case([&](vector::BroadcastOp op) {
        const LaneValue &source = get(op.getSource());
        if (source.isUniform())
          return result(LaneValue::uniform(vector::BroadcastOp::create(
              builder, op.getLoc(), op.getType(), source.values[0])));
        auto type = cast<VectorType>(op.getType());
        Value part = lane.getVector(source);
        return result(LaneValue::parts(
            type, SmallVector<Value>(type.getNumElements(), part)));
      })
      .Case([&](arith::IndexCastUIOp op) { return result(visitIndexCast(op)); })
      .Default([&](Operation *op) { return visitElementwise(op); });
}

LogicalResult Vectorizer::visitConstant(arith::ConstantOp op) {
  Type type = LaneBuilder::convertType(op.getType());
  TypedAttr attribute = op.getValue();
  if (type != op.getType()) {
    auto integer = dyn_cast<IntegerAttr>(attribute);
    if (!integer)
      return op.emitError() << "a vector of index constants";
    attribute = builder.getI64IntegerAttr(integer.getInt());
  }
  set(op, LaneValue::uniform(
              arith::ConstantOp::create(builder, op.getLoc(), attribute)));
  return success();
}

//===----------------------------------------------------------------------===//
// Integers that are a base plus a constant for each lane
//===----------------------------------------------------------------------===//

/// The integer of each lane, zero-extended.
static SmallVector<uint64_t> getConstants(const LaneValue &value) {
  unsigned width = value.type.getIntOrFloatBitWidth();
  uint64_t mask = width == 64 ? ~uint64_t(0) : (uint64_t(1) << width) - 1;
  SmallVector<uint64_t> constants;
  for (int64_t offset : value.offsets)
    constants.push_back(uint64_t(offset) & mask);
  return constants;
}

/// The value as constants, if it is known.
static std::optional<LaneValue> asConstants(const LaneValue &value,
                                            unsigned lanes) {
  if (value.isConstant())
    return value;
  if (!value.isUniform() || !isa<IntegerType>(value.type))
    return std::nullopt;
  std::optional<int64_t> number = getConstantIntValue(value.values[0]);
  if (!number)
    return std::nullopt;
  return LaneValue::affine(value.type, Value(),
                           SmallVector<int64_t>(lanes, *number));
}

static std::optional<uint64_t> compute(Operation *op, uint64_t a, uint64_t b) {
  using Result = std::optional<uint64_t>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AddIOp) { return a + b; })
      .Case([&](arith::SubIOp) { return a - b; })
      .Case([&](arith::MulIOp) { return a * b; })
      .Case([&](arith::AndIOp) { return a & b; })
      .Case([&](arith::OrIOp) { return a | b; })
      .Case([&](arith::XOrIOp) { return a ^ b; })
      .Case([&](arith::MinUIOp) { return std::min(a, b); })
      .Case([&](arith::MaxUIOp) { return std::max(a, b); })
      .Case([&](arith::DivUIOp) { return b ? Result(a / b) : Result(); })
      .Case([&](arith::RemUIOp) { return b ? Result(a % b) : Result(); })
      .Case([&](arith::CmpIOp op) -> Result {
        if (op.getPredicate() == arith::CmpIPredicate::eq ||
            op.getPredicate() == arith::CmpIPredicate::ne ||
            op.getPredicate() >= arith::CmpIPredicate::ult)
          return arith::applyCmpPredicate(op.getPredicate(), APInt(64, a),
                                          APInt(64, b));
        return std::nullopt;
      })
      .Default([](Operation *) { return Result(); });
}

std::optional<LaneValue> Vectorizer::foldConstants(Operation *op) {
  std::optional<LaneValue> a = asConstants(get(op->getOperand(0)), lanes),
                           b = asConstants(get(op->getOperand(1)), lanes);
  if (!a || !b)
    return std::nullopt;
  SmallVector<int64_t> results;
  for (auto [x, y] : llvm::zip(getConstants(*a), getConstants(*b))) {
    std::optional<uint64_t> result = compute(op, x, y);
    if (!result)
      return std::nullopt;
    results.push_back(int64_t(*result));
  }
  return LaneValue::affine(LaneBuilder::convertType(op->getResult(0).getType()),
                           Value(), results);
}

std::optional<LaneValue> Vectorizer::foldAffine(Operation *op) {
  if (op->getNumOperands() != 2)
    return std::nullopt;
  const LaneValue &a = get(op->getOperand(0)), &b = get(op->getOperand(1));
  auto isKnown = [](const LaneValue &value) {
    return value.kind == LaneValue::Kind::Affine ||
           (value.isUniform() && isa<IntegerType>(value.type));
  };
  if (!isKnown(a) || !isKnown(b))
    return std::nullopt;
  if (std::optional<LaneValue> constants = foldConstants(op))
    return constants;
  auto base = [](const LaneValue &value) {
    return value.values.empty() ? Value() : value.values[0];
  };
  auto offset = [](const LaneValue &value, unsigned i) {
    return value.isUniform() ? 0 : value.offsets[i];
  };
  Location loc = op->getLoc();
  SmallVector<int64_t> offsets;
  if (isa<arith::AddIOp>(op)) {
    for (unsigned i = 0; i != lanes; ++i)
      offsets.push_back(offset(a, i) + offset(b, i));
    Value sum = base(a);
    if (sum && base(b))
      sum = builder.createOrFold<arith::AddIOp>(loc, sum, base(b));
    return LaneValue::affine(a.type, sum ? sum : base(b), offsets);
  }
  if (isa<arith::SubIOp>(op) && base(a)) {
    for (unsigned i = 0; i != lanes; ++i)
      offsets.push_back(offset(a, i) - offset(b, i));
    Value difference = base(a);
    if (base(b))
      difference =
          builder.createOrFold<arith::SubIOp>(loc, difference, base(b));
    return LaneValue::affine(a.type, difference, offsets);
  }
  if (isa<arith::MulIOp>(op)) {
    const LaneValue &varying = a.isUniform() ? b : a;
    const LaneValue &factor = a.isUniform() ? a : b;
    std::optional<int64_t> number = factor.isUniform()
                                        ? getConstantIntValue(factor.values[0])
                                        : std::nullopt;
    if (!number)
      return std::nullopt;
    for (int64_t value : varying.offsets)
      offsets.push_back(value * *number);
    Value product = base(varying);
    if (product)
      product =
          builder.createOrFold<arith::MulIOp>(loc, product, factor.values[0]);
    return LaneValue::affine(a.type, product, offsets);
  }
  return std::nullopt;
}

/// Vectors of 64-bit integers have no division, and few have a fast product:
/// indices of elements are below 2^32.
LaneValue Vectorizer::visitNarrowDivision(Operation *op) {
  LaneBuilder lane = at(op);
  Type narrow = lane.vectorOf(builder.getI32Type(), lanes);
  Type wide = lane.vectorOf(builder.getI64Type(), lanes);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(arith::TruncIOp::create(builder, lane.loc, narrow,
                                               lane.getVector(get(operand))));
  Value result = cloneWith(op, operands, narrow);
  return LaneValue::parts(
      builder.getI64Type(),
      arith::ExtUIOp::create(builder, lane.loc, wide, result).getResult());
}

LaneValue Vectorizer::visitIndexCast(arith::IndexCastUIOp op) {
  LaneBuilder lane = at(op);
  const LaneValue &in = get(op.getIn());
  Type type = LaneBuilder::convertType(op.getType());
  unsigned from = in.type.getIntOrFloatBitWidth(),
           to = type.getIntOrFloatBitWidth();
  auto cast = [&](Value value, Type type) -> Value {
    if (from == to)
      return value;
    if (from < to)
      return builder.createOrFold<arith::ExtUIOp>(lane.loc, type, value);
    return builder.createOrFold<arith::TruncIOp>(lane.loc, type, value);
  };
  if (in.isUniform())
    return LaneValue::uniform(cast(in.values[0], type));
  if (in.isConstant()) {
    SmallVector<int64_t> offsets;
    for (uint64_t value : getConstants(in))
      offsets.push_back(int64_t(value));
    return LaneValue::affine(type, Value(), offsets);
  }
  if (in.kind == LaneValue::Kind::Affine && from >= to)
    return LaneValue::affine(type, cast(in.values[0], type), in.offsets);
  return LaneValue::parts(type,
                          cast(lane.getVector(in), lane.vectorOf(type, lanes)));
}

//===----------------------------------------------------------------------===//
// The same operation in every lane
//===----------------------------------------------------------------------===//

Value Vectorizer::cloneWith(Operation *op, ValueRange operands, Type type) {
  IRMapping mapping;
  Operation *clone = builder.clone(*op, mapping);
  clone->setOperands(operands);
  clone->getResult(0).setType(type);
  return clone->getResult(0);
}

LogicalResult Vectorizer::visitElementwise(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() != 0 ||
      !isa<arith::ArithDialect, math::MathDialect, vector::VectorDialect>(
          op->getDialect()))
    return op->emitError() << "can't be vectorised";
  LaneBuilder lane = at(op);
  Type type = LaneBuilder::convertType(op->getResult(0).getType());
  bool isUniform = true, anyFlat = false, anyParts = false;
  for (Value operand : op->getOperands()) {
    const LaneValue &value = get(operand);
    isUniform &= value.isUniform();
    anyFlat |= value.kind == LaneValue::Kind::Flat;
    anyParts |= value.kind == LaneValue::Kind::Parts && !value.isSplat() &&
                value.getComponents() > 1;
  }
  SmallVector<Value> operands;
  if (isUniform) {
    for (Value operand : op->getOperands())
      operands.push_back(get(operand).values[0]);
    set(op->getResult(0), LaneValue::uniform(cloneWith(op, operands, type)));
    return success();
  }
  if (std::optional<LaneValue> affine = foldAffine(op)) {
    set(op->getResult(0), *affine);
    return success();
  }
  if (isa<arith::DivUIOp, arith::RemUIOp>(op) && type.isInteger(64)) {
    set(op->getResult(0), visitNarrowDivision(op));
    return success();
  }
  auto vector = dyn_cast<VectorType>(type);
  unsigned count = vector ? vector.getNumElements() : 1;
  Type element = getElementTypeOrSelf(type);
  if (vector && anyFlat && !anyParts) {
    for (Value operand : op->getOperands())
      operands.push_back(lane.getFlat(get(operand)));
    Value flat = cloneWith(op, operands, lane.vectorOf(element, lanes * count));
    set(op->getResult(0), LaneValue::flat(type, flat));
    return success();
  }
  SmallVector<Value> parts;
  for (unsigned i = 0; i != count; ++i) {
    operands.clear();
    for (Value operand : op->getOperands())
      operands.push_back(lane.getPart(get(operand), i));
    parts.push_back(cloneWith(op, operands, lane.vectorOf(element, lanes)));
  }
  set(op->getResult(0), LaneValue::parts(type, parts));
  return success();
}
