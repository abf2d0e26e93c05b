//===- VerifyExec.cpp - Border between Memory and codegen -----------------===//
//
// Shares no code with the passes that plan memory and insert barriers: each
// pair of buffers and each pair of dispatches is looked at.
//
//===----------------------------------------------------------------------===//
#include "dialects/Exec/IR/ExecOps.h"
#include "passes/Passes.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_VERIFYEXECPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

namespace {
/// One access of a dispatch to a buffer.
struct BufferAccess {
  Operation *buffer;
  bool isRead, isWritten;
};

/// A dispatch with the number of barriers in front of it.
struct DispatchInfo {
  exec::DispatchOp op;
  int64_t epoch = 0;
  SmallVector<BufferAccess> accesses;
};

/// An arena buffer and the dispatches (by index) that use it.
struct ArenaUse {
  exec::AllocOp op;
  int64_t begin = 0, end = 0;
  int64_t first = -1, last = -1;
};
} // namespace

/// Whether two buffers share bytes.
static bool overlap(Operation *a, Operation *b) {
  if (a == b)
    return true;
  auto allocA = dyn_cast<exec::AllocOp>(a), allocB = dyn_cast<exec::AllocOp>(b);
  if (allocA && allocB) {
    int64_t beginA = *allocA.getOffset(), beginB = *allocB.getOffset();
    return beginA < beginB + allocB.getType().getSizeInBytes() &&
           beginB < beginA + allocA.getType().getSizeInBytes();
  }
  auto stateA = dyn_cast<exec::StateRefOp>(a),
       stateB = dyn_cast<exec::StateRefOp>(b);
  return stateA && stateB && stateA.getState() == stateB.getState();
}

static SmallVector<DispatchInfo> collectDispatches(exec::ProgramOp program,
                                                   SymbolTable &symbols) {
  SmallVector<DispatchInfo> dispatches;
  int64_t epoch = 0;
  for (Operation &op : program.getBody().front()) {
    if (isa<exec::BarrierOp>(op))
      ++epoch;
    auto dispatch = dyn_cast<exec::DispatchOp>(op);
    if (!dispatch)
      continue;
    DispatchInfo info{dispatch, epoch, {}};
    auto kernel = symbols.lookup<exec::KernelOp>(dispatch.getKernel());
    for (auto [index, operand] : llvm::enumerate(dispatch.getOperands())) {
      exec::ArgumentAttr argument = kernel.getArgument(index);
      info.accesses.push_back(
          {operand.getDefiningOp(), argument.isRead(), argument.isWritten()});
    }
    dispatches.push_back(std::move(info));
  }
  return dispatches;
}

/// Two dispatches without a barrier in between don't conflict.
static LogicalResult verifyHazards(ArrayRef<DispatchInfo> dispatches) {
  for (size_t later = 0; later < dispatches.size(); ++later)
    for (size_t earlier = later; earlier-- > 0;) {
      if (dispatches[earlier].epoch != dispatches[later].epoch)
        break; // All before have a barrier in between too.
      for (const BufferAccess &a : dispatches[earlier].accesses)
        for (const BufferAccess &b : dispatches[later].accesses) {
          if (!(a.isWritten || b.isWritten) || !overlap(a.buffer, b.buffer))
            continue;
          exec::DispatchOp op = dispatches[later].op;
          InFlightDiagnostic diag =
              op.emitOpError()
              << "needs a barrier: it " << (b.isWritten ? "writes" : "reads")
              << " what an earlier "
              << "dispatch " << (a.isWritten ? "writes" : "reads");
          diag.attachNote(dispatches[earlier].op->getLoc())
              << "the earlier one";
          diag.attachNote(b.buffer->getLoc()) << "the buffer";
          return diag;
        }
    }
  return success();
}

