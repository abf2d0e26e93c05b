//===- VectorizeControl.cpp - Branches of a vectorised subgroup -----------===//
//
// A condition that is the same in all lanes stays a branch. Under one that is
// not, both branches run with masks and their results are selected; a branch
// that no lane takes is jumped over.
//
//===----------------------------------------------------------------------===//
#include "codegen/CPU/Vectorizer.h"

using namespace mlir;
using namespace quern::cpu;

/// Whether something takes the value apart. Only a hint.
static bool isTakenApart(Value value) {
  if (auto from = value.getDefiningOp<vector::FromElementsOp>())
    return true;
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    return isa<vector::ExtractOp, vector::ShuffleOp>(user);
  });
}

Carrier Vectorizer::getCarrier(Value value) const {
  Type type = LaneBuilder::convertType(value.getType());
  if (teams.isUniform(value))
    return {LaneValue::Kind::Uniform, type};
  bool apart = !isa<VectorType>(type) || isTakenApart(value);
  // What a loop yields decides as well.
  if (auto argument = dyn_cast<BlockArgument>(value))
    if (auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp()))
      if (argument != loop.getInductionVar())
        apart |= loop.getTiedLoopYieldedValue(argument)
                     ->get()
                     .getDefiningOp<vector::FromElementsOp>() != nullptr;
  return {apart ? LaneValue::Kind::Parts : LaneValue::Kind::Flat, type};
}

SmallVector<Carrier> Vectorizer::getCarriers(ValueRange range) const {
  return llvm::map_to_vector(range, [&](Value v) { return getCarrier(v); });
}

void Vectorizer::bind(LaneBuilder &lane, ValueRange targets,
                      ArrayRef<Carrier> carriers, ValueRange packed) {
  for (auto [target, carrier] : llvm::zip(targets, carriers))
    values[target] = lane.unpack(carrier, packed);
}

