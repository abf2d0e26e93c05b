//===- PlanMemory.cpp - Arena offsets and step block layout ---------------===//
#include "dialects/Exec/IR/ExecOps.h"
#include "passes/Memory/LiveRanges.h"
#include "passes/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace quern {
#define GEN_PASS_DEF_PLANMEMORYPASS
#include "passes/Passes.h.inc"
} // namespace quern

using namespace quern;

/// Beyond this, sums of offsets and sizes could overflow.
static constexpr int64_t kLargestTotal = int64_t(1) << 61;

static int64_t getPaddedSize(exec::AllocOp alloc) {
  return exec::padToAlignment(alloc.getType().getSizeInBytes());
}

namespace {
/// The temporaries of a program and when they are needed, in dispatches.
struct Temporaries {
  SmallVector<exec::AllocOp> allocs;
  std::vector<LiveRange> ranges;
  int64_t total = 0;
};
} // namespace

static Temporaries collectTemporaries(exec::ProgramOp program,
                                      bool keepIntermediates) {
  DenseMap<Operation *, int64_t> times;
  for (auto dispatch : program.getBody().getOps<exec::DispatchOp>())
    times.try_emplace(dispatch, times.size());
  Temporaries temporaries;
  for (auto alloc : program.getBody().getOps<exec::AllocOp>()) {
    if (alloc.getRole())
      continue;
    LiveRange range{INT64_MAX, -1, getPaddedSize(alloc)};
    for (Operation *user : alloc->getUsers()) {
      int64_t time = times.lookup(user);
      range.first = std::min(range.first, time);
      range.last = std::max(range.last, time);
    }
    if (range.last < 0)
      range.first = range.last = 0; // Never used.
    if (keepIntermediates)
      range = {0, static_cast<int64_t>(times.size()), range.size};
    temporaries.allocs.push_back(alloc);
    temporaries.ranges.push_back(range);
    temporaries.total += range.size;
    // Saturates: the caller refuses such a program.
    temporaries.total = std::min(temporaries.total, kLargestTotal);
  }
  return temporaries;
}

/// Places the persistent buffers at the start of the arena, one place per role
/// for all programs. Returns the bytes they take, or -1 if that is too much.
static int64_t placePersistent(ArrayRef<exec::ProgramOp> programs) {
  constexpr int kNumRoles = exec::getMaxEnumValForBufferRole() + 1;
  int64_t sizes[kNumRoles] = {};
  for (exec::ProgramOp program : programs)
    for (auto alloc : program.getBody().getOps<exec::AllocOp>())
      if (alloc.getRole())
        sizes[int(*alloc.getRole())] =
            std::max(sizes[int(*alloc.getRole())], getPaddedSize(alloc));
  int64_t offsets[kNumRoles], end = 0;
  for (int role = 0; role < kNumRoles; ++role) {
    offsets[role] = end;
    if (sizes[role] >= kLargestTotal - end)
      return -1;
    end += sizes[role];
  }
  for (exec::ProgramOp program : programs)
    for (auto alloc : program.getBody().getOps<exec::AllocOp>())
      if (alloc.getRole())
        alloc.setOffset(offsets[int(*alloc.getRole())]);
  return end;
}

/// One place per role, of the largest shape that a program has.
static FailureOr<SmallVector<Attribute>>
layOutStepBlock(ArrayRef<exec::ProgramOp> programs, int64_t &size) {
  std::map<exec::StepRole, exec::StepOp> largest;
  for (exec::ProgramOp program : programs)
    for (auto step : program.getBody().getOps<exec::StepOp>()) {
      exec::StepOp &best =
          largest.try_emplace(step.getRole(), step).first->second;
      ArrayRef<int64_t> shape = step.getType().getTensor().getShape();
      ArrayRef<int64_t> bestShape = best.getType().getTensor().getShape();
      if (shape.drop_front() != bestShape.drop_front()) {
        InFlightDiagnostic diag = step.emitOpError()
                                  << "has other rows than in another program";
        diag.attachNote(best.getLoc()) << "the other one";
        return diag;
      }
      if (shape.front() > bestShape.front())
        best = step;
    }
  SmallVector<Attribute> buffers;
  size = 0;
  for (auto [role, step] : largest) {
    RankedTensorType tensor = step.getType().getTensor();
    buffers.push_back(exec::StepBufferAttr::get(role, tensor, size));
    size += exec::padToAlignment(exec::getSizeInBytes(tensor));
    if (size >= kLargestTotal)
      return step.emitOpError() << "makes the step block too large";
  }
  return buffers;
}

namespace {
struct PlanMemoryPass : quern::impl::PlanMemoryPassBase<PlanMemoryPass> {
  using PlanMemoryPassBase::PlanMemoryPassBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

  LogicalResult run() {
    ModuleOp module = getOperation();
    SmallVector<exec::ProgramOp> programs(module.getOps<exec::ProgramOp>());
    if (programs.empty())
      return success();
    int64_t persistentEnd = placePersistent(programs);
    if (persistentEnd < 0)
      return module.emitError() << "the persistent buffers are too large";
    int64_t arenaSize = persistentEnd;
    for (exec::ProgramOp program : programs)
      if (failed(planProgram(program, persistentEnd, arenaSize)))
        return failure();
    int64_t stepSize = 0;
    FailureOr<SmallVector<Attribute>> buffers =
        layOutStepBlock(programs, stepSize);
    if (failed(buffers))
      return failure();

    for (auto plan :
         llvm::make_early_inc_range(module.getOps<exec::MemoryPlanOp>()))
      plan.erase();
    OpBuilder builder(programs.front());
    exec::MemoryPlanOp::create(builder, module.getLoc(), arenaSize, stepSize,
                               builder.getArrayAttr(*buffers));
    arenaBytes += arenaSize;
    stepBytes += stepSize;
    return success();
  }

  /// Places the temporaries of a program behind the persistent buffers.
  LogicalResult planProgram(exec::ProgramOp program, int64_t base,
                            int64_t &arenaSize) {
    Temporaries temporaries = collectTemporaries(program, keepIntermediates);
    if (temporaries.total >= kLargestTotal - base)
      return program.emitOpError() << "has too large buffers";
    Placement placement = placeBuffers(temporaries.ranges);
    for (auto [alloc, offset] :
         llvm::zip_equal(temporaries.allocs, placement.offsets))
      alloc.setOffset(base + offset);

    int64_t peak = 0;
    for (auto alloc : program.getBody().getOps<exec::AllocOp>())
      peak = std::max(peak, int64_t(*alloc.getOffset()) + getPaddedSize(alloc));
    program.setArenaPeak(peak);
    arenaSize = std::max(arenaSize, peak);
    lowerBoundBytes.updateMax(base + computeLowerBound(temporaries.ranges));
    unsharedBytes.updateMax(base + temporaries.total);
    return success();
  }
};
} // namespace
