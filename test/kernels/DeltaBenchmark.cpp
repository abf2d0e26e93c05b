//===- DeltaBenchmark.cpp - CPU time of the gated delta rule --------------===//
//
// A step of one layer on the device: token by token with the state in registers
// (scan), chunked, and for few tokens by the rule that only reads the state. A
// prefill starts at position 0; the rule finds 8 tokens in its ring or, when it
// folds, 16. The forms of a step take turns; each has the least time of its.
//
//===----------------------------------------------------------------------===//
#include "test/kernels/DeltaBenchmark.h"

#include "runtime/reference/Delta.h"
#include "test/kernels/CpuSeconds.h"
#include "test/kernels/KernelRunner.h"

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
/// A step of so many tokens may take the delta rule, and of so many tokens that
/// it appends one is folded.
constexpr int64_t maxRuleTokens = 8, foldEvery = 16;
constexpr int64_t tokenCounts[] = {1, 2, 4, 8, 16, 32, 64, 128, 512};

} // namespace

/// One sequence; p0, folded and update as in a row of `sequences`.
static KernelCase makeStep(const Heads &heads, const char *family,
                           int64_t tokens, int32_t position, int32_t folded,
                           int32_t update) {
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

/// One way to compute a step.
struct Form {
  const char *name;
  KernelCase step;
  CompiledKernel kernel;
  double seconds = 1e9; ///< The least CPU time of a run.
};

namespace {

class DeltaBenchmark {
public:
  DeltaBenchmark(Device &device, const TargetDescription &target,
                 const Heads &heads, int repetitions)
      : device(device), target(target), heads(heads), repetitions(repetitions) {
  }

  Status measure(int64_t tokens) {
    QUERN_RETURN_IF_ERROR(
        add("scan", makeStep(heads, "delta_scan", tokens, 0, 0, 2)));
    KernelCase chunked = makeStep(heads, "delta_chunk", tokens, 0, 0, 2);
    chunked.request.config["chunk"] = int64_t(target.deltaChunkTokens);
    QUERN_RETURN_IF_ERROR(add("chunk", chunked));
    if (tokens <= maxRuleTokens) {
      QUERN_RETURN_IF_ERROR(
          add("append", makeStep(heads, "delta_rule", tokens, 108, 100, 0)));
      QUERN_RETURN_IF_ERROR(
          add("fold", makeStep(heads, "delta_rule", tokens, 116, 100, 1)));
    }
    QUERN_RETURN_IF_ERROR(start(0));
    print(tokens);
    return Status::ok();
  }

private:
  Status add(const char *name, KernelCase step) {
    QUERN_ASSIGN_OR_RETURN(CompiledKernel kernel,
                           KernelCompiler().compile(step.request, target));
    forms.push_back({name, std::move(step), std::move(kernel)});
    return Status::ok();
  }

  /// Sets up the forms from `at` on, each inside the one before it, so that all
  /// of them are ready when they take turns.
  Status start(size_t at) {
    if (at == forms.size())
      return takeTurns();
    KernelTimer timer = [&](const std::function<Status()> &run) {
      QUERN_RETURN_IF_ERROR(run()); // Compiles the kernel.
      runs.push_back(run);
      return start(at + 1);
    };
    return runKernel(device, forms[at].kernel, forms[at].step, timer)
        .getStatus();
  }

  Status takeTurns() {
    for (int i = 0; i != repetitions; ++i)
      for (size_t at = 0; at != forms.size(); ++at) {
        double before = cpuSeconds();
        QUERN_RETURN_IF_ERROR(runs[at]());
        forms[at].seconds = std::min(forms[at].seconds, cpuSeconds() - before);
      }
    return Status::ok();
  }

  void print(int64_t tokens) const {
    double scan = forms[0].seconds, chunk = forms[1].seconds;
    bool isChunked = tokens >= int64_t(target.deltaChunkMinTokens);
    std::printf("%-8s %4ld tokens  scan %8.3f ms  chunk %8.3f ms (%4.2fx)  "
                "prefill takes %s: %.2f of the best",
                heads.name, tokens, scan * 1e3, chunk * 1e3, scan / chunk,
                isChunked ? "chunk" : "scan",
                (isChunked ? chunk : scan) / std::min(chunk, scan));
    if (tokens <= maxRuleTokens) {
      double append = forms[2].seconds, fold = forms[3].seconds;
      double share = double(tokens) / foldEvery;
      std::printf("  rule: append %.3f ms, fold %.3f ms, mean %.3f ms (%.2fx)",
                  append * 1e3, fold * 1e3,
                  (append * (1 - share) + fold * share) * 1e3,
                  scan / (append * (1 - share) + fold * share));
    }
    std::printf("\n");
    std::fflush(stdout);
  }

  Device &device;
  const TargetDescription &target;
  const Heads &heads;
  int repetitions;
  std::vector<Form> forms;
  std::vector<std::function<Status()>> runs;
};

} // namespace

Status test::runDeltaBenchmark(Device &device, const TargetDescription &target,
                               int repetitions, std::string_view only) {
  size_t slash = std::min(only.find('/'), only.size());
  std::string_view name = only.substr(0, slash), count = only.substr(slash);
  for (const Heads &heads : models)
    for (int64_t tokens : tokenCounts)
      if ((name.empty() || name == heads.name) &&
          (count.empty() || count == "/" + std::to_string(tokens)))
        QUERN_RETURN_IF_ERROR(
            DeltaBenchmark(device, target, heads, repetitions).measure(tokens));
  return Status::ok();
}
