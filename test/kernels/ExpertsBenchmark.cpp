//===- ExpertsBenchmark.cpp - CPU time of mixtures of experts -------------===//
//
// One step of a mixture on the device in every form that it can be lowered to,
// with weights of full size (random numbers, repeated) and random routing,
// beside two plain loops of general kernels, each its own dispatch:
//
//   plain    over all experts: gate, up, silu * up and down of all tokens, then
//            the sum. What a device does that keeps routing to itself.
//   host     over the chosen experts: a gather of the expert's tokens, padded
//            to a power of two, and the same. The host has to know the routing
//            before the step, which no program of Quern lets it.
//
// There is no kernel for the weighted sum into some rows; an addition of as
// many rows stands for it.
//
//===----------------------------------------------------------------------===//
#include "test/kernels/ExpertsBenchmark.h"

#include "codegen/KernelCompiler.h"
#include "passes/Shape/ExpertForm.h"
#include "test/kernels/DeviceSteps.h"

#include <algorithm>
#include <bit>
#include <cstdio>
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

} // namespace

/// k different experts for each token.
static std::vector<int32_t> chooseExperts(const Mixture &mixture,
                                          int64_t tokens) {
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

namespace {

/// One way to compute a step, and its least CPU time.
struct Form {
  std::string name;
  int64_t tile = 0;  ///< As --qwen-specialize-experts chooses it; -1: plain.
  double factor = 1; ///< Only 1 / factor of the work is run.
  ProgramDescription program;
  double seconds = 1e9;
};

/// One mixture: its weights, and its forms at one number of tokens.
class ExpertsBenchmark {
public:
  ExpertsBenchmark(Device &device, const TargetDescription &target,
                   const Mixture &mixture, int repetitions)
      : device(device), target(target), m(mixture), repetitions(repetitions),
        kernels(device, target), weights(device) {}

  Status run(std::string_view onlyTokens);

private:
  Status measureTokens(int64_t count);
  Status measure(std::vector<Form> &forms);
  void print(const std::vector<Form> &forms);

  /// Products with weights as the target has them.
  KernelConfig makeConfig(const char *epilogue = nullptr) const;
  Result<Form> makeGathered(DeviceMemory &memory);
  Result<Form> makeSorted(DeviceMemory &memory, int64_t tileRows);
  Result<Form> makePlain(DeviceMemory &memory);
  Result<Form> makeHost(DeviceMemory &memory);
  /// The linear layers of one expert on some rows, with kernels for many rows.
  Result<Form> makeDense(DeviceMemory &memory);
  struct Rows {
    DeviceTensor gate, up, gated, product, sum;
  };
  Result<Rows> allocateRows(DeviceMemory &memory, int64_t count);
  Status addExpert(Form &form, const DeviceTensor &input, const Rows &rows,
                   int64_t expert);

  Device &device;
  const TargetDescription &target;
  const Mixture &m;
  int repetitions;
  KernelSet kernels;
  DeviceMemory weights;
  DeviceTensor gateUp, down;

  // Of the step.
  int64_t tokens = 0;
  std::vector<int32_t> routing;
  DeviceTensor x, experts, scales;
};

} // namespace

KernelConfig ExpertsBenchmark::makeConfig(const char *epilogue) const {
  KernelConfig config;
  if (epilogue)
    config["epilogue"] = std::string(epilogue);
  // The numbers are random: they need no packing.
  if (uint32_t rows = target.getPanelRows())
    config["weight_panels"] = int64_t(rows);
  return config;
}

Result<Form> ExpertsBenchmark::makeGathered(DeviceMemory &memory) {
  Form form{"gathered", 0, 1, {}};
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor gated,
      memory.allocate(DataType::F32, {tokens, m.slots, m.intermediate}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor out,
                         memory.allocate(DataType::F32, {tokens, m.hidden}));
  QUERN_RETURN_IF_ERROR(kernels.add(form.program, "expert_rows",
                                    makeConfig("swiglu"), {x, experts, gateUp},
                                    {gated}));
  QUERN_RETURN_IF_ERROR(kernels.add(form.program, "expert_sum", makeConfig(),
                                    {gated, experts, scales, down}, {out}));
  return form;
}

Result<Form> ExpertsBenchmark::makeSorted(DeviceMemory &memory,
                                          int64_t tileRows) {
  Form form{"sorted" + std::to_string(tileRows), tileRows, 1, {}};
  int64_t pairs = tokens * m.slots;
  int64_t tiles =
      (pairs + std::min(pairs, m.experts) * (tileRows - 1)) / tileRows;
  auto integers = [&](std::vector<int64_t> shape) {
    return memory.allocate(DataType::I32, std::move(shape));
  };
  QUERN_ASSIGN_OR_RETURN(DeviceTensor counts, integers({m.experts}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor sorted, integers({tiles, tileRows}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor tileExperts, integers({tiles}));
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor ends,
      integers({int64_t(std::bit_width(uint64_t(tileRows)))}));
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor gated,
      memory.allocate(DataType::F32, {tokens, m.slots, m.intermediate}));
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor products,
      memory.allocate(DataType::F32, {tokens, m.slots, m.hidden}));
  QUERN_ASSIGN_OR_RETURN(DeviceTensor out,
                         memory.allocate(DataType::F32, {tokens, m.hidden}));
  ProgramDescription &p = form.program;
  QUERN_RETURN_IF_ERROR(
      kernels.add(p, "expert_count", {}, {experts}, {counts}));
  QUERN_RETURN_IF_ERROR(kernels.add(p, "expert_sort", {}, {experts, counts},
                                    {sorted, tileExperts, ends}));
  QUERN_RETURN_IF_ERROR(kernels.add(p, "expert_tiles", makeConfig("swiglu"),
                                    {x, sorted, tileExperts, ends, gateUp},
                                    {gated}));
  QUERN_RETURN_IF_ERROR(kernels.add(p, "expert_tiles", makeConfig("none"),
                                    {gated, sorted, tileExperts, ends, down},
                                    {products}));
  QUERN_RETURN_IF_ERROR(
      kernels.add(p, "expert_combine", {}, {products, scales}, {out}));
  return form;
}

