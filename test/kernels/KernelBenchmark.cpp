//===- KernelBenchmark.cpp - CPU time of linear kernels -------------------===//
//
// Not a test: prints the CPU time (user and system, all threads) of linear
// kernels on a device, per weight and per floating-point operation.
// On lavapipe the limit is about 0.3 to 0.5 ns of CPU per bf16 weight.
//
//   kernel-benchmark [target] [repetitions]
//   kernel-benchmark attention [target] [repetitions]
//   kernel-benchmark experts [target] [repetitions] [model[/tokens]]
//   kernel-benchmark delta [target] [repetitions] [model[/tokens]]
//
// The other forms are AttentionBenchmark.h, ExpertsBenchmark.h and
// DeltaBenchmark.h.
//
//===----------------------------------------------------------------------===//
#include "test/kernels/AttentionBenchmark.h"
#include "test/kernels/CpuSeconds.h"
#include "test/kernels/DeltaBenchmark.h"
#include "test/kernels/ExpertsBenchmark.h"
#include "test/kernels/KernelRunner.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace quern;
using namespace quern::test;

namespace {

struct Shape {
  int64_t tokens, inputs, outputs;
  DataType compute;
  bool swiglu;
  Encoding encoding = Encoding::None; ///< None: bf16.
};

} // namespace

/// Weights as the target has them: in panels, and encoded ones multiplied with
/// int8 activations, if it does that.
static KernelCase makeCase(const TargetDescription &target,
                           const Shape &shape) {
  KernelCase c;
  c.request = {"linear", "linear", {}, {}};
  c.tokens = static_cast<uint32_t>(shape.tokens);
  if (shape.swiglu)
    c.request.config["epilogue"] = std::string("swiglu");
  int64_t outputs = shape.swiglu ? shape.outputs / 2 : shape.outputs;
  if (shape.encoding == Encoding::None || target.byteDot == ByteDot::None) {
    c.addInput(makeRandom(shape.compute, {shape.tokens, shape.inputs}, 1, 1));
  } else {
    c.request.name = c.request.family = "integer_linear";
    c.addInput(makeIntegers(
        {shape.tokens, shape.inputs / 4},
        std::vector<int32_t>(shape.tokens * shape.inputs / 4, 0x1f81e201)));
    int64_t groups = shape.inputs / kGroupSize;
    c.addInput(makeRandom(DataType::F32, {shape.tokens, groups, 2}, 1, 1));
  }
  Tensor weight = makeRandom(shape.encoding == Encoding::None ? DataType::BF16
                                                              : DataType::F32,
                             {shape.outputs, shape.inputs}, 0.03, 2);
  weight.encoding = shape.encoding;
  weight.unrounded = weight.values;
  weight.panelRows = target.getPanelRows();
  if (weight.panelRows != 0)
    c.request.config["weight_panels"] = weight.panelRows;
  c.addInput(std::move(weight));
  c.addOutput({makeZeros(shape.compute, {shape.tokens, outputs})});
  return c;
}

/// Prints one line; false with a message on failure.
static bool measure(Device &device, const TargetDescription &target,
                    const Shape &shape, int repetitions) {
  KernelCase c = makeCase(target, shape);
  Result<CompiledKernel> kernel = KernelCompiler().compile(c.request, target);
  if (!kernel.isOk()) {
    std::fprintf(stderr, "%s\n", kernel.getStatus().getMessage().c_str());
    return false;
  }
  double best = 1e9;
  KernelTimer timer = [&](const std::function<Status()> &run) {
    Status status = run();
    for (int i = 0; status.isOk() && i != repetitions; ++i) {
      double before = cpuSeconds();
      status = run();
      best = std::min(best, cpuSeconds() - before);
    }
    return status;
  };
  Result<std::vector<Tensor>> results = runKernel(device, *kernel, c, timer);
  if (!results.isOk()) {
    std::fprintf(stderr, "%s\n", results.getStatus().getMessage().c_str());
    return false;
  }
  double weights = double(shape.inputs) * shape.outputs;
  std::printf("%5ld x %5ld -> %6ld %-4s %-6s %-12s %9.3f ms  %6.3f ns/weight  "
              "%6.2f GFLOP/s\n",
              shape.tokens, shape.inputs, shape.outputs,
              typeName(shape.compute).c_str(), shape.swiglu ? "swiglu" : "",
              weightName(DataType::BF16, shape.encoding).c_str(), best * 1e3,
              best * 1e9 / weights, 2 * weights * shape.tokens / best * 1e-9);
  return true;
}

int main(int argc, char **argv) {
  std::string_view form = argc > 1 ? argv[1] : "";
  bool isAttention = form == "attention", isExperts = form == "experts",
       isDelta = form == "delta";
  argc -= isAttention || isExperts || isDelta;
  argv += isAttention || isExperts || isDelta;
  Result<TargetDescription> target =
      findTarget(argc > 1 ? argv[1] : "vulkan-lavapipe");
  Result<Device *> device = getTestDevice(
      target.isOk() ? target->api : "vulkan", /*validation=*/false);
  if (!target.isOk() || !device.isOk()) {
    std::fprintf(stderr, "%s%s\n", target.getStatus().getMessage().c_str(),
                 device.getStatus().getMessage().c_str());
    return 1;
  }
  long repetitionsGiven = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 5;
  int repetitions =
      static_cast<int>(std::clamp<long>(repetitionsGiven, 1, 10000));
  const char *only = argc > 3 ? argv[3] : "";
  if (isAttention || isExperts || isDelta) {
    Status status =
        isAttention ? runAttentionBenchmark(**device, *target, repetitions)
        : isExperts ? runExpertsBenchmark(**device, *target, repetitions, only)
                    : runDeltaBenchmark(**device, *target, repetitions, only);
    if (!status.isOk())
      std::fprintf(stderr, "%s\n", status.getMessage().c_str());
    return status.isOk() ? 0 : 1;
  }
  constexpr DataType f32 = DataType::F32, f16 = DataType::F16;
  const Shape shapes[] = {
      {1, 1024, 4096, f32, false},   {1, 4096, 4096, f32, false},
      {1, 1024, 6144, f32, true},    {1, 3072, 1024, f32, false},
      {1, 1024, 6144, f16, true},    {1, 1024, 151936, f32, false},
      {4, 1024, 3072, f32, false},   {8, 1024, 3072, f32, false},
      {8, 1024, 3072, f16, false},   {128, 1024, 3072, f32, false},
      {128, 1024, 3072, f16, false}, {512, 1024, 3072, f32, false}};
  std::vector<Shape> all(std::begin(shapes), std::end(shapes));
  for (Encoding encoding : {Encoding::Int8, Encoding::Q4})
    for (int64_t tokens : {1, 4, 128, 512})
      all.push_back({tokens, 1024, 3072, f32, false, encoding});
  bool ok = true;
  for (const Shape &shape : all)
    if (std::to_string(shape.tokens) == only || *only == '\0')
      ok &= measure(**device, *target, shape, repetitions);
  return ok ? 0 : 1;
}