/// Whether the program reads what another one has left in a buffer.
static bool isInput(exec::ProgramKind kind,
                    std::optional<exec::BufferRole> role) {
  switch (kind) {
  case exec::ProgramKind::Decode:
  case exec::ProgramKind::Verify:
  case exec::ProgramKind::Prefill:
    return false;
  case exec::ProgramKind::Head:
  case exec::ProgramKind::DraftPrefill:
  case exec::ProgramKind::DraftVerify:
    return role == exec::BufferRole::Hidden;
  case exec::ProgramKind::DraftDecode:
    return role == exec::BufferRole::DraftHidden;
  }
  llvm_unreachable("unknown kind");
}

/// Every arena buffer is placed inside the arena and used by a dispatch.
static FailureOr<SmallVector<ArenaUse>>
collectArenaUses(exec::ProgramOp program, ArrayRef<DispatchInfo> dispatches,
                 int64_t arenaSize) {
  SmallVector<ArenaUse> uses;
  DenseMap<Operation *, size_t> indices;
  for (auto alloc : program.getBody().getOps<exec::AllocOp>()) {
    if (!alloc.getOffset())
      return alloc.emitOpError() << "has no offset";
    int64_t begin = *alloc.getOffset();
    int64_t size = exec::padToAlignment(alloc.getType().getSizeInBytes());
    if (begin > arenaSize || size > arenaSize - begin)
      return alloc.emitOpError()
             << "ends beyond the arena of " << arenaSize << " bytes";
    indices.try_emplace(alloc, uses.size());
    uses.push_back({alloc, begin, begin + size, -1, -1});
  }
  for (auto [index, dispatch] : llvm::enumerate(dispatches))
    for (const BufferAccess &access : dispatch.accesses) {
      auto it = indices.find(access.buffer);
      if (it == indices.end())
        continue;
      ArenaUse &use = uses[it->second];
      use.last = index;
      if (use.first >= 0)
        continue;
      use.first = index;
      if (access.isRead && !isInput(program.getKind(), use.op.getRole())) {
        exec::DispatchOp op = dispatch.op;
        InFlightDiagnostic diag = op.emitOpError()
                                  << "reads a buffer that nothing has written";
        diag.attachNote(use.op.getLoc()) << "the buffer";
        return diag;
      }
    }
  return uses;
}

/// Buffers that hold something at the same time don't overlap.
static LogicalResult verifyPlacement(ArrayRef<ArenaUse> uses) {
  for (size_t i = 0; i < uses.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const ArenaUse &a = uses[i], &b = uses[j];
      exec::AllocOp opA = a.op, opB = b.op;
      bool isPersistent = opA.getRole() || opB.getRole();
      bool areLive = isPersistent || (a.first <= b.last && b.first <= a.last &&
                                      a.first >= 0 && b.first >= 0);
      if (!areLive || a.begin >= b.end || b.begin >= a.end)
        continue;
      InFlightDiagnostic diag =
          opA.emitOpError() << "at " << a.begin << ".." << a.end
                            << " overlaps a buffer that is live at the same "
                               "time";
      diag.attachNote(opB.getLoc()) << "at " << b.begin << ".." << b.end;
      return diag;
    }
  return success();
}

/// The step buffers have a place that is large enough.
static LogicalResult verifyStepBuffers(exec::ProgramOp program,
                                       exec::MemoryPlanOp plan) {
  for (auto step : program.getBody().getOps<exec::StepOp>()) {
    auto places = plan.getStepBuffers().getAsRange<exec::StepBufferAttr>();
    auto it = llvm::find_if(places, [&](exec::StepBufferAttr place) {
      return place.getRole() == step.getRole();
    });
    if (it == places.end() || exec::getSizeInBytes((*it).getTensor()) <
                                  step.getType().getSizeInBytes()) {
      InFlightDiagnostic diag = step.emitOpError()
                                << "has no place of its size in the step block";
      diag.attachNote(plan.getLoc()) << "the plan";
      return diag;
    }
  }
  return success();
}

