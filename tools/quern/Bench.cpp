//===- Bench.cpp - quern bench --------------------------------------------===//

#include "tools/quern/Bench.h"

#include "runtime/base/AtomicFile.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <span>
#include <thread>

using namespace quern;
using namespace quern::tool;

namespace {

/// Takes wall time, CPU time and counters since its construction.
class Stopwatch {
public:
  explicit Stopwatch(const Engine &engine)
      : engine(engine), wall(std::chrono::steady_clock::now()),
        cpu(getCpuSeconds()), counters(engine.getStatistics()) {}

  PhaseTime read() const {
    const EngineStatistics &now = engine.getStatistics();
    PhaseTime time;
    time.wallSeconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - wall)
            .count();
    time.cpuSeconds = getCpuSeconds() - cpu;
    time.tokens = uint32_t(now.tokens - counters.tokens);
    time.dispatches = now.dispatches - counters.dispatches;
    time.submits = now.submits - counters.submits;
    return time;
  }

private:
  static double getCpuSeconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
  }

  const Engine &engine;
  std::chrono::steady_clock::time_point wall;
  double cpu;
  EngineStatistics counters;
};

struct LastToken final : StepResults {
  int32_t token = 0;
  void onResult(size_t, size_t, int32_t chosen,
                std::span<const float>) override {
    token = chosen;
  }
};

} // namespace

/// Sums a part of memory as four streams that lie far apart: prefetchers follow
/// one stream only so far, so that it alone does not reach what memory gives.
static uint64_t sumStreams(std::span<const uint64_t> data) {
  size_t length = data.size() / 4;
  uint64_t sum = 0;
  for (size_t i = 0; i + 8 <= length; i += 8)
    for (size_t stream = 0; stream != 4; ++stream)
      for (size_t j = 0; j != 8; ++j)
        sum += data[stream * length + i + j];
  return sum;
}

/// Bytes per second of reading memory that no cache holds, with all cores; the
/// best of a few runs.
static double measureReadBandwidth() {
  constexpr size_t kBytes = size_t(256) << 20;
  const size_t threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<uint64_t> data(kBytes / sizeof(uint64_t), 1);
  std::vector<uint64_t> sums(threads);
  double best = 0;
  for (int run = 0; run != 3; ++run) {
    auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    for (size_t t = 0; t != threads; ++t)
      workers.emplace_back([&, t] {
        size_t begin = data.size() * t / threads,
               end = data.size() * (t + 1) / threads;
        sums[t] = sumStreams(std::span(data).subspan(begin, end - begin));
      });
    for (std::thread &worker : workers)
      worker.join();
    std::chrono::duration<double> seconds =
        std::chrono::steady_clock::now() - begin;
    best = std::max(best, double(kBytes) / seconds.count());
  }
  // Uses the sums, so that the loops stay.
  return sums[0] ? best : 0;
}

/// Token ids spread over the vocabulary.
static std::vector<int32_t> makeTokens(uint32_t count, uint32_t vocabSize) {
  std::vector<int32_t> ids(count);
  for (uint32_t i = 0; i != count; ++i)
    ids[i] = int32_t(uint64_t(i + 1) * 7919 % vocabSize);
  return ids;
}

static Status feed(Engine &engine, Sequence &sequence,
                   std::span<const int32_t> tokens, LastToken &last) {
  size_t chunk = engine.getGeometry().maxStepTokens;
  for (size_t begin = 0; begin < tokens.size(); begin += chunk) {
    StepEntry entry;
    entry.sequence = &sequence;
    entry.tokens =
        tokens.subspan(begin, std::min(chunk, tokens.size() - begin));
    entry.rows = begin + entry.tokens.size() == tokens.size()
                     ? ResultRows::Last
                     : ResultRows::None;
    QUERN_RETURN_IF_ERROR(engine.run({&entry, 1}, last));
  }
  return Status::ok();
}

/// One prompt and its greedy continuation; keeps the better times.
static Status measureOnce(Engine &engine, Sequence &sequence,
                          const BenchOptions &options, BenchReport &report) {
  std::vector<int32_t> tokens =
      makeTokens(options.prefill, engine.getGeometry().vocabSize);
  LastToken last;
  sequence.truncate(0);
  Stopwatch prefillWatch(engine);
  QUERN_RETURN_IF_ERROR(feed(engine, sequence, tokens, last));
  PhaseTime prefill = prefillWatch.read();
  Stopwatch decodeWatch(engine);
  for (uint32_t i = 0; i != options.decode; ++i) {
    int32_t token = last.token;
    QUERN_RETURN_IF_ERROR(feed(engine, sequence, {&token, 1}, last));
  }
  PhaseTime decode = decodeWatch.read();
  auto keepBetter = [](PhaseTime &best, const PhaseTime &time) {
    if (best.tokens == 0 || time.wallSeconds < best.wallSeconds)
      best = time;
  };
  keepBetter(report.prefill, prefill);
  keepBetter(report.decode, decode);
  return Status::ok();
}

/// Ideal bytes of a dispatch in which the sequence grows to `length`. The
/// manifest counts caches in full: a step reads the sequence's part and writes
/// its tokens.
static uint64_t countBytes(const LoadedModel &model,
                           const bundle::Dispatch &dispatch, uint32_t tokens,
                           uint32_t length) {
  uint64_t full = 0, used = 0;
  for (const bundle::Binding *binding : *dispatch.bindings()) {
    if (binding->space() != bundle::Space::State)
      continue;
    const bundle::State &state =
        *model.getBundle().getManifest().states()->Get(binding->index());
    bool isCache = state.kind() == bundle::StateKind::KeyCache ||
                   state.kind() == bundle::StateKind::ValueCache;
    if (!isCache)
      continue;
    const ModelGeometry &geometry = model.getGeometry();
    full += binding->size();
    used += binding->size() / geometry.numPages / geometry.pageSize *
            (binding->written() ? tokens : length);
  }
  return dispatch.bytes() >= full ? dispatch.bytes() - full + used
                                  : dispatch.bytes();
}

