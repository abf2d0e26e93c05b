//===- KernelRates.cpp - Kernels under Google Benchmark -------------------===//
//
//   QUERN_TEST_TARGET=cpu kernel-rates --benchmark_filter=0.6B
//
// Registers the linear layers of Qwen3-0.6B with each type of weights, for one
// token and for prompts, and every case of the kernel tests, whose shapes are
// small. The time is that of a dispatch with its wait; CPU time is of all
// threads of the process. `bytes_per_second` counts weights, `flops` two
// operations for each weight and token.
//
//===----------------------------------------------------------------------===//

#include "test/kernels/KernelRunner.h"

#include <benchmark/benchmark.h>

#include <cstdlib>

using namespace quern;
using namespace quern::test;

namespace {

struct Shape {
  const char *layer;
  int64_t inputs, outputs;
  bool swiglu;
};

struct Weights {
  DataType type;
  Encoding encoding;
};

/// What every benchmark runs on; set before the first.
struct Machine {
  TargetDescription target;
  Device *device = nullptr;
};

} // namespace

static KernelCase makeLinear(const Shape &shape, Weights weights,
                             int64_t tokens) {
  KernelCase c;
  c.request = {"linear", "linear", {}, {}};
  c.request.config = {
      {"epilogue", std::string(shape.swiglu ? "swiglu" : "none")},
      {"count", std::string("tokens")}};
  c.tokens = static_cast<uint32_t>(tokens);
  c.addInput(makeRandom(DataType::F32, {tokens, shape.inputs}, 1, 1));
  c.addInput(makeRandomWeight(weights.type, weights.encoding,
                              {shape.outputs, shape.inputs}, 0.03, 2));
  int64_t outputs = shape.swiglu ? shape.outputs / 2 : shape.outputs;
  c.addOutput({makeZeros(DataType::F32, {tokens, outputs})});
  return c;
}

/// Runs one case as often as Google Benchmark wants.
static void runCase(benchmark::State &state, const Machine &machine,
                    KernelCase &kernelCase) {
  if (!kernelCase.fit(machine.target)) {
    state.SkipWithError("not for this target");
    return;
  }
  Result<CompiledKernel> kernel =
      KernelCompiler().compile(kernelCase.request, machine.target);
  if (!kernel.isOk()) {
    state.SkipWithError(kernel.getStatus().getMessage().c_str());
    return;
  }
  KernelTimer timer = [&](const std::function<Status()> &run) {
    QUERN_RETURN_IF_ERROR(run());
    for (auto iteration : state) {
      (void)iteration;
      QUERN_RETURN_IF_ERROR(run());
    }
    return Status::ok();
  };
  Result<std::vector<Tensor>> results =
      runKernel(*machine.device, *kernel, kernelCase, timer);
  if (!results.isOk())
    state.SkipWithError(results.getStatus().getMessage().c_str());
}

static void runLinear(benchmark::State &state, const Machine &machine,
                      const Shape &shape, Weights weights, int64_t tokens) {
  KernelCase kernelCase = makeLinear(shape, weights, tokens);
  runCase(state, machine, kernelCase);
  double runs = double(state.iterations());
  double bytes = double(kernelCase.arguments[1].encode().size());
  state.SetBytesProcessed(static_cast<int64_t>(runs * bytes));
  state.counters["flops"] = benchmark::Counter(
      2.0 * double(shape.inputs * shape.outputs * tokens) * runs,
      benchmark::Counter::kIsRate);
}

static void registerAll(const Machine &machine) {
  static constexpr Shape shapes[] = {{"qkv", 1024, 4096, false},
                                     {"o", 2048, 1024, false},
                                     {"gate_up", 1024, 6144, true},
                                     {"down", 3072, 1024, false}};
  std::vector<Weights> kinds = {{DataType::F32, Encoding::None},
                                {DataType::F16, Encoding::None},
                                {DataType::BF16, Encoding::None}};
  for (const EncodingInfo &info : getEncodings())
    kinds.push_back({DataType::F32, info.encoding});
  for (const Shape &shape : shapes)
    for (Weights weights : kinds)
      for (int64_t tokens : {1, 8, 128, 512}) {
        std::string name = std::string("0.6B/") + shape.layer + "/" +
                           weightName(weights.type, weights.encoding) + "/" +
                           std::to_string(tokens);
        benchmark::RegisterBenchmark(
            name.c_str(),
            [&machine, &shape, weights, tokens](benchmark::State &state) {
              runLinear(state, machine, shape, weights, tokens);
            })
            ->MeasureProcessCPUTime()
            ->UseRealTime();
      }
  for (const NamedCase &entry : getKernelCases())
    benchmark::RegisterBenchmark(("cases/" + entry.name).c_str(),
                                 [&machine, &entry](benchmark::State &state) {
                                   KernelCase kernelCase = entry.make();
                                   runCase(state, machine, kernelCase);
                                 })
        ->MeasureProcessCPUTime()
        ->UseRealTime();
}

int main(int argc, char **argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  const char *name = std::getenv("QUERN_TEST_TARGET");
  Result<TargetDescription> target = findTarget(name ? name : "cpu");
  Result<Device *> device = getTestDevice(target.isOk() ? target->api : "cpu",
                                          /*validation=*/false);
  if (!target.isOk() || !device.isOk()) {
    std::fprintf(stderr, "%s%s\n", target.getStatus().getMessage().c_str(),
                 device.getStatus().getMessage().c_str());
    return 1;
  }
  Machine machine{*target, *device};
  registerAll(machine);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  closeTestDevices();
  return 0;
}
