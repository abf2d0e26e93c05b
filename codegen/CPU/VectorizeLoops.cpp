//===- VectorizeLoops.cpp - Loops of a vectorised subgroup ----------------===//
//
// A loop whose control is the same in all lanes stays as it is. Others turn
// until no lane has work left, with a mask.
//
//===----------------------------------------------------------------------===//
#include "codegen/CPU/Vectorizer.h"

using namespace mlir;
using namespace quern::cpu;

//===----------------------------------------------------------------------===//
// scf.for
//===----------------------------------------------------------------------===//

namespace {
/// The bounds of a loop whose lanes may have different ones: it counts from
/// `lower` to `upper`, and a lane is at work below its `end`.
struct LoopBounds {
  Value lower, upper;
  Value end; ///< Of each lane; null if all lanes end at `upper`.
};
} // namespace

/// Lanes that begin at different values count from 0 by distance.
static LoopBounds getBounds(LaneBuilder &lane, const LaneValue &lower,
                            const LaneValue &upper, Value maskVector) {
  OpBuilder &builder = lane.builder;
  if (lower.isUniform() && upper.isUniform())
    return {lower.values[0], upper.values[0], Value()};
  LoopBounds bounds;
  bounds.end = lane.getVector(upper);
  auto type = cast<VectorType>(bounds.end.getType());
  if (lower.isUniform()) {
    bounds.lower = lower.values[0];
  } else {
    bounds.lower = lane.constant(lower.type, 0);
    Value first = lane.getVector(lower);
    Value last = arith::MaxUIOp::create(builder, lane.loc, bounds.end, first);
    bounds.end = arith::SubIOp::create(builder, lane.loc, last, first);
  }
  // The furthest of the lanes at work.
  Value ends = bounds.end;
  if (maskVector) {
    Value none =
        vector::BroadcastOp::create(builder, lane.loc, type, bounds.lower);
    ends = arith::SelectOp::create(builder, lane.loc, maskVector, ends, none);
  }
  bounds.upper = vector::ReductionOp::create(
      builder, lane.loc, vector::CombiningKind::MAXUI, ends);
  return bounds;
}

/// What lanes that begin at `lower` have after `distance`.
static LaneValue advance(LaneBuilder &lane, const LaneValue &lower,
                         Value distance) {
  OpBuilder &builder = lane.builder;
  if (lower.kind != LaneValue::Kind::Affine) {
    Value first = lane.getVector(lower);
    Value wide = vector::BroadcastOp::create(builder, lane.loc, first.getType(),
                                             distance);
    return LaneValue::parts(
        lower.type,
        arith::AddIOp::create(builder, lane.loc, first, wide).getResult());
  }
  Value base = distance;
  if (!lower.values.empty())
    base = builder.createOrFold<arith::AddIOp>(lane.loc, lower.values[0], base);
  return LaneValue::affine(lower.type, base, lower.offsets);
}

LogicalResult Vectorizer::visitFor(scf::ForOp op, const Mask &mask) {
  LaneBuilder lane = at(op);
  if (!teams.isUniform(op.getStep()))
    return op.emitError() << "lanes have different steps; write it as "
                             "scf.while";
  SmallVector<Carrier> carriers = getCarriers(op.getRegionIterArgs());
  const LaneValue lower = get(op.getLowerBound());
  LoopBounds bounds =
      getBounds(lane, lower, get(op.getUpperBound()),
                mask.isFull() ? Value() : getMaskVector(lane, mask));
  auto loop = scf::ForOp::create(builder, lane.loc, bounds.lower, bounds.upper,
                                 get(op.getStep()).values[0],
                                 packAll(lane, op.getInitArgs(), carriers));
  OpBuilder::InsertionGuard guard(builder);
  if (!loop.getBody()->empty())
    loop.getBody()->back().erase();
  builder.setInsertionPointToEnd(loop.getBody());
  Value now = loop.getInductionVar();
  values[op.getInductionVar()] =
      lower.isUniform() ? LaneValue::uniform(now) : advance(lane, lower, now);
  bind(lane, op.getRegionIterArgs(), carriers, loop.getRegionIterArgs());
  Mask inner = mask;
  if (bounds.end) {
    Value wide = vector::BroadcastOp::create(builder, lane.loc,
                                             bounds.end.getType(), now);
    Value active = arith::CmpIOp::create(
        builder, lane.loc, arith::CmpIPredicate::ult, wide, bounds.end);
    inner = restrict(lane, mask, LaneValue::parts(builder.getI1Type(), active),
                     true);
  }
  if (failed(run(*op.getBody(), inner)))
    return failure();
  SmallVector<Value> yielded;
  for (auto [value, argument, carrier] :
       llvm::zip(op.getYieldedValues(), op.getRegionIterArgs(), carriers)) {
    LaneValue next = get(value);
    if (bounds.end)
      next = lane.select(inner.value, next, get(argument), carrier);
    lane.pack(next, carrier, yielded);
  }
  scf::YieldOp::create(builder, lane.loc, yielded);
  builder.setInsertionPointAfter(loop);
  bind(lane, op.getResults(), carriers, loop.getResults());
  return success();
}

