//===- ExpertsBenchmark.cpp - CPU time of mixtures of experts -------------===//
//
// One step of a mixture on the device in every form that it can be lowered to,
// with weights of full size (random numbers, repeated) and random routing.
// Plain is a loop over the experts that some token chose: one linear for gate
// and up with SwiGLU and one for down, each on the rows of that expert. Its
// rows are there in order and its sums are left out, which favours it.
//
//===----------------------------------------------------------------------===//
#include "test/kernels/ExpertsBenchmark.h"

#include "codegen/SPIRV/KernelCompiler.h"
#include "passes/Shape/ExpertForm.h"
#include "test/kernels/KernelCase.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <random>

using namespace quern;
using namespace quern::test;

namespace {

struct Mixture {
  const char *name;
  int64_t hidden, experts, slots, intermediate;
};

constexpr Mixture mixtures[] = {{"30B-A3B", 2048, 128, 8, 768},
                                {"35B-A3B", 2048, 256, 8, 512},
                                {"Next", 2048, 512, 10, 512}};
constexpr int64_t tokenCounts[] = {1, 2, 4, 8, 16, 32, 64, 128, 512};

double cpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval &t) { return t.tv_sec + t.tv_usec * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A tensor in device memory.
struct DeviceTensor {
  DataType type;
  std::vector<int64_t> shape;
  BufferRange range;

  /// `count` slices of dimension 0 from `first` on, under another shape.
  DeviceTensor slice(int64_t first, int64_t count,
                     std::vector<int64_t> newShape) const {
    uint64_t bytes = range.size / shape[0];
    return {type,
            std::move(newShape),
            {range.buffer, range.offset + first * bytes, count * bytes}};
  }
};

/// Buffers that live as long as this does.
class Memory {
public:
  explicit Memory(Device &device) : device(device) {}
  ~Memory() {
    for (BufferHandle handle : handles)
      device.free(handle);
  }

  Result<DeviceTensor> allocate(DataType type, std::vector<int64_t> shape) {
    uint64_t bytes = dataTypeBits(type) / 8;
    for (int64_t size : shape)
      bytes *= size;
    QUERN_ASSIGN_OR_RETURN(BufferHandle handle,
                           device.allocate(bytes, MemoryKind::DeviceLocal));
    handles.push_back(handle);
    return DeviceTensor{type, std::move(shape), {handle, 0, bytes}};
  }
  /// Random numbers in [-scale, scale], the same ones every 8 MiB.
  Result<DeviceTensor> allocateRandom(DataType type, std::vector<int64_t> shape,
                                      double scale) {
    QUERN_ASSIGN_OR_RETURN(DeviceTensor tensor, allocate(type, shape));
    std::vector<std::byte> bytes =
        makeRandom(type, {4 << 20}, scale, 1).encode();
    for (uint64_t at = 0; at < tensor.range.size; at += bytes.size())
      QUERN_RETURN_IF_ERROR(
          device.upload(tensor.range.buffer, at,
                        std::span(bytes).first(std::min<uint64_t>(
                            bytes.size(), tensor.range.size - at))));
    return tensor;
  }
  Result<DeviceTensor> allocateIntegers(std::vector<int64_t> shape,
                                        const std::vector<int32_t> &values) {
    QUERN_ASSIGN_OR_RETURN(DeviceTensor tensor, allocate(DataType::I32, shape));
    QUERN_RETURN_IF_ERROR(device.upload(tensor.range.buffer, 0,
                                        std::as_bytes(std::span(values))));
    return tensor;
  }

private:
  Device &device;
  std::vector<BufferHandle> handles;
};

/// Dispatches, compiled and recorded.
class Steps {
public:
  Steps(Device &device, const TargetDescription &target,
        KernelCompiler &compiler)
      : device(device), target(target), compiler(compiler) {}

  using Config = std::map<std::string, ConfigValue>;
  /// Adds a dispatch over `inputs` and `outputs`, in this order. It waits for
  /// those before it unless it shares its inputs with the last one.
  Status add(const std::string &family, const Config &config,
             const std::vector<DeviceTensor> &inputs,
             const std::vector<DeviceTensor> &outputs, bool waits = true) {
    KernelRequest request{family, family, {}, config};
    DispatchDescription dispatch;
    for (const auto *tensors : {&inputs, &outputs})
      for (const DeviceTensor &tensor : *tensors) {
        request.arguments.push_back(
            {tensors == &inputs ? ArgumentEffect::Read : ArgumentEffect::Write,
             tensor.type, tensor.shape});
        dispatch.arguments.push_back(tensor.range);
      }
    QUERN_ASSIGN_OR_RETURN(CompiledKernel kernel,
                           compiler.compile(request, target));
    KernelDescription description;
    description.name = family;
    description.entryPoint = kernel.entryPoint;
    description.code = std::as_bytes(std::span(kernel.code));
    description.workgroupSize = kernel.launch.workgroupSize;
    for (KernelAccess access : kernel.accesses)
      description.arguments.push_back(static_cast<ArgumentAccess>(access));
    description.subgroupSize = kernel.launch.subgroupSize;
    description.workgroupMemory = kernel.launch.workgroupMemory;
    QUERN_ASSIGN_OR_RETURN(dispatch.kernel, device.createKernel(description));
    // All counts are full: the grid is what it is at the full count.
    dispatch.grid.groups = kernel.launch.grid;
    dispatch.barrierBefore = waits && !program.dispatches.empty();
    dispatch.label = family;
    program.dispatches.push_back(std::move(dispatch));
    return Status::ok();
  }

  /// The least CPU time of a run, in seconds.
  Result<double> measure(int repetitions) {
    program.name = "experts";
    QUERN_ASSIGN_OR_RETURN(ProgramHandle handle, device.record(program));
    double best = 1e9;
    for (int i = 0; i <= repetitions; ++i) {
      double before = cpuSeconds();
      QUERN_RETURN_IF_ERROR(device.submit(handle, 1, 1));
      QUERN_RETURN_IF_ERROR(device.wait(uint64_t(600) * 1000000000));
      // The first run compiles the kernels.
      if (i != 0)
        best = std::min(best, cpuSeconds() - before);
    }
    return best;
  }

private:
  Device &device;
  const TargetDescription &target;
  KernelCompiler &compiler;
  ProgramDescription program;
};

/// k different experts for each token.
std::vector<int32_t> chooseExperts(const Mixture &mixture, int64_t tokens) {
  std::mt19937 engine(3);
  std::vector<int32_t> choices;
  std::vector<int32_t> all(mixture.experts);
  std::iota(all.begin(), all.end(), 0);
  for (int64_t t = 0; t != tokens; ++t)
    for (int64_t j = 0; j != mixture.slots; ++j) {
      std::swap(all[j], all[j + engine() % (mixture.experts - j)]);
      choices.push_back(all[j]);
    }
  return choices;
}

/// One mixture: its weights, and its forms at one number of tokens.
class ExpertsBenchmark {
public:
  ExpertsBenchmark(Device &device, const TargetDescription &target,
                   const Mixture &mixture, int repetitions)
      : device(device), target(target), m(mixture), repetitions(repetitions),
        weights(device) {}

  Status run();

private:
  Status measureTokens(int64_t tokens);
  Result<double> measureGathered();
  Result<double> measureSorted(int64_t tileRows);
  Result<double> measurePlain();

  Device &device;
  const TargetDescription &target;
  const Mixture &m;
  int repetitions;
  KernelCompiler compiler;
  Memory weights;
  DeviceTensor gateUp, down;

  // Of the step.
  int64_t tokens = 0;
  std::vector<int32_t> routing;
  DeviceTensor x, experts, scales;
};

const Steps::Config kSwiglu = {{"epilogue", std::string("swiglu")}};
const Steps::Config kNone = {{"epilogue", std::string("none")}};

Result<double> ExpertsBenchmark::measureGathered() {
  Memory memory(device);
  Steps steps(device, target, compiler);
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor gated,
      memory.allocate(DataType::F32, {tokens, m.slots, m.intermediate}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor out,
                         memory.allocate(DataType::F32, {tokens, m.hidden}));
  QUERN_RETURN_IF_ERROR(
      steps.add("expert_rows", kSwiglu, {x, experts, gateUp}, {gated}));
  QUERN_RETURN_IF_ERROR(
      steps.add("expert_sum", {}, {gated, experts, scales, down}, {out}));
  return steps.measure(repetitions);
}

Result<double> ExpertsBenchmark::measureSorted(int64_t tileRows) {
  Memory memory(device);
  Steps steps(device, target, compiler);
  int64_t pairs = tokens * m.slots;
  int64_t tiles =
      (pairs + std::min(pairs, m.experts) * (tileRows - 1)) / tileRows;
  auto integers = [&](std::vector<int64_t> shape) {
    return memory.allocate(DataType::I32, std::move(shape));
  };
  QUERN_ASSIGN_OR_RETURN(DeviceTensor counts, integers({m.experts}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor sorted, integers({tiles, tileRows}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor tileExperts, integers({tiles}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor tileCount, integers({1}));
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor gated,
      memory.allocate(DataType::F32, {tokens, m.slots, m.intermediate}));
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor products,
      memory.allocate(DataType::F32, {tokens, m.slots, m.hidden}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor out,
                         memory.allocate(DataType::F32, {tokens, m.hidden}));
  QUERN_RETURN_IF_ERROR(steps.add("expert_count", {}, {experts}, {counts}));
  QUERN_RETURN_IF_ERROR(steps.add("expert_sort", {}, {experts, counts},
                                  {sorted, tileExperts, tileCount}));
  QUERN_RETURN_IF_ERROR(steps.add("expert_tiles", kSwiglu,
                                  {x, sorted, tileExperts, tileCount, gateUp},
                                  {gated}));
  QUERN_RETURN_IF_ERROR(steps.add("expert_tiles", kNone,
                                  {gated, sorted, tileExperts, tileCount, down},
                                  {products}));
  QUERN_RETURN_IF_ERROR(
      steps.add("expert_combine", {}, {products, scales}, {out}));
  return steps.measure(repetitions);
}

Result<double> ExpertsBenchmark::measurePlain() {
  Memory memory(device);
  Steps steps(device, target, compiler);
  int64_t pairs = tokens * m.slots;
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor rows,
      memory.allocateRandom(DataType::F32, {pairs, m.hidden}, 1));
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor gated,
      memory.allocate(DataType::F32, {pairs, m.intermediate}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor products,
                         memory.allocate(DataType::F32, {pairs, m.hidden}));
  int64_t first = 0;
  for (int32_t e = 0; e != m.experts; ++e) {
    int64_t count = std::ranges::count(routing, e);
    if (count == 0)
      continue;
    DeviceTensor hidden = gated.slice(first, count, {count, m.intermediate});
    QUERN_RETURN_IF_ERROR(
        steps.add("linear", kSwiglu,
                  {rows.slice(first, count, {count, m.hidden}),
                   gateUp.slice(e, 1, {2 * m.intermediate, m.hidden})},
                  {hidden}));
    QUERN_RETURN_IF_ERROR(steps.add(
        "linear", kNone, {hidden, down.slice(e, 1, {m.hidden, m.intermediate})},
        {products.slice(first, count, {count, m.hidden})}));
    first += count;
  }
  return steps.measure(repetitions);
}

Status ExpertsBenchmark::measureTokens(int64_t count) {
  tokens = count;
  routing = chooseExperts(m, tokens);
  Memory memory(device);
  QUERN_ASSIGN_OR_RETURN(
      x, memory.allocateRandom(DataType::F32, {tokens, m.hidden}, 1));
  QUERN_ASSIGN_OR_RETURN(experts,
                         memory.allocateIntegers({tokens, m.slots}, routing));
  QUERN_ASSIGN_OR_RETURN(
      scales, memory.allocateRandom(DataType::F32, {tokens, m.slots}, 1));
  QUERN_ASSIGN_OR_RETURN(double plain, measurePlain());
  std::printf("%-8s %4ld tokens  plain %9.2f ms", m.name, tokens, plain * 1e3);
  auto print = [&](const char *form, double seconds) {
    std::printf("  %s %9.2f ms (%.2fx)", form, seconds * 1e3, plain / seconds);
    std::fflush(stdout);
  };
  QUERN_ASSIGN_OR_RETURN(double gathered, measureGathered());
  print("gathered", gathered);
  for (int64_t tile : {4, 8, 16, 32}) {
    QUERN_ASSIGN_OR_RETURN(double sorted, measureSorted(tile));
    print(("sorted" + std::to_string(tile)).c_str(), sorted);
  }
  int64_t tile = chooseExpertTile(
      estimateExpertReuse(double(tokens), double(m.slots), double(m.experts)),
      target.expertsMinReuse);
  std::printf("  chosen: %s\n",
              tile == 0 ? "gathered"
                        : ("sorted" + std::to_string(tile)).c_str());
  return Status::ok();
}

Status ExpertsBenchmark::run() {
  QUERN_ASSIGN_OR_RETURN(
      gateUp,
      weights.allocateRandom(DataType::BF16,
                             {m.experts, 2 * m.intermediate, m.hidden}, 0.03));
  QUERN_ASSIGN_OR_RETURN(
      down, weights.allocateRandom(
                DataType::BF16, {m.experts, m.hidden, m.intermediate}, 0.03));
  for (int64_t count : tokenCounts)
    QUERN_RETURN_IF_ERROR(measureTokens(count));
  return Status::ok();
}

} // namespace

Status test::runExpertsBenchmark(Device &device,
                                 const TargetDescription &target,
                                 int repetitions, std::string_view only) {
  for (const Mixture &mixture : mixtures)
    if (only.empty() || only == mixture.name)
      QUERN_RETURN_IF_ERROR(
          ExpertsBenchmark(device, target, mixture, repetitions).run());
  return Status::ok();
}
