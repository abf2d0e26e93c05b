//===- VerifyGraph.cpp - Border between frontend, Graph and Shape ---------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"
#include "passes/ProgramAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_VERIFYGRAPHPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
/// The roles of a function's arguments or results; those of `optional` may be
/// missing.
struct Roles {
  SmallVector<qwen::Role> all;
  SmallVector<qwen::Role> optional;
};
} // namespace

/// What @forward, @draft or @draft_next take and give.
static std::pair<Roles, Roles> getInterface(StringRef name, bool hasDrafts) {
  using qwen::Role;
  Roles arguments{{Role::TokenIds, Role::Positions, Role::Slots,
                   Role::PageTable, Role::Rows, Role::Sampling,
                   Role::SeenTokens, Role::Sequences},
                  {Role::Sequences}};
  Roles results{{Role::Logits, Role::Tokens}, {}};
  if (name == "forward") {
    if (hasDrafts)
      results.all.push_back(Role::Hidden);
  } else {
    arguments.all.push_back(name == "draft" ? Role::Hidden : Role::DraftHidden);
    results.all.push_back(Role::DraftHidden);
  }
  return {arguments, results};
}

/// Each expected role stands at exactly one argument, or at one result.
static LogicalResult verifyRoles(func::FuncOp func, bool hasDrafts) {
  auto verify = [&](unsigned count, auto getRole, const Roles &expected,
                    StringRef what) -> LogicalResult {
    SmallVector<qwen::Role> found;
    for (unsigned index = 0; index < count; ++index) {
      std::optional<qwen::Role> role = getRole(func, index);
      if (!role)
        return func.emitOpError() << what << " " << index << " has no role";
      if (!llvm::is_contained(expected.all, *role) ||
          llvm::is_contained(found, *role))
        return func.emitOpError()
               << what << " " << index << " has the role "
               << qwen::stringifyRole(*role) << ", which isn't expected here";
      found.push_back(*role);
    }
    for (qwen::Role role : expected.all)
      if (!llvm::is_contained(expected.optional, role) &&
          !llvm::is_contained(found, role))
        return func.emitOpError() << "has no " << what << " with the role "
                                  << qwen::stringifyRole(role);
    return success();
  };
  auto [arguments, results] = getInterface(func.getName(), hasDrafts);
  if (failed(verify(func.getNumArguments(), getArgumentRole, arguments,
                    "argument")))
    return failure();
  return verify(func.getNumResults(), getResultRole, results, "result");
}

/// The rows that pass from one program to another stand around the selection.
static LogicalResult verifyHiddenResults(func::FuncOp func,
                                         qwen::SelectRowsOp select) {
  Operation *terminator = func.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    std::optional<qwen::Role> role = getResultRole(func, index);
    bool isHidden = role == qwen::Role::Hidden;
    if (!isHidden && role != qwen::Role::DraftHidden)
      continue;
    Value expected = isHidden ? Value(select.getX()) : select.getResult();
    if (value == expected)
      continue;
    InFlightDiagnostic diag = func.emitOpError()
                              << "result " << index << ", "
                              << qwen::stringifyRole(*role)
                              << ", expected to be what the selection "
                              << (isHidden ? "reads" : "gives");
    diag.attachNote(select.getLoc()) << "the selection";
    return diag;
  }
  return success();
}

/// The caches of an attention hold the tokens of the step by then.
static LogicalResult verifyAppendsComeFirst(func::FuncOp func) {
  llvm::DenseSet<std::pair<Attribute, Attribute>> appended;
  WalkResult result = func.walk([&](Operation *op) -> WalkResult {
    if (auto append = dyn_cast<qwen::CacheAppendOp>(op))
      appended.insert({append.getKeyCacheAttr(), append.getValueCacheAttr()});
    if (auto append = dyn_cast<qwen::QkNormRopeAppendOp>(op))
      appended.insert({append.getKeyCacheAttr(), append.getValueCacheAttr()});
    auto attention = dyn_cast<qwen::AttentionOp>(op);
    if (attention && !appended.contains({attention.getKeyCacheAttr(),
                                         attention.getValueCacheAttr()}))
      return attention.emitOpError()
             << "reads " << attention.getKeyCacheAttr() << " and "
             << attention.getValueCacheAttr()
             << " before the step's tokens are appended";
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

static LogicalResult verifyFunction(func::FuncOp func, bool hasDrafts) {
  if (!func.getBody().hasOneBlock())
    return func.emitOpError() << "expected one block";
  for (Operation &op : func.getBody().front().without_terminator())
    if (!isa_and_nonnull<qwen::QwenDialect>(op.getDialect()))
      return op.emitOpError() << "can't be part of a model";
  auto selects = func.getBody().getOps<qwen::SelectRowsOp>();
  int64_t count = std::distance(selects.begin(), selects.end());
  if (count != 1)
    return func.emitOpError()
           << "expected one qwen.select_rows, found " << count;
  if (failed(verifyRoles(func, hasDrafts)) ||
      failed(verifyHiddenResults(func, *selects.begin())))
    return failure();
  return verifyAppendsComeFirst(func);
}

namespace {
struct VerifyGraphPass : quern::impl::VerifyGraphPassBase<VerifyGraphPass> {
  void runOnOperation() override {
    if (failed(verify(getOperation())))
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  LogicalResult verify(ModuleOp module) {
    if (!module->getAttrOfType<qwen::ModelAttr>(
            qwen::QwenDialect::getModelAttrName()))
      return module.emitError() << "has no qwen.model";
    SmallVector<StringRef> names;
    for (auto func : module.getOps<func::FuncOp>()) {
      names.push_back(func.getName());
      if (func.isDeclaration())
        return func.emitOpError() << "has no body";
    }
    llvm::sort(names);
    bool hasDrafts = names.size() == 3;
    SmallVector<StringRef> expected = {"draft", "draft_next", "forward"};
    if (ArrayRef(names) != ArrayRef(expected).take_back(hasDrafts ? 3 : 1))
      return module.emitError()
             << "expected the function @forward, alone or with @draft and "
                "@draft_next, found "
             << llvm::join(names, ", ");
    for (auto func : module.getOps<func::FuncOp>())
      if (failed(verifyFunction(func, hasDrafts)))
        return failure();
    return success();
  }
};
} // namespace
