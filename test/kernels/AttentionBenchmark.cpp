//===- AttentionBenchmark.cpp - CPU time of attention ---------------------===//
#include "test/kernels/AttentionBenchmark.h"

#include "test/kernels/AttentionSteps.h"
#include "test/kernels/CpuSeconds.h"
#include "test/kernels/KernelRunner.h"

#include <cstdio>

using namespace quern;
using namespace quern::test;

namespace {

/// `tokens` of one sequence from position `first` on.
struct Shape {
  Heads heads;
  int32_t first, tokens;
};

} // namespace

static KernelCase makeCase(const Shape &shape) {
  const Heads &heads = shape.heads;
  Step step(makeChunk(64, shape.first, shape.tokens), heads, DataType::F32);
  std::vector<int64_t> dims = {shape.tokens, heads.query, heads.dim};
  KernelCase c{{"attention", "attention", {}, {}}, {}, {}, 0, 1};
  c.tokens = static_cast<uint32_t>(shape.tokens);
  c.request.config = {{"scale", 0.1}};
  c.addInput(makeRandom(DataType::F32, dims, 1, 1));
  c.addInput(step.keyCache);
  c.addInput(step.valueCache);
  step.addPlacement(c);
  c.addOutput({makeZeros(DataType::F32, dims)});
  return c;
}

static Status measure(Device &device, const TargetDescription &target,
                      const Shape &shape, int repetitions) {
  KernelCase c = makeCase(shape);
  QUERN_ASSIGN_OR_RETURN(CompiledKernel kernel,
                         KernelCompiler().compile(c.request, target));
  double first = 0, best = 1e9;
  KernelTimer timer = [&](const std::function<Status()> &run) {
    double start = cpuSeconds();
    Status status = run();
    first = cpuSeconds() - start;
    for (int i = 0; status.isOk() && i != repetitions; ++i) {
      double before = cpuSeconds();
      status = run();
      best = std::min(best, cpuSeconds() - before);
    }
    return status;
  };
  QUERN_RETURN_IF_ERROR(runKernel(device, kernel, c, timer).getStatus());
  double pairs = shape.heads.query * double(shape.tokens) *
                 (shape.first + (shape.tokens + 1) / 2.0);
  std::printf("%-16s %5d tokens from %6d %9.3f ms  %7.3f ns/pair  "
              "%6.2f GFLOP/s  first run %.2f s\n",
              shape.heads.name().c_str(), shape.tokens, shape.first, best * 1e3,
              best * 1e9 / pairs, 4e-9 * shape.heads.dim * pairs / best, first);
  std::fflush(stdout);
  return Status::ok();
}

Status test::runAttentionBenchmark(Device &device,
                                   const TargetDescription &target,
                                   int repetitions) {
  const Shape shapes[] = {{{16, 8, 128}, 0, 512},
                          {{16, 8, 128}, 3488, 512},
                          {{16, 8, 128}, 3999, 1},
                          {{16, 2, 256}, 512, 128},
                          {{16, 2, 256}, 3999, 1},
                          {{16, 8, 128, 128, false, true}, 3488, 512},
                          {{16, 8, 128, 128, false, true}, 3999, 1}};
  for (const Shape &shape : shapes)
    QUERN_RETURN_IF_ERROR(measure(device, target, shape, repetitions));
  return Status::ok();
}