//===----------------------------------------------------------------------===//
// scf.while
//===----------------------------------------------------------------------===//

LogicalResult Vectorizer::visitWhile(scf::WhileOp op, const Mask &mask) {
  if (!teams.isUniform(op.getConditionOp().getCondition()))
    return visitVaryingWhile(op, mask);
  LaneBuilder lane = at(op);
  SmallVector<Carrier> before = getCarriers(op.getBeforeArguments()),
                       after = getCarriers(op.getAfterArguments());
  OpBuilder::InsertionGuard guard(builder);
  auto loop = scf::WhileOp::create(builder, lane.loc, lane.getTypes(after),
                                   packAll(lane, op.getInits(), before));
  auto addBlock = [&](Region &region, ArrayRef<Carrier> carriers) {
    SmallVector<Type> types = lane.getTypes(carriers);
    return builder.createBlock(&region, {}, types,
                               SmallVector<Location>(types.size(), lane.loc));
  };
  Block *block = addBlock(loop.getBefore(), before);
  bind(lane, op.getBeforeArguments(), before, block->getArguments());
  if (failed(run(*op.getBeforeBody(), mask)))
    return failure();
  scf::ConditionOp::create(builder, lane.loc,
                           get(op.getConditionOp().getCondition()).values[0],
                           packAll(lane, op.getConditionOp().getArgs(), after));
  block = addBlock(loop.getAfter(), after);
  bind(lane, op.getAfterArguments(), after, block->getArguments());
  if (failed(yield(*op.getAfterBody(), mask, before)))
    return failure();
  builder.setInsertionPointAfter(loop);
  bind(lane, op.getResults(), after, loop.getResults());
  return success();
}

/// Carries the lanes that are still at work; what the others carry stays as it
/// was, so that evaluating their condition again gives false again.
LogicalResult Vectorizer::visitVaryingWhile(scf::WhileOp op, const Mask &mask) {
  LaneBuilder lane = at(op);
  SmallVector<Carrier> before = getCarriers(op.getBeforeArguments()),
                       after = getCarriers(op.getAfterArguments());
  auto flag = cast<VectorType>(lane.vectorOf(builder.getI1Type(), lanes));
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Value> inits = packAll(lane, op.getInits(), before);
  inits.push_back(getMaskVector(lane, mask));
  SmallVector<Type> beforeTypes = lane.getTypes(before);
  // The second region needs the first's arguments to keep them.
  SmallVector<Type> afterTypes = lane.getTypes(after);
  afterTypes.append(beforeTypes);
  beforeTypes.push_back(flag);
  afterTypes.push_back(flag);
  auto loop = scf::WhileOp::create(builder, lane.loc, afterTypes, inits);
  auto addBlock = [&](Region &region, ArrayRef<Type> types) {
    return builder.createBlock(&region, {}, types,
                               SmallVector<Location>(types.size(), lane.loc));
  };
  Block *block = addBlock(loop.getBefore(), beforeTypes);
  ValueRange kept = block->getArguments().drop_back();
  bind(lane, op.getBeforeArguments(), before, kept);
  Mask active;
  active.value = block->getArguments().back();
  if (failed(run(*op.getBeforeBody(), active)))
    return failure();
  Mask next =
      restrict(lane, active, get(op.getConditionOp().getCondition()), true);
  SmallVector<Value> forwarded =
      packAll(lane, op.getConditionOp().getArgs(), after);
  forwarded.append(kept.begin(), kept.end());
  forwarded.push_back(next.value);
  scf::ConditionOp::create(builder, lane.loc, isAny(lane, next), forwarded);

  block = addBlock(loop.getAfter(), afterTypes);
  ValueRange arguments = block->getArguments();
  bind(lane, op.getAfterArguments(), after, arguments);
  Mask inner;
  inner.value = arguments.back();
  unsigned numAfter = lane.getTypes(after).size();
  ValueRange old = arguments.drop_back().drop_front(numAfter);
  if (failed(run(*op.getAfterBody(), inner)))
    return failure();
  SmallVector<Value> yielded;
  for (auto [value, carrier] :
       llvm::zip(op.getYieldOp().getOperands(), before)) {
    LaneValue previous = lane.unpack(carrier, old);
    lane.pack(lane.select(inner.value, get(value), previous, carrier), carrier,
              yielded);
  }
  yielded.push_back(inner.value);
  scf::YieldOp::create(builder, lane.loc, yielded);
  builder.setInsertionPointAfter(loop);
  bind(lane, op.getResults(), after, loop.getResults());
  return success();
}
