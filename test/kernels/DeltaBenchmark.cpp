//===- DeltaBenchmark.cpp - CPU time of the gated delta rule --------------===//
//
// A prefill step of one layer on the device: chunked, token by token in one
// kernel (scan), and as so many decode steps. A prefill starts at position 0; a
// decode step finds half of its ring filled, and every time that the ring is
// full it folds.
//
//===----------------------------------------------------------------------===//
#include "test/kernels/DeltaBenchmark.h"

#include "runtime/reference/Delta.h"
#include "test/kernels/KernelRunner.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace quern;
using namespace quern::test;

namespace {

struct Heads {
  const char *name;
  int64_t key, value;
};

constexpr Heads models[] = {{"35B-A3B", 16, 32}, {"27B", 16, 48}};
constexpr int64_t headDim = 128, ring = 32;
constexpr int64_t tokenCounts[] = {1, 2, 4, 8, 16, 32, 64, 128, 512};

double cpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval &t) { return t.tv_sec + t.tv_usec * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// One sequence; p0, folded and update as in a row of `sequences`.
KernelCase makeStep(const Heads &heads, const char *family, int64_t tokens,
                    int32_t position, int32_t folded, int32_t update) {
  // Keys and queries have length 1 and 1 / sqrt(headDim), as a model's have.
  double unit = std::sqrt(3.0 / headDim);
  constexpr DataType f32 = DataType::F32;
  KernelCase c{{family, family, {}, {}}, {}, {}, uint32_t(tokens)};
  c.addInput(makeRandom(f32, {tokens, heads.key, headDim},
                        unit / std::sqrt(double(headDim)), 1));
  c.addInput(makeRandom(f32, {tokens, heads.key, headDim}, unit, 2));
  c.addInput(makeRandom(f32, {tokens, heads.value, headDim}, 1, 3));
  Tensor decay = makeRandom(f32, {tokens, heads.value}, 0.05, 4);
  Tensor beta = makeRandom(f32, {tokens, heads.value}, 0.5, 5);
  for (float &value : decay.values)
    value -= 0.05f;
  for (float &value : beta.values)
    value += 0.5f;
  c.addInput(decay);
  c.addInput(beta);
  Tensor recurrent =
      makeRandom(f32, {1, heads.value, headDim, headDim}, 0.1, 6);
  Tensor keys = makeRandom(f32, {1, ring, heads.key, headDim}, unit, 7);
  Tensor updates = makeRandom(f32, {1, ring, heads.value, headDim}, 0.1, 8);
  Tensor decays = makeZeros(f32, {1, ring, heads.value});
  for (const Tensor &state : {recurrent, keys, updates, decays})
    c.addInput(state);
  c.addInput(
      makeIntegers({1, reference::sequenceNumbers},
                   {0, 0, int32_t(tokens), position, folded, update, 0, 0}));
  c.addState(recurrent, {recurrent});
  if (update != 2)
    for (const Tensor &state : {keys, updates, decays})
      c.addState(state, {state});
  c.addOutput({makeZeros(f32, {tokens, heads.value, headDim})});
  return c;
}

class DeltaBenchmark {
public:
  DeltaBenchmark(Device &device, const TargetDescription &target,
                 const Heads &heads, int repetitions)
      : device(device), target(target), heads(heads), repetitions(repetitions) {
  }

  Status run() {
    // Of one token; the ring holds `ring` and half of it is free at a fold.
    QUERN_ASSIGN_OR_RETURN(
        double append, measure(makeStep(heads, "delta_rule", 1, 108, 100, 0)));
    QUERN_ASSIGN_OR_RETURN(
        double fold, measure(makeStep(heads, "delta_rule", 1, 116, 100, 1)));
    double decode = (append * 15 + fold) / 16;
    for (int64_t tokens : tokenCounts)
      QUERN_RETURN_IF_ERROR(measureTokens(tokens, decode * double(tokens)));
    return Status::ok();
  }

private:
  Status measureTokens(int64_t tokens, double decode) {
    QUERN_ASSIGN_OR_RETURN(
        double scan, measure(makeStep(heads, "delta_scan", tokens, 0, 0, 2)));
    KernelCase chunked = makeStep(heads, "delta_chunk", tokens, 0, 0, 2);
    chunked.request.config["chunk"] = int64_t(target.deltaChunkTokens);
    QUERN_ASSIGN_OR_RETURN(double chunk, measure(chunked));
    bool isChunked = tokens >= int64_t(target.deltaChunkMinTokens);
    double chosen = isChunked ? chunk : scan;
    std::printf("%-8s %4ld tokens  chunk %9.3f ms  scan %9.3f ms (%5.2fx)  "
                "decode steps %9.3f ms (%5.2fx)  takes %s: %.2f of the best\n",
                heads.name, tokens, chunk * 1e3, scan * 1e3, scan / chunk,
                decode * 1e3, decode / chunk, isChunked ? "chunk" : "scan",
                chosen / std::min(chunk, scan));
    std::fflush(stdout);
    return Status::ok();
  }

  /// The least CPU time of a run, in seconds.
  Result<double> measure(const KernelCase &step) {
    QUERN_ASSIGN_OR_RETURN(CompiledKernel kernel,
                           KernelCompiler().compile(step.request, target));
    double best = 1e9;
    KernelTimer timer = [&](const std::function<Status()> &run) {
      Status status = run(); // Compiles the kernel.
      for (int i = 0; status.isOk() && i != repetitions; ++i) {
        double before = cpuSeconds();
        status = run();
        best = std::min(best, cpuSeconds() - before);
      }
      return status;
    };
    QUERN_RETURN_IF_ERROR(runKernel(device, kernel, step, timer).getStatus());
    return best;
  }

  Device &device;
  const TargetDescription &target;
  const Heads &heads;
  int repetitions;
};

} // namespace

Status test::runDeltaBenchmark(Device &device, const TargetDescription &target,
                               int repetitions, std::string_view only) {
  for (const Heads &heads : models)
    if (only.empty() || only == heads.name)
      QUERN_RETURN_IF_ERROR(
          DeltaBenchmark(device, target, heads, repetitions).run());
  return Status::ok();
}