/// The grid at the program's full count is the one that the kernel states.
static LogicalResult verifyGrid(exec::ProgramOp program,
                                ArrayRef<DispatchInfo> dispatches,
                                SymbolTable &symbols) {
  for (const DispatchInfo &info : dispatches) {
    exec::DispatchOp op = info.op;
    auto kernel = symbols.lookup<exec::KernelOp>(op.getKernel());
    exec::LaunchAttr launch = kernel.getLaunchAttr();
    if (!launch || launch.getGridCount() == exec::GridCount::None)
      continue;
    int64_t count = launch.getGridCount() == exec::GridCount::Tokens
                        ? program.getTokens()
                        : program.getRows();
    int64_t tile = launch.getGridTile();
    int64_t groups = (count + tile - 1) / tile * launch.getGridScale();
    int64_t stated = launch.getGrid()[launch.getGridAxis()];
    if (groups == stated)
      continue;
    InFlightDiagnostic diag = op.emitOpError()
                              << "needs " << groups << " workgroups for "
                              << count << " "
                              << exec::stringifyGridCount(launch.getGridCount())
                              << ", but the grid has " << stated;
    diag.attachNote(kernel.getLoc()) << "the kernel";
    return diag;
  }
  return success();
}

namespace {
struct VerifyExecPass : quern::impl::VerifyExecPassBase<VerifyExecPass> {
  void runOnOperation() override {
    if (failed(verify(getOperation())))
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  LogicalResult verify(ModuleOp module) {
    auto plans = module.getOps<exec::MemoryPlanOp>();
    if (plans.empty())
      return module.emitError() << "has no exec.memory_plan";
    exec::MemoryPlanOp plan = *plans.begin();
    SymbolTable symbols(module);
    DenseMap<int, ArenaUse> persistent;
    SmallVector<ArenaUse> temporaries;
    for (auto program : module.getOps<exec::ProgramOp>()) {
      SmallVector<DispatchInfo> dispatches =
          collectDispatches(program, symbols);
      FailureOr<SmallVector<ArenaUse>> uses =
          collectArenaUses(program, dispatches, plan.getArenaSize());
      if (failed(uses) || failed(verifyPlacement(*uses)) ||
          failed(verifyHazards(dispatches)) ||
          failed(verifyStepBuffers(program, plan)) ||
          failed(verifyGrid(program, dispatches, symbols)))
        return failure();
      for (const ArenaUse &use : *uses) {
        exec::AllocOp op = use.op;
        if (!op.getRole())
          temporaries.push_back(use);
        else if (failed(verifyPersistent(use, persistent)))
          return failure();
      }
    }
    return verifyAcrossPrograms(persistent, temporaries);
  }

  /// A role begins at the same offset in all programs.
  LogicalResult verifyPersistent(ArenaUse use,
                                 DenseMap<int, ArenaUse> &persistent) {
    auto [it, inserted] = persistent.try_emplace(int(*use.op.getRole()), use);
    if (inserted)
      return success();
    if (it->second.begin != use.begin) {
      InFlightDiagnostic diag = use.op.emitOpError()
                                << "lies at " << use.begin << ", but at "
                                << it->second.begin << " in another program";
      diag.attachNote(it->second.op.getLoc()) << "the other one";
      return diag;
    }
    it->second.end = std::max(it->second.end, use.end);
    return success();
  }

  /// No temporary of any program overlaps a persistent buffer.
  LogicalResult verifyAcrossPrograms(const DenseMap<int, ArenaUse> &persistent,
                                     ArrayRef<ArenaUse> temporaries) {
    for (const auto &[role, keep] : persistent)
      for (ArenaUse use : temporaries)
        if (keep.begin < use.end && use.begin < keep.end) {
          exec::AllocOp keepOp = keep.op;
          InFlightDiagnostic diag = use.op.emitOpError()
                                    << "overlaps a persistent buffer";
          diag.attachNote(keepOp.getLoc()) << "the persistent buffer";
          return diag;
        }
    return success();
  }
};
} // namespace
