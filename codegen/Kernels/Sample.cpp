//===- Sample.cpp - choosing the next token -------------------------------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "codegen/Kernels/Rows.h"

using namespace quern;

namespace {

/// What the kernel writes for a row with a NaN among its logits.
constexpr double invalidToken = 0xffffffffu;

class SampleBuilder {
public:
  explicit SampleBuilder(KernelBuilder &k)
      : k(k), vocabulary(k.dim("V")), width(vocabulary % 4 == 0 ? 4 : 1) {}

  Status build() {
    k.setSubgroups(k.getTarget().useWorkgroupMemory
                       ? k.getTarget().rowSubgroups
                       : 1);
    QUERN_RETURN_IF_ERROR(k.setCountedGrid(k.dim("R"), 1, "rows"));
    logits = width == 4 ? k.getInput("logits") : k.getScalarInput("logits");
    tokens = k.getRunOutput("tokens", 1);
    row = k.getGroup(1);
    lane = k.getSubgroup() * double(k.getSubgroupSize()) + k.getLane();
    Expression token = buildGreedy();
    k.when(lane == 0, [&] { tokens.writeRun(row, {token}); });
    return Status::ok();
  }

private:
  Expressions readUnit(Expression unit) {
    Expression value =
        logits.read(row * double(vocabulary / width) + unit);
    if (width == 1)
      return {value};
    return {value[0], value[1], value[2], value[3]};
  }

  /// The lowest index of the largest logit.
  Expression buildGreedy() {
    Expressions best = k.accumulate(
        vocabulary / width, k.launch.workgroupSize[0], lane,
        {k.f32(-INFINITY), k.i32(-1), k.i32(0)},
        [&](Expression unit, llvm::ArrayRef<Expression> carried) {
          Expression value = carried[0], at = carried[1], nan = carried[2];
          Expressions candidates = readUnit(unit);
          for (unsigned i = 0; i != candidates.size(); ++i) {
            Expression candidate = candidates[i];
            Expression isBetter = candidate > value;
            value = quern::select(isBetter, candidate, value);
            at = quern::select(
                isBetter, toI32(unit * double(width) + double(i)), at);
            nan = quern::select(candidate != candidate, k.i32(1), nan);
          }
          return Expressions{value, at, nan};
        });
    auto larger = [](Expression a, Expression b) { return max(a, b); };
    auto smaller = [](Expression a, Expression b) { return min(a, b); };
    Expression largest = k.reduceWorkgroup(best[0], larger);
    Expression first = k.reduceWorkgroup(
        quern::select(best[0] == largest, best[1], k.i32(-1)), smaller);
    Expression nan = k.reduceWorkgroup(best[2], larger);
    return quern::select(nan == 0, first, k.i32(invalidToken));
  }

  KernelBuilder &k;
  int64_t vocabulary;
  unsigned width;
  InputBuffer logits;
  OutputBuffer tokens;
  Expression row, lane;
};

} // namespace

Status quern::buildSample(KernelBuilder &k) { return SampleBuilder(k).build(); }
