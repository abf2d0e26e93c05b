//===- LowerToExec.cpp - Specialised functions to exec programs -----------===//
#include "dialects/Exec/IR/ExecOps.h"
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Lower/ProgramBuilder.h"
#include "passes/Passes.h"
#include "passes/ProgramAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_LOWERTOEXECPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// The buffer that holds the data of a role: persistent ones lie in the arena,
/// the others in the step block.
static Value createRoleBuffer(ProgramBuilder &builder, Location location,
                              qwen::Role role, RankedTensorType type) {
  if (role == qwen::Role::Hidden)
    return builder.createPersistent(location, exec::BufferRole::Hidden, type);
  if (role == qwen::Role::Logits)
    return builder.createPersistent(location, exec::BufferRole::Logits, type);
  if (role == qwen::Role::DraftHidden)
    return builder.createPersistent(location, exec::BufferRole::DraftHidden,
                                    type);
  // The step roles have the names of the qwen roles.
  std::optional<exec::StepRole> stepRole =
      exec::symbolizeStepRole(qwen::stringifyRole(role));
  return builder.createStep(location, *stepRole, type);
}

/// An argument that shares its buffer with a result is not read any more when
/// the result is written.
static LogicalResult verifyInPlace(func::FuncOp func, BlockArgument argument,
                                   Value result) {
  for (Operation *user : argument.getUsers())
    if (!user->isBeforeInBlock(result.getDefiningOp()))
      return user->emitOpError()
             << "reads argument " << argument.getArgNumber()
             << " no earlier than the result of its role is written";
  return success();
}

/// Binds arguments and results to the buffers of their roles. An argument and
/// a result of one role are one buffer.
static LogicalResult bindInterface(func::FuncOp func, ProgramBuilder &builder) {
  llvm::SmallDenseMap<int, BlockArgument> arguments;
  auto bind = [&](Value value, std::optional<qwen::Role> role,
                  StringRef what) -> LogicalResult {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!role || !type)
      return func.emitOpError() << "has " << what << " without a role";
    if (auto argument = dyn_cast<BlockArgument>(value))
      arguments[int(*role)] = argument;
    else if (BlockArgument argument = arguments.lookup(int(*role))) {
      if (argument.getType() != type)
        return func.emitOpError()
               << "has " << what << " of another type than the argument of "
               << qwen::stringifyRole(*role);
      builder.bindView(value, argument);
      return verifyInPlace(func, argument, value);
    }
    builder.bind(value, createRoleBuffer(builder, func.getLoc(), *role, type));
    return success();
  };
  for (BlockArgument argument : func.getArguments())
    if (failed(bind(argument, getArgumentRole(func, argument.getArgNumber()),
                    "an argument")))
      return failure();
  Operation *terminator = func.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    if (isa<BlockArgument>(value))
      return func.emitOpError() << "returns an argument unchanged";
    if (failed(bind(value, getResultRole(func, index), "a result")))
      return failure();
  }
  return success();
}

/// One block of ops on static tensors.
static LogicalResult verifyIsSpecialised(func::FuncOp func) {
  if (!func.getBody().hasOneBlock())
    return func.emitOpError() << "expected one block";
  auto isStatic = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.hasStaticShape();
  };
  Block &body = func.getBody().front();
  if (!llvm::all_of(body.getArgumentTypes(), isStatic))
    return func.emitOpError() << "expected arguments of static shapes";
  for (Operation &op : body)
    if (!llvm::all_of(op.getResultTypes(), isStatic))
      return op.emitOpError() << "expected results of static shapes";
  return success();
}

/// Builds the program of `func` at the end of the module.
static FailureOr<int64_t> lowerFunction(func::FuncOp func,
                                        RequestTable &requests,
                                        const LoweringOptions &options) {
  std::optional<exec::ProgramKind> kind = getProgramKind(func);
  std::optional<ProgramShape> shape = getProgramShape(func);
  if (!kind || !shape)
    return func.emitOpError() << "doesn't say which program it is";
  if (failed(verifyIsSpecialised(func)))
    return failure();
  auto builder = OpBuilder::atBlockEnd(func->getBlock());
  std::string name = func.getName().str();
  auto program = exec::ProgramOp::create(builder, func.getLoc(), name, *kind,
                                         shape->tokens, shape->rows);
  ProgramBuilder programBuilder(requests, program, options);
  if (failed(bindInterface(func, programBuilder)))
    return failure();
  for (Operation &op : func.getBody().front().without_terminator())
    if (failed(lowerOp(&op, programBuilder)))
      return failure();
  return programBuilder.getNumDispatches();
}

/// Moves the symbols of one kind behind those of other kinds.
template <typename OpT>
static void sortSymbols(ModuleOp module, Operation *end) {
  SmallVector<OpT> symbols(module.getOps<OpT>());
  for (OpT symbol : symbols)
    symbol->moveBefore(end);
}

namespace {
struct LowerToExecPass : quern::impl::LowerToExecPassBase<LowerToExecPass> {
  using LowerToExecPassBase::LowerToExecPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
    if (functions.empty())
      return;
    RequestTable requests(module, functions.front());
    LoweringOptions options{attentionWorkgroups};
    for (func::FuncOp func : functions) {
      FailureOr<int64_t> dispatches = lowerFunction(func, requests, options);
      if (failed(dispatches))
        return signalPassFailure();
      numDispatches += *dispatches;
    }
    sortSymbols<exec::ConstantOp>(module, functions.front());
    sortSymbols<exec::KernelOp>(module, functions.front());
    for (func::FuncOp func : functions)
      func.erase();
    numKernels += requests.getNumKernels();
    numWeights += requests.getNumWeights();
  }
};
} // namespace
