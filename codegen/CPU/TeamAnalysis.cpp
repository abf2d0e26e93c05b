//===- TeamAnalysis.cpp - Which lanes hold the same value -----------------===//
#include "codegen/CPU/TeamAnalysis.h"

#include "dialects/Kernel/IR/KernelOps.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace quern;
using namespace quern::cpu;

TeamAnalysis::TeamAnalysis(gpu::GPUFuncOp function, unsigned lanes)
    : lanes(lanes) {
  do {
    changed = false;
    function.walk<WalkOrder::PreOrder>([&](Operation *op) { update(op); });
  } while (changed);
}

void TeamAnalysis::lower(Value value, unsigned team) {
  if (team >= getTeam(value))
    return;
  teams[value] = team;
  changed = true;
}

void TeamAnalysis::update(Operation *op) {
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return updateFor(loop);
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return updateWhile(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return updateIf(branch);
  unsigned team = getTeamOfOperation(op);
  for (Value result : op->getResults())
    lower(result, team);
}

void TeamAnalysis::updateFor(scf::ForOp loop) {
  unsigned begin =
      std::min(getTeam(loop.getLowerBound()), getTeam(loop.getStep()));
  unsigned control = std::min(begin, getTeam(loop.getUpperBound()));
  lower(loop.getInductionVar(), begin);
  for (auto [init, argument, yielded, result] :
       llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs(),
                 loop.getYieldedValues(), loop.getResults())) {
    unsigned team = std::min({getTeam(init), getTeam(yielded), control});
    lower(argument, team);
    lower(result, team);
  }
}

void TeamAnalysis::updateWhile(scf::WhileOp loop) {
  unsigned control = getTeam(loop.getConditionOp().getCondition());
  for (auto [init, argument, yielded] :
       llvm::zip(loop.getInits(), loop.getBeforeArguments(),
                 loop.getYieldOp().getOperands()))
    lower(argument, std::min({getTeam(init), getTeam(yielded), control}));
  for (auto [forwarded, argument, result] :
       llvm::zip(loop.getConditionOp().getArgs(), loop.getAfterArguments(),
                 loop.getResults())) {
    unsigned team = std::min(getTeam(forwarded), control);
    lower(argument, team);
    lower(result, team);
  }
}

void TeamAnalysis::updateIf(scf::IfOp op) {
  if (op.getNumResults() == 0)
    return;
  for (auto [onTrue, onFalse, result] :
       llvm::zip(op.thenYield().getOperands(), op.elseYield().getOperands(),
                 op.getResults()))
    lower(result, std::min({getTeam(onTrue), getTeam(onFalse),
                            getTeam(op.getCondition())}));
}

unsigned TeamAnalysis::getTeamOfShuffle(gpu::ShuffleOp op) const {
  // Lanes that ask for the same lane get the same.
  if (op.getMode() == gpu::ShuffleMode::IDX)
    return std::max(getTeam(op.getOffset()) == lanes ? lanes : 1,
                    getTeam(op.getValue()) == lanes ? lanes : 1);
  return op.getMode() == gpu::ShuffleMode::XOR ? getTeam(op.getValue()) : 1;
}

/// The distance if `other` is the value of another lane of `value`; else 0.
static int64_t getDistance(Value value, Value other) {
  auto shuffle = other.getDefiningOp<gpu::ShuffleOp>();
  if (!shuffle || shuffle.getMode() != gpu::ShuffleMode::XOR ||
      shuffle.getValue() != value || other != shuffle.getShuffleResult())
    return 0;
  return getConstantIntValue(shuffle.getOffset()).value_or(0);
}

/// Lane / 2^n is the number of a team of 2^n lanes.
unsigned TeamAnalysis::getTeamOfLaneNumber(arith::DivUIOp op) const {
  auto thread = op.getLhs().getDefiningOp<gpu::ThreadIdOp>();
  int64_t size = getConstantIntValue(op.getRhs()).value_or(0);
  if (!thread || thread.getDimension() != gpu::Dimension::x || size < 1 ||
      !llvm::isPowerOf2_64(uint64_t(size)))
    return 1;
  return unsigned(std::min<int64_t>(size, lanes));
}

unsigned TeamAnalysis::getTeamOfOperation(Operation *op) const {
  if (auto thread = dyn_cast<gpu::ThreadIdOp>(op))
    return thread.getDimension() == gpu::Dimension::x ? 1 : lanes;
  if (auto shuffle = dyn_cast<gpu::ShuffleOp>(op))
    return getTeamOfShuffle(shuffle);
  // Lanes have rows of a panel of their own.
  if (isa<kernel::TileProductsOp>(op))
    return 1;
  unsigned team = lanes;
  for (Value operand : op->getOperands())
    team = std::min(team, getTeam(operand));
  if (auto division = dyn_cast<arith::DivUIOp>(op))
    team = std::max(team, getTeamOfLaneNumber(division));
  if (op->getNumOperands() == 2 && team < lanes &&
      op->hasTrait<OpTrait::IsCommutative>()) {
    Value a = op->getOperand(0), b = op->getOperand(1);
    if (getDistance(a, b) == team || getDistance(b, a) == team)
      team *= 2;
  }
  return team;
}
