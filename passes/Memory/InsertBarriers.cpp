//===- InsertBarriers.cpp - Barriers where dependences need them ----------===//
#include "dialects/Exec/IR/ExecOps.h"
#include "passes/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_INSERTBARRIERSPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
/// Bytes that a dispatch touches. `space` tells memory apart that can't
/// overlap: null for the arena, else the role or symbol.
struct MemoryUse {
  Attribute space;
  int64_t begin = 0;
  int64_t end = 0;
  bool isWritten = false;

  bool conflictsWith(const MemoryUse &other) const {
    return space == other.space && begin < other.end && other.begin < end &&
           (isWritten || other.isWritten);
  }
};
} // namespace

/// The memory of a buffer; nothing for read-only memory.
static std::optional<MemoryUse> getMemoryUse(Value buffer, bool isWritten) {
  // With padding: kernels may touch it.
  int64_t size = exec::padToAlignment(
      cast<exec::BufferType>(buffer.getType()).getSizeInBytes());
  Operation *op = buffer.getDefiningOp();
  if (auto alloc = dyn_cast<exec::AllocOp>(op)) {
    int64_t begin = *alloc.getOffset();
    return MemoryUse{{}, begin, begin + size, isWritten};
  }
  if (auto state = dyn_cast<exec::StateRefOp>(op))
    return MemoryUse{state.getStateAttr(), 0, size, isWritten};
  if (auto step = dyn_cast<exec::StepOp>(op))
    return MemoryUse{step.getRoleAttr(), 0, size, isWritten};
  return std::nullopt;
}

static SmallVector<MemoryUse> collectUses(exec::DispatchOp dispatch,
                                          SymbolTable &symbols) {
  auto kernel = symbols.lookup<exec::KernelOp>(dispatch.getKernel());
  SmallVector<MemoryUse> uses;
  for (auto [index, operand] : llvm::enumerate(dispatch.getOperands()))
    if (std::optional<MemoryUse> use =
            getMemoryUse(operand, kernel.getArgument(index).isWritten()))
      uses.push_back(*use);
  return uses;
}

namespace {
struct InsertBarriersPass
    : quern::impl::InsertBarriersPassBase<InsertBarriersPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    for (auto program : module.getOps<exec::ProgramOp>()) {
      for (auto alloc : program.getBody().getOps<exec::AllocOp>())
        if (!alloc.getOffset()) {
          alloc.emitOpError() << "has no offset; plan the memory first";
          return signalPassFailure();
        }
      runOnProgram(program, symbols);
    }
  }

  void runOnProgram(exec::ProgramOp program, SymbolTable &symbols) {
    // What the dispatches since the last barrier use.
    SmallVector<MemoryUse> earlier;
    for (Operation &op : program.getBody().front()) {
      if (isa<exec::BarrierOp>(op)) {
        earlier.clear();
        continue;
      }
      auto dispatch = dyn_cast<exec::DispatchOp>(op);
      if (!dispatch)
        continue;
      SmallVector<MemoryUse> uses = collectUses(dispatch, symbols);
      bool hasConflict = llvm::any_of(uses, [&](const MemoryUse &use) {
        return llvm::any_of(earlier, [&](const MemoryUse &other) {
          return use.conflictsWith(other);
        });
      });
      if (hasConflict) {
        OpBuilder builder(dispatch);
        exec::BarrierOp::create(builder, dispatch.getLoc());
        ++numBarriers;
        earlier.clear();
      }
      llvm::append_range(earlier, uses);
    }
  }
};
} // namespace
