//===- VerifyPrograms.cpp - Border between Shape and Lower ----------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"
#include "passes/ProgramAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_VERIFYPROGRAMSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// The roles of the arguments of a program, which may be missing, and of its
/// results, of which only `optional` may.
namespace {
struct ExpectedRoles {
  SmallVector<qwen::Role> arguments;
  SmallVector<qwen::Role> results;
  std::optional<qwen::Role> optional = std::nullopt;
};
} // namespace

static ExpectedRoles getExpectedRoles(exec::ProgramKind kind) {
  using qwen::Role;
  switch (kind) {
  case exec::ProgramKind::Decode:
  case exec::ProgramKind::Verify:
    return {{Role::TokenIds, Role::Positions, Role::Slots, Role::PageTable,
             Role::Sequences, Role::Sampling, Role::SeenTokens},
            {Role::Logits, Role::Tokens, Role::Hidden},
            Role::Hidden};
  case exec::ProgramKind::Prefill:
    return {{Role::TokenIds, Role::Positions, Role::Slots, Role::PageTable,
             Role::Sequences},
            {Role::Hidden}};
  case exec::ProgramKind::Head:
    return {{Role::Hidden, Role::Rows, Role::Sampling, Role::SeenTokens},
            {Role::Logits, Role::Tokens}};
  case exec::ProgramKind::DraftPrefill:
  case exec::ProgramKind::DraftVerify:
    return {{Role::TokenIds, Role::Positions, Role::Slots, Role::PageTable,
             Role::Sequences, Role::Hidden, Role::Rows, Role::Sampling,
             Role::SeenTokens},
            {Role::Logits, Role::Tokens, Role::DraftHidden}};
  case exec::ProgramKind::DraftDecode:
    return {{Role::TokenIds, Role::Positions, Role::Slots, Role::PageTable,
             Role::Sequences, Role::DraftHidden, Role::Rows, Role::Sampling,
             Role::SeenTokens},
            {Role::Logits, Role::Tokens, Role::DraftHidden}};
  }
  llvm_unreachable("unknown kind");
}

/// Checks one argument or result: its role is expected, new, and has as many
/// entries as the program says.
static LogicalResult verifyInterfaceValue(func::FuncOp func, Type type,
                                          std::optional<qwen::Role> role,
                                          const ProgramShape &shape,
                                          SmallVectorImpl<qwen::Role> &expected,
                                          const Twine &what) {
  if (!role)
    return func.emitOpError() << what << " has no role";
  auto *it = llvm::find(expected, *role);
  if (it == expected.end())
    return func.emitOpError()
           << what << " has the role " << qwen::stringifyRole(*role)
           << ", which isn't expected here";
  expected.erase(it);
  std::optional<int64_t> count = getEntryCount(*role, shape);
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || (count && tensor.getDimSize(0) != *count))
    return func.emitOpError()
           << what << ", " << qwen::stringifyRole(*role) << ", expects "
           << (count ? *count : 0) << " entries, found " << type;
  return success();
}

static LogicalResult verifyInterface(func::FuncOp func, exec::ProgramKind kind,
                                     const ProgramShape &shape) {
  auto [arguments, results, optional] = getExpectedRoles(kind);
  for (auto [index, type] : llvm::enumerate(func.getArgumentTypes()))
    if (failed(verifyInterfaceValue(func, type, getArgumentRole(func, index),
                                    shape, arguments,
                                    "argument " + Twine(index))))
      return failure();
  for (auto [index, type] : llvm::enumerate(func.getResultTypes()))
    if (failed(verifyInterfaceValue(func, type, getResultRole(func, index),
                                    shape, results, "result " + Twine(index))))
      return failure();
  llvm::erase_if(results, [&](qwen::Role role) { return role == optional; });
  if (!results.empty())
    return func.emitOpError() << "has no result with the role "
                              << qwen::stringifyRole(results.front());
  return success();
}

/// Whether the program computes rows of what another program has left.
static bool selectsRows(exec::ProgramKind kind) {
  return kind == exec::ProgramKind::Head ||
         kind == exec::ProgramKind::DraftPrefill ||
         kind == exec::ProgramKind::DraftVerify;
}

/// Behind the selection everything counts rows: kernels are told so.
static LogicalResult verifyIsPerRow(Operation *op, int64_t rows) {
  auto tokenDim = dyn_cast<qwen::TokenDimOpInterface>(op);
  if (!tokenDim)
    return success();
  int64_t found =
      cast<RankedTensorType>(tokenDim.getTokenDimOperand().getType())
          .getDimSize(0);
  if (found == rows)
    return success();
  return op->emitOpError() << "has " << found
                           << " entries behind the selection of " << rows
                           << " rows";
}

static LogicalResult verifyBody(func::FuncOp func, exec::ProgramKind kind,
                                int64_t rows) {
  if (!func.getBody().hasOneBlock())
    return func.emitOpError() << "expected one block";
  bool isSelected = false;
  for (Operation &op : func.getBody().front()) {
    if (isSelected && failed(verifyIsPerRow(&op, rows)))
      return failure();
    isSelected |= isa<qwen::SelectRowsOp>(op);
    if (isa<qwen::SelectRowsOp>(op) && !selectsRows(kind))
      return op.emitOpError() << "is only expected in programs that look at "
                                 "some of the rows of another";
    for (Value value : op.getResults()) {
      auto tensor = dyn_cast<RankedTensorType>(value.getType());
      if (!tensor || !tensor.hasStaticShape())
        return op.emitOpError()
               << "expected static shapes, found " << value.getType();
    }
  }
  return success();
}

namespace {
struct VerifyProgramsPass
    : quern::impl::VerifyProgramsPassBase<VerifyProgramsPass> {
  void runOnOperation() override {
    if (failed(verify(getOperation())))
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  LogicalResult verify(ModuleOp module) {
    llvm::SmallDenseMap<int, func::FuncOp> kinds;
    for (auto func : module.getOps<func::FuncOp>()) {
      std::optional<exec::ProgramKind> kind = getProgramKind(func);
      std::optional<ProgramShape> shape = getProgramShape(func);
      if (!kind || !shape || func.isDeclaration())
        return func.emitOpError() << "doesn't say which program it is";
      auto [it, inserted] = kinds.try_emplace(int(*kind), func);
      if (!inserted) {
        InFlightDiagnostic diag = func.emitOpError()
                                  << "is the second program of its kind";
        diag.attachNote(it->second.getLoc()) << "the first";
        return diag;
      }
      if (failed(verifyBody(func, *kind, shape->rows)) ||
          failed(verifyInterface(func, *kind, *shape)))
        return failure();
    }
    return success();
  }
};
} // namespace