Result<ExpertsBenchmark::Rows>
ExpertsBenchmark::allocateRows(DeviceMemory &memory, int64_t count) {
  Rows rows;
  for (DeviceTensor *tensor : {&rows.gate, &rows.up, &rows.gated}) {
    QUERN_ASSIGN_OR_RETURN(
        *tensor, memory.allocate(DataType::F32, {count, m.intermediate}));
  }
  for (DeviceTensor *tensor : {&rows.product, &rows.sum}) {
    QUERN_ASSIGN_OR_RETURN(*tensor,
                           memory.allocate(DataType::F32, {count, m.hidden}));
  }
  return rows;
}

Status ExpertsBenchmark::addExpert(Form &form, const DeviceTensor &input,
                                   const Rows &rows, int64_t expert) {
  ProgramDescription &p = form.program;
  DeviceTensor both = gateUp.slice(expert, 1, {2 * m.intermediate, m.hidden});
  std::vector<int64_t> half = {m.intermediate, m.hidden};
  QUERN_RETURN_IF_ERROR(
      kernels.add(p, "linear", makeConfig("none"),
                  {input, both.slice(0, m.intermediate, half)}, {rows.gate}));
  QUERN_RETURN_IF_ERROR(kernels.add(
      p, "linear", makeConfig("none"),
      {input, both.slice(m.intermediate, m.intermediate, half)}, {rows.up},
      /*waits=*/false));
  QUERN_RETURN_IF_ERROR(
      kernels.add(p, "swiglu", {}, {rows.gate, rows.up}, {rows.gated}));
  QUERN_RETURN_IF_ERROR(kernels.add(
      p, "linear", makeConfig("none"),
      {rows.gated, down.slice(expert, 1, {m.hidden, m.intermediate})},
      {rows.product}));
  return kernels.add(p, "residual_add", {}, {rows.sum, rows.product},
                     {rows.sum});
}

Result<Form> ExpertsBenchmark::makePlain(DeviceMemory &memory) {
  // Every expert costs the same.
  int64_t count = std::min<int64_t>(m.experts, tokens <= 64 ? 8 : 2);
  Form form{"plain", -1, double(m.experts) / double(count), {}};
  QUERN_ASSIGN_OR_RETURN(Rows rows, allocateRows(memory, tokens));
  for (int64_t e = 0; e != count; ++e)
    QUERN_RETURN_IF_ERROR(addExpert(form, x, rows, e));
  return form;
}

Result<Form> ExpertsBenchmark::makeHost(DeviceMemory &memory) {
  Form form{"host", -1, 1, {}};
  std::map<int64_t, Rows> rowsOf;
  std::map<int64_t, DeviceTensor> inputOf;
  for (int64_t e = 0; e != m.experts; ++e) {
    std::vector<int32_t> mine;
    for (size_t pair = 0; pair != routing.size(); ++pair)
      if (routing[pair] == e)
        mine.push_back(int32_t(pair / m.slots));
    if (mine.empty())
      continue;
    int64_t count = int64_t(std::bit_ceil(mine.size()));
    mine.resize(count, mine.front());
    if (!rowsOf.contains(count)) {
      QUERN_ASSIGN_OR_RETURN(rowsOf[count], allocateRows(memory, count));
      QUERN_ASSIGN_OR_RETURN(inputOf[count],
                             memory.allocate(DataType::F32, {count, m.hidden}));
    }
    QUERN_ASSIGN_OR_RETURN(DeviceTensor indices,
                           memory.allocateIntegers({count}, mine));
    QUERN_RETURN_IF_ERROR(kernels.add(form.program, "select_rows", {},
                                      {x, indices}, {inputOf[count]}));
    QUERN_RETURN_IF_ERROR(addExpert(form, inputOf[count], rowsOf[count], e));
  }
  return form;
}

