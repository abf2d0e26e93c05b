//===- SpecializePrograms.cpp - Programs of fixed size --------------------===//
#include "dialects/Exec/IR/ExecOps.h"
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"
#include "passes/ProgramAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_SPECIALIZEPROGRAMSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

static RankedTensorType withRows(Type type, int64_t rows) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  shape[0] = rows;
  return RankedTensorType::get(shape, tensor.getElementType());
}

/// Gives the arguments their static shapes and carries them through the body.
static LogicalResult setShapes(func::FuncOp func, const ProgramShape &shape) {
  for (BlockArgument argument : func.getArguments()) {
    std::optional<qwen::Role> role =
        getArgumentRole(func, argument.getArgNumber());
    if (!role)
      return func.emitOpError()
             << "argument " << argument.getArgNumber() << " has no role";
    if (std::optional<int64_t> count = getEntryCount(*role, shape))
      argument.setType(withRows(argument.getType(), *count));
  }
  for (Operation &op : func.getBody().front()) {
    auto tokenDim = dyn_cast<qwen::TokenDimOpInterface>(op);
    if (!tokenDim)
      continue;
    auto operand =
        cast<RankedTensorType>(tokenDim.getTokenDimOperand().getType());
    for (OpResult result : op.getResults())
      result.setType(withRows(result.getType(), operand.getDimSize(0)));
  }
  Operation *terminator = func.getBody().front().getTerminator();
  func.setFunctionType(FunctionType::get(
      func.getContext(), func.getBody().front().getArgumentTypes(),
      terminator->getOperandTypes()));
  return success();
}

/// Erases the arguments that nothing uses.
static void eraseUnusedArguments(func::FuncOp func) {
  llvm::BitVector unused(func.getNumArguments());
  for (BlockArgument argument : func.getArguments())
    if (argument.use_empty())
      unused.set(argument.getArgNumber());
  (void)func.eraseArguments(unused);
}

/// Erases ops without uses; with `eraseEffects` also those that write states.
static void eraseDeadOps(func::FuncOp func, bool eraseEffects) {
  Block &body = func.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (!op.hasTrait<OpTrait::IsTerminator>() && op.use_empty() &&
        (eraseEffects || isMemoryEffectFree(&op)))
      op.erase();
}

static qwen::SelectRowsOp findSelectRows(func::FuncOp func) {
  auto selects = func.getBody().getOps<qwen::SelectRowsOp>();
  return selects.empty() ? qwen::SelectRowsOp() : *selects.begin();
}

/// A copy of `forward` of another name and kind, in front of it.
static func::FuncOp cloneAs(func::FuncOp forward, exec::ProgramKind kind,
                            const ProgramShape &shape) {
  OpBuilder builder(forward);
  auto func = cast<func::FuncOp>(builder.clone(*forward));
  func.setName(exec::stringifyProgramKind(kind));
  setProgramAttrs(func, kind, shape);
  return func;
}

/// The most sequences that a step of so many tokens can have; 0 if the model
/// does not ask for them.
static int64_t countSequences(func::FuncOp forward, int64_t tokens) {
  auto hasRole = [&](unsigned index) {
    return getArgumentRole(forward, index) == qwen::Role::Sequences;
  };
  if (llvm::none_of(llvm::seq(forward.getNumArguments()), hasRole))
    return 0;
  auto model =
      forward->getParentOfType<ModuleOp>()->getAttrOfType<qwen::ModelAttr>(
          qwen::QwenDialect::getModelAttrName());
  return model ? std::min(tokens, model.getNumSlots()) : tokens;
}

/// Takes away the results whose role is not in `roles`.
static LogicalResult keepResults(func::FuncOp func,
                                 ArrayRef<qwen::Role> roles) {
  llvm::BitVector others(func.getNumResults());
  for (unsigned index = 0; index < func.getNumResults(); ++index)
    if (std::optional<qwen::Role> role = getResultRole(func, index);
        role && !llvm::is_contained(roles, *role))
      others.set(index);
  func.getBody().front().getTerminator()->eraseOperands(others);
  return func.eraseResults(others);
}

/// Row i is token i: the selection is the identity.
static LogicalResult makeWhole(func::FuncOp forward, exec::ProgramKind kind,
                               int64_t tokens) {
  ProgramShape shape{tokens, tokens, countSequences(forward, tokens)};
  func::FuncOp func = cloneAs(forward, kind, shape);
  qwen::SelectRowsOp select = findSelectRows(func);
  select.replaceAllUsesWith(select.getX());
  select.erase();
  eraseUnusedArguments(func);
  return setShapes(func, shape);
}