/// Runs a program once more on the step block that its last step left.
static Status profileProgram(LoadedModel &model, bundle::ProgramKind kind,
                             uint32_t tokens, uint32_t rows, uint32_t length,
                             BenchReport &report) {
  const LoadedProgram *program = model.getProgram(kind);
  if (!program)
    return Status::ok();
  Result<std::vector<double>> times =
      model.getDevice().profile(program->handle, tokens, rows);
  if (!times.isOk()) {
    if (times.getStatus().getCode() == StatusCode::Unsupported)
      return Status::ok();
    return std::move(times).takeStatus();
  }
  ProgramProfile profile;
  profile.name = toView(program->description->name());
  profile.tokens = tokens;
  profile.maxTokens = program->maxTokens;
  for (uint32_t i = 0; i != times->size(); ++i) {
    const bundle::Dispatch &dispatch =
        *program->description->dispatches()->Get(i);
    const bundle::Kernel &kernel =
        *model.getTarget().kernels()->Get(dispatch.kernel());
    profile.dispatches.push_back(
        {std::string(toView(dispatch.label())),
         std::string(toView(kernel.name())), (*times)[i],
         countBytes(model, dispatch, tokens, length), dispatch.flops()});
  }
  report.profiles.push_back(std::move(profile));
  return Status::ok();
}

/// Profiles decode with the sequence as the measurement left it, then prefill
/// and head with a full step.
static Status profilePrograms(Engine &engine, Sequence &sequence,
                              BenchReport &report) {
  LoadedModel &model = engine.getModel();
  LastToken last;
  int32_t token = 0;
  sequence.truncate(sequence.getLength() - 1);
  QUERN_RETURN_IF_ERROR(feed(engine, sequence, {&token, 1}, last));
  QUERN_RETURN_IF_ERROR(profileProgram(model, bundle::ProgramKind::Decode, 1, 1,
                                       sequence.getLength(), report));
  const LoadedProgram *prefill = model.getProgram(bundle::ProgramKind::Prefill);
  if (!prefill)
    return Status::ok();
  uint32_t count =
      std::min(prefill->maxTokens, engine.getGeometry().contextLength);
  sequence.truncate(0);
  QUERN_RETURN_IF_ERROR(feed(engine, sequence,
                             makeTokens(count, engine.getGeometry().vocabSize),
                             last));
  QUERN_RETURN_IF_ERROR(profileProgram(model, bundle::ProgramKind::Prefill,
                                       count, 0, count, report));
  return profileProgram(model, bundle::ProgramKind::Head, 1, 1, count, report);
}

static Status checkOptions(const BenchOptions &options,
                           const ModelGeometry &geometry) {
  if (!options.profile && !options.trace.empty())
    return invalidArgument("--trace writes what --no-profile leaves out");
  if (options.prefill == 0 || options.decode == 0 || options.repeat == 0)
    return invalidArgument("--prefill, --decode and --repeat are at least 1");
  if (uint64_t(options.prefill) + options.decode > geometry.contextLength)
    return invalidArgument(std::to_string(options.prefill) + " prefill and " +
                           std::to_string(options.decode) +
                           " decode tokens exceed the context of " +
                           std::to_string(geometry.contextLength) + " tokens");
  return Status::ok();
}

Result<BenchReport> tool::measure(const BenchOptions &options) {
  QUERN_ASSIGN_OR_RETURN(OpenModel model, openModel(options.open));
  Engine &engine = *model.engine;
  QUERN_RETURN_IF_ERROR(checkOptions(options, engine.getGeometry()));
  BenchReport report;
  report.model = toView(engine.getModel().getModel().name());
  report.target = toView(engine.getModel().getTarget().target()->name());
  if (const auto *architecture = engine.getModel().getArchitecture())
    report.target += ":" + std::string(toView(architecture->name()));
  const DeviceInfo &device = engine.getModel().getDevice().getInfo();
  report.device = device.name;
  report.loadSeconds = model.loadSeconds;
  report.deviceBytes = engine.getModel().getDeviceBytes();
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Sequence> sequence,
                         engine.createSequence());
  // The first run maps the weights and warms what the driver keeps.
  BenchOptions warmUp = options;
  warmUp.decode = 1;
  BenchReport ignored;
  QUERN_RETURN_IF_ERROR(measureOnce(engine, *sequence, warmUp, ignored));
  for (uint32_t i = 0; i != options.repeat; ++i)
    QUERN_RETURN_IF_ERROR(measureOnce(engine, *sequence, options, report));
  if (options.profile)
    QUERN_RETURN_IF_ERROR(profilePrograms(engine, *sequence, report));
  report.sharesHostMemory = device.isSoftware || device.api == "cpu";
  return report;
}

Status tool::bench(const BenchOptions &options) {
  QUERN_ASSIGN_OR_RETURN(BenchReport report, measure(options));
  // What CPUs compute with reads this memory.
  if (report.sharesHostMemory)
    report.readBandwidth = measureReadBandwidth();
  std::string text =
      options.json ? printReportJson(report) : printReport(report);
  std::printf("%s\n", text.c_str());
  if (options.trace.empty())
    return Status::ok();
  return writeFileAtomically(options.trace, printTrace(report));
}