SmallVector<Value> Vectorizer::packAll(LaneBuilder &lane, ValueRange range,
                                       ArrayRef<Carrier> carriers) {
  SmallVector<Value> packed;
  for (auto [value, carrier] : llvm::zip(range, carriers))
    lane.pack(get(value), carrier, packed);
  return packed;
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

Value Vectorizer::getMaskVector(LaneBuilder &lane, const Mask &mask) {
  if (mask.value)
    return mask.value;
  SmallVector<int64_t> bits(lanes, 1);
  for (unsigned i = 0; i != lanes; ++i)
    bits[i] = mask.mayHave(i);
  return lane.getVector(LaneValue::affine(builder.getI1Type(), Value(), bits));
}

Mask Vectorizer::restrict(LaneBuilder &lane, const Mask &mask,
                          const LaneValue &condition, bool wanted) {
  Mask result;
  if (condition.isConstant() && !mask.value) {
    for (unsigned i = 0; i != lanes; ++i)
      result.pattern.push_back(mask.mayHave(i) &&
                               (condition.offsets[i] != 0) == wanted);
    if (!llvm::is_contained(result.pattern, false))
      result.pattern.clear();
    return result;
  }
  Value vector = lane.getVector(condition);
  if (!wanted)
    vector = arith::XOrIOp::create(builder, lane.loc, vector,
                                   lane.constant(vector.getType(), 1));
  if (!mask.isFull())
    vector = arith::AndIOp::create(builder, lane.loc, getMaskVector(lane, mask),
                                   vector);
  result.value = vector;
  return result;
}

Value Vectorizer::isAny(LaneBuilder &lane, const Mask &mask) {
  return vector::ReductionOp::create(
      builder, lane.loc, vector::CombiningKind::OR, getMaskVector(lane, mask));
}

//===----------------------------------------------------------------------===//
// scf.if
//===----------------------------------------------------------------------===//

LogicalResult Vectorizer::yield(Block &block, const Mask &mask,
                                ArrayRef<Carrier> carriers) {
  if (failed(run(block, mask)))
    return failure();
  Operation *terminator = block.getTerminator();
  LaneBuilder lane = at(terminator);
  scf::YieldOp::create(builder, lane.loc,
                       packAll(lane, terminator->getOperands(), carriers));
  return success();
}

LogicalResult Vectorizer::visitIf(scf::IfOp op, const Mask &mask) {
  if (!teams.isUniform(op.getCondition()))
    return visitVaryingIf(op, mask);
  LaneBuilder lane = at(op);
  SmallVector<Carrier> carriers = getCarriers(op.getResults());
  bool hasElse = !op.getElseRegion().empty();
  auto branch = scf::IfOp::create(builder, lane.loc, lane.getTypes(carriers),
                                  get(op.getCondition()).values[0],
                                  /*addThenBlock=*/true, hasElse);
  OpBuilder::InsertionGuard guard(builder);
  for (unsigned i = 0; i != (hasElse ? 2 : 1); ++i) {
    Block &to = branch->getRegion(i).front();
    if (!to.empty())
      to.back().erase();
    builder.setInsertionPointToEnd(&to);
    if (failed(yield(op->getRegion(i).front(), mask, carriers)))
      return failure();
  }
  bind(lane, op.getResults(), carriers, branch.getResults());
  return success();
}

FailureOr<SmallVector<LaneValue>>
Vectorizer::runBranch(scf::IfOp op, Block &block, const Mask &mask,
                      ArrayRef<Carrier> carriers) {
  LaneBuilder lane = at(op);
  SmallVector<LaneValue> results;
  bool never = !mask.pattern.empty() &&
               llvm::none_of(mask.pattern, [](bool b) { return b; });
  SmallVector<Type> types = lane.getTypes(carriers);
  if (!mask.value && !never) {
    if (failed(run(block, mask)))
      return failure();
    for (Value value : block.getTerminator()->getOperands())
      results.push_back(get(value));
    return results;
  }
  SmallVector<Value> packed;
  if (never) {
    for (Type type : types)
      packed.push_back(lane.constant(type, 0));
  } else {
    auto branch = scf::IfOp::create(builder, lane.loc, types, isAny(lane, mask),
                                    /*addThenBlock=*/true,
                                    /*addElseBlock=*/!types.empty());
    OpBuilder::InsertionGuard guard(builder);
    if (!branch.thenBlock()->empty())
      branch.thenBlock()->back().erase();
    builder.setInsertionPointToEnd(branch.thenBlock());
    if (failed(yield(block, mask, carriers)))
      return failure();
    if (!types.empty()) {
      if (!branch.elseBlock()->empty())
        branch.elseBlock()->back().erase();
      builder.setInsertionPointToEnd(branch.elseBlock());
      SmallVector<Value> zeros;
      for (Type type : types)
        zeros.push_back(lane.constant(type, 0));
      scf::YieldOp::create(builder, lane.loc, zeros);
    }
    packed.assign(branch.getResults().begin(), branch.getResults().end());
  }
  ValueRange rest(packed);
  for (const Carrier &carrier : carriers)
    results.push_back(lane.unpack(carrier, rest));
  return results;
}

LogicalResult Vectorizer::visitVaryingIf(scf::IfOp op, const Mask &mask) {
  LaneBuilder lane = at(op);
  const LaneValue condition = get(op.getCondition());
  SmallVector<Carrier> carriers = getCarriers(op.getResults());
  auto onTrue = runBranch(op, *op.thenBlock(),
                          restrict(lane, mask, condition, true), carriers);
  if (failed(onTrue))
    return failure();
  if (op.getElseRegion().empty())
    return success();
  auto onFalse = runBranch(op, *op.elseBlock(),
                           restrict(lane, mask, condition, false), carriers);
  if (failed(onFalse))
    return failure();
  Value vector = lane.getVector(condition);
  for (auto [result, carrier, a, b] :
       llvm::zip(op.getResults(), carriers, *onTrue, *onFalse))
    values[result] = lane.select(vector, a, b, carrier);
  return success();
}
