//===- VerifyGraph.cpp - Border between frontend, Graph and Shape ---------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "passes/Passes.h"
#include "passes/ProgramAttrs.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_VERIFYGRAPHPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// Each role that the model function needs stands at exactly one argument, or
/// at one result.
static LogicalResult verifyForwardRoles(func::FuncOp func) {
  using qwen::Role;
  auto verify = [&](unsigned count, auto getRole, ArrayRef<Role> expected,
                    std::optional<Role> optional,
                    StringRef what) -> LogicalResult {
    SmallVector<Role> found;
    for (unsigned index = 0; index < count; ++index) {
      std::optional<Role> role = getRole(func, index);
      if (!role)
        return func.emitOpError() << what << " " << index << " has no role";
      if (!llvm::is_contained(expected, *role) ||
          llvm::is_contained(found, *role))
        return func.emitOpError()
               << what << " " << index << " has the role "
               << qwen::stringifyRole(*role) << ", which isn't expected here";
      found.push_back(*role);
    }
    for (Role role : expected)
      if (role != optional && !llvm::is_contained(found, role))
        return func.emitOpError() << "has no " << what << " with the role "
                                  << qwen::stringifyRole(role);
    return success();
  };
  if (failed(verify(func.getNumArguments(), getArgumentRole,
                    {Role::TokenIds, Role::Positions, Role::Slots,
                     Role::PageTable, Role::Rows, Role::Sampling,
                     Role::SeenTokens, Role::Sequences},
                    Role::Sequences, "argument")))
    return failure();
  return verify(func.getNumResults(), getResultRole,
                {Role::Logits, Role::Tokens}, std::nullopt, "result");
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

static LogicalResult verifyForward(func::FuncOp func) {
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
  if (failed(verifyForwardRoles(func)))
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
    SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
    if (functions.size() != 1 || functions.front().getName() != "forward" ||
        functions.front().isDeclaration())
      return module.emitError()
             << "expected one function, @forward, found " << functions.size();
    return verifyForward(functions.front());
  }
};
} // namespace