/// All up to the selection; returns the rows that it selects from.
static LogicalResult makePrefill(func::FuncOp forward, int64_t tokens) {
  ProgramShape shape{tokens, 0, countSequences(forward, tokens)};
  func::FuncOp func = cloneAs(forward, exec::ProgramKind::Prefill, shape);
  Value hidden = findSelectRows(func).getX();
  Operation *terminator = func.getBody().front().getTerminator();
  terminator->setOperands(hidden);
  func.setFunctionType(FunctionType::get(
      func.getContext(), func.getArgumentTypes(), hidden.getType()));
  auto roleAttrs = DictionaryAttr::get(
      func.getContext(), makeRoleAttr(func.getContext(), qwen::Role::Hidden));
  func.setAllResultAttrs(ArrayRef<DictionaryAttr>(roleAttrs));
  eraseDeadOps(func, /*eraseEffects=*/false);
  eraseUnusedArguments(func);
  return setShapes(func, shape);
}

/// The selection and all after it, with the rows to select from as argument.
static LogicalResult makeHead(func::FuncOp forward, const ProgramShape &shape) {
  func::FuncOp func = cloneAs(forward, exec::ProgramKind::Head, shape);
  qwen::SelectRowsOp select = findSelectRows(func);
  auto roleAttrs = DictionaryAttr::get(
      func.getContext(), makeRoleAttr(func.getContext(), qwen::Role::Hidden));
  if (failed(func.insertArgument(0, select.getX().getType(), roleAttrs,
                                 select.getLoc())) ||
      failed(keepResults(func, {qwen::Role::Logits, qwen::Role::Tokens})))
    return failure();
  select.getXMutable().assign(func.getArgument(0));
  eraseDeadOps(func, /*eraseEffects=*/true);
  Operation *first = &func.getBody().front().front();
  if (first != select.getOperation()) {
    // Something in front of the cut is needed behind it too.
    InFlightDiagnostic diag = select.emitOpError()
                              << "can't be the cut between prefill and head";
    diag.attachNote(first->getLoc()) << "this is needed after the cut";
    return diag;
  }
  eraseUnusedArguments(func);
  return setShapes(func, shape);
}

/// A draft program that looks at one row of the step before it.
static LogicalResult makeDraft(func::FuncOp draft, exec::ProgramKind kind,
                               int64_t tokens) {
  ProgramShape shape{tokens, 1, countSequences(draft, tokens)};
  func::FuncOp func = cloneAs(draft, kind, shape);
  eraseUnusedArguments(func);
  return setShapes(func, shape);
}

/// Checks what the programs are cut at.
static LogicalResult verifyCut(func::FuncOp func) {
  if (!func.getBody().hasOneBlock())
    return func.emitOpError() << "expected one block";
  qwen::SelectRowsOp select = findSelectRows(func);
  if (select && select.getX().getType().getElementType().isF32())
    return success();
  return func.emitOpError()
         << "expected a qwen.select_rows of the f32 residual stream";
}

namespace {
struct SpecializeProgramsPass
    : quern::impl::SpecializeProgramsPassBase<SpecializeProgramsPass> {
  using SpecializeProgramsPassBase::SpecializeProgramsPassBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

  LogicalResult run() {
    ModuleOp module = getOperation();
    int64_t decode = decodeTokens, verify = verifyTokens,
            prefill = prefillTokens;
    if (decode < 1 || verify < decode || prefill < verify)
      return module.emitError()
             << "expected 1 <= decode-tokens <= verify-tokens <= "
                "prefill-tokens, found "
             << decode << ", " << verify << ", " << prefill;
    auto forward = module.lookupSymbol<func::FuncOp>("forward");
    if (!forward)
      return module.emitError() << "has no function @forward";
    if (failed(verifyCut(forward)) ||
        failed(makeWhole(forward, exec::ProgramKind::Decode, decode)) ||
        failed(makeWhole(forward, exec::ProgramKind::Verify, verify)) ||
        failed(makePrefill(forward, prefill)) ||
        failed(makeHead(forward, {prefill, verify, 0})))
      return failure();
    forward.erase();
    numPrograms += 4;
    return makeDrafts(verify, prefill);
  }

  /// The programs of @draft and @draft_next, if there are any.
  LogicalResult makeDrafts(int64_t verify, int64_t prefill) {
    auto draft = getOperation().lookupSymbol<func::FuncOp>("draft");
    auto next = getOperation().lookupSymbol<func::FuncOp>("draft_next");
    if (!draft && !next)
      return success();
    if (!draft || !next)
      return (draft ? draft : next).emitOpError()
             << "expected both @draft and @draft_next";
    if (failed(verifyCut(draft)) || failed(verifyCut(next)) ||
        failed(makeDraft(draft, exec::ProgramKind::DraftPrefill, prefill)) ||
        failed(makeDraft(draft, exec::ProgramKind::DraftVerify, verify)) ||
        failed(makeWhole(next, exec::ProgramKind::DraftDecode, 1)))
      return failure();
    draft.erase();
    next.erase();
    numPrograms += 3;
    return success();
  }
};
} // namespace