Result<Form> ExpertsBenchmark::makeDense(DeviceMemory &memory) {
  int64_t count = std::min<int64_t>(tokens * m.slots, 128);
  Form form{"dense", -1, double(tokens * m.slots) / double(count), {}};
  QUERN_ASSIGN_OR_RETURN(
      DeviceTensor input,
      memory.allocateRandom(DataType::F32, {count, m.hidden}, 1));
  QUERN_ASSIGN_OR_RETURN(Rows rows, allocateRows(memory, count));
  QUERN_RETURN_IF_ERROR(addExpert(form, input, rows, 0));
  return form;
}

Status ExpertsBenchmark::measure(std::vector<Form> &forms) {
  std::vector<ProgramHandle> programs;
  for (Form &form : forms) {
    form.program.name = form.name;
    QUERN_ASSIGN_OR_RETURN(ProgramHandle handle, device.record(form.program));
    programs.push_back(handle);
  }
  // The first run compiles the kernels.
  for (int turn = 0; turn <= repetitions; ++turn)
    for (size_t i = 0; i != forms.size(); ++i) {
      QUERN_ASSIGN_OR_RETURN(double seconds, timeProgram(device, programs[i]));
      if (turn != 0)
        forms[i].seconds =
            std::min(forms[i].seconds, seconds * forms[i].factor);
    }
  return Status::ok();
}

void ExpertsBenchmark::print(const std::vector<Form> &forms) {
  int64_t tile = chooseExpertTile(
      estimateExpertReuse(double(tokens), double(m.slots), double(m.experts)),
      {target.expertsMinReuse, target.expertsTile4Reuse,
       target.expertsTile8Reuse, target.getMaxExpertTile(DataType::F32)});
  const Form *chosen = nullptr, *best = nullptr;
  std::printf("| %s | %ld |", m.name, tokens);
  for (const Form &form : forms) {
    std::printf(" %.1f |", form.seconds * 1e3);
    if (form.tile == tile)
      chosen = &form;
    if (form.tile >= 0 && (!best || form.seconds < best->seconds))
      best = &form;
  }
  double operations =
      3 * double(tokens * m.slots) * double(m.hidden) * double(m.intermediate);
  std::printf(
      " %s | %.2f | %.2f | %.2f | %.3f |\n", chosen->name.c_str(),
      chosen->seconds / best->seconds, forms[0].seconds / chosen->seconds,
      forms[1].seconds / chosen->seconds, chosen->seconds * 1e9 / operations);
  std::fflush(stdout);
}

Status ExpertsBenchmark::measureTokens(int64_t count) {
  tokens = count;
  routing = chooseExperts(m, tokens);
  DeviceMemory memory(device);
  QUERN_ASSIGN_OR_RETURN(
      x, memory.allocateRandom(DataType::F32, {tokens, m.hidden}, 1));
  QUERN_ASSIGN_OR_RETURN(experts,
                         memory.allocateIntegers({tokens, m.slots}, routing));
  QUERN_ASSIGN_OR_RETURN(
      scales, memory.allocateRandom(DataType::F32, {tokens, m.slots}, 1));
  std::vector<Form> forms;
  auto add = [&](Result<Form> form) -> Status {
    QUERN_ASSIGN_OR_RETURN(Form made, std::move(form));
    forms.push_back(std::move(made));
    return Status::ok();
  };
  QUERN_RETURN_IF_ERROR(add(makePlain(memory)));
  QUERN_RETURN_IF_ERROR(add(makeHost(memory)));
  QUERN_RETURN_IF_ERROR(add(makeDense(memory)));
  QUERN_RETURN_IF_ERROR(add(makeGathered(memory)));
  for (int64_t tileRows : {2, 4, 8})
    QUERN_RETURN_IF_ERROR(add(makeSorted(memory, tileRows)));
  QUERN_RETURN_IF_ERROR(measure(forms));
  print(forms);
  return Status::ok();
}

Status ExpertsBenchmark::run(std::string_view onlyTokens) {
  QUERN_ASSIGN_OR_RETURN(
      gateUp,
      weights.allocateRandom(DataType::BF16,
                             {m.experts, 2 * m.intermediate, m.hidden}, 0.03));
  QUERN_ASSIGN_OR_RETURN(
      down, weights.allocateRandom(
                DataType::BF16, {m.experts, m.hidden, m.intermediate}, 0.03));
  for (int64_t count : tokenCounts)
    if (onlyTokens.empty() || onlyTokens == "/" + std::to_string(count))
      QUERN_RETURN_IF_ERROR(measureTokens(count));
  return Status::ok();
}

Status test::runExpertsBenchmark(Device &device,
                                 const TargetDescription &target,
                                 int repetitions, std::string_view only) {
  std::printf(
      "| model | tokens | plain ms | host ms | dense ms | gathered ms | "
      "sorted2 ms | sorted4 ms | sorted8 ms | chosen | chosen / best | "
      "plain / chosen | host / chosen | ns per multiply-add |\n");
  size_t slash = std::min(only.find('/'), only.size());
  std::string_view name = only.substr(0, slash), count = only.substr(slash);
  for (const Mixture &mixture : mixtures)
    if (name.empty() || name == mixture.name)
      QUERN_RETURN_IF_ERROR(
          ExpertsBenchmark(device, target, mixture, repetitions).run(count));
  return Status::ok();
}
