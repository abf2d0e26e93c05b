//===- Tune.cpp - quern tune ----------------------------------------------===//
#include "tools/quern/Tune.h"

#include "codegen/Tuning.h"
#include "runtime/base/AtomicFile.h"
#include "runtime/base/Json.h"
#include "runtime/base/Process.h"
#include "tools/compile/TargetChoice.h"
#include "tools/quern/ProgressBar.h"
#include "tools/quern/TextTable.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <mutex>

using namespace quern;
using namespace quern::tool;

/// A schedule counts if it takes less than so much of the time of the target's
/// own: what is gained has to be more than what measurements differ by.
static constexpr double kWorthwhile = 0.97;

namespace {

/// Nanoseconds of a dispatch of each kernel.
using Times = std::map<std::string, double>;

struct Choice {
  std::string members; ///< Empty: the target's own.
  TargetDescription target;
  double nanoseconds = 0;
};

class Tuner {
public:
  explicit Tuner(const TuneOptions &options)
      : options(options), progress(options.compile.quiet) {}

  Status run();

private:
  using Schedule =
      std::function<const TargetDescription *(const KernelRequest &)>;

  Result<Times> measure(const Schedule &schedule);
  Status tryCandidate(const ScheduleCandidate &candidate);
  Status confirm();
  std::string print() const;
  void report() const;

  const TuneOptions &options;
  ProgressBar progress;
  TargetDescription target;
  std::string bundle, device;
  std::mutex mutex;
  std::map<std::string, KernelRequest> requests; ///< By name.
  Times own;
  std::map<std::string, Choice> choices; ///< By name of the kernel.
};

} // namespace

static void keepLess(Times &best, const Times &times) {
  for (const auto &[kernel, time] : times) {
    auto [known, isNew] = best.emplace(kernel, time);
    known->second = std::min(known->second, time);
  }
}

/// Compiles and measures a bundle; the fastest of several runs counts.
Result<Times> Tuner::measure(const Schedule &schedule) {
  CompileOptions compileOptions = options.compile;
  compileOptions.output = bundle;
  compileOptions.quiet = true;
  compileOptions.keepIR = false;
  compileOptions.schedule = [&](const KernelRequest &request) {
    {
      std::lock_guard lock(mutex);
      requests.emplace(request.name, request);
    }
    return schedule ? schedule(request) : nullptr;
  };
  QUERN_RETURN_IF_ERROR(compile(compileOptions));
  Times times;
  for (uint32_t run = 0; run != options.bench.repeat; ++run) {
    BenchOptions bench = options.bench;
    bench.open.path = bundle;
    bench.repeat = 1;
    QUERN_ASSIGN_OR_RETURN(BenchReport report, tool::measure(bench));
    if (report.profiles.empty())
      return unsupported("the device does not time single kernels");
    device = report.device;
    Times once;
    for (const ProgramProfile &profile : report.profiles)
      for (const KernelTime &kernel : groupByKernel(profile))
        once[kernel.kernel] += kernel.nanoseconds / double(kernel.count);
    keepLess(times, once);
  }
  return times;
}

Status Tuner::tryCandidate(const ScheduleCandidate &candidate) {
  QUERN_ASSIGN_OR_RETURN(TargetDescription changed,
                         changeSchedule(target, candidate.members));
  auto isMeant = [&](const KernelRequest &request) {
    return std::ranges::count(candidate.families, request.family) != 0;
  };
  // Nothing to compile if the model has no such kernel.
  if (std::ranges::none_of(requests,
                           [&](const auto &r) { return isMeant(r.second); }))
    return Status::ok();
  QUERN_ASSIGN_OR_RETURN(Times times,
                         measure([&](const KernelRequest &request) {
                           return isMeant(request) ? &changed : nullptr;
                         }));
  for (const auto &[kernel, time] : times) {
    auto request = requests.find(kernel);
    if (request == requests.end() || !isMeant(request->second))
      continue;
    auto [choice, isNew] =
        choices.emplace(kernel, Choice{{}, target, own[kernel]});
    if (time < choice->second.nanoseconds)
      choice->second = {candidate.members, changed, time};
  }
  return Status::ok();
}

/// Measures both once more, in turn, and keeps what is faster again.
Status Tuner::confirm() {
  std::erase_if(choices, [&](const auto &entry) {
    const Choice &choice = entry.second;
    return choice.members.empty() ||
           choice.nanoseconds > kWorthwhile * own[entry.first];
  });
  if (choices.empty())
    return Status::ok();
  Times tuned;
  for (int round = 0; round != 2; ++round) {
    QUERN_ASSIGN_OR_RETURN(
        Times times,
        measure([&](const KernelRequest &request) -> const TargetDescription * {
          auto found = choices.find(request.name);
          return found == choices.end() ? nullptr : &found->second.target;
        }));
    QUERN_ASSIGN_OR_RETURN(Times again, measure({}));
    keepLess(tuned, times);
    keepLess(own, again);
  }
  for (auto &[kernel, choice] : choices)
    choice.nanoseconds = tuned[kernel];
  std::erase_if(choices, [&](const auto &entry) {
    return entry.second.nanoseconds > kWorthwhile * own[entry.first];
  });
  return Status::ok();
}

std::string Tuner::print() const {
  std::string text = "{\n  \"target\": ";
  text += JsonWriter().value(target.name).getText() + ",\n  \"device\": ";
  text += JsonWriter().value(device).getText() + ",\n  \"kernels\": {";
  const char *separator = "\n    ";
  for (const auto &[kernel, choice] : choices) {
    text += separator;
    text += JsonWriter().value(describeRequest(requests.at(kernel))).getText() +
            ": " + choice.members;
    separator = ",\n    ";
  }
  return text + "\n  }\n}\n";
}

void Tuner::report() const {
  if (options.compile.quiet)
    return;
  TextTable table({{"kernel"},
                   {"us", TextTable::Align::Right},
                   {"tuned", TextTable::Align::Right},
                   {"schedule"}});
  auto format = [](double nanoseconds) {
    char text[32];
    std::snprintf(text, sizeof(text), "%.1f", nanoseconds * 1e-3);
    return std::string(text);
  };
  for (const auto &[kernel, choice] : choices)
    table.addRow({kernel, format(own.at(kernel)), format(choice.nanoseconds),
                  choice.members});
  std::fputs(table.print().c_str(), stdout);
  std::printf("%zu of %zu kernels are faster with another schedule\n",
              choices.size(), own.size());
}

Status Tuner::run() {
  QUERN_ASSIGN_OR_RETURN(target, chooseTarget(options.compile.target));
  QUERN_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::create());
  bundle = folder.getPath() + "/model.quern";
  std::vector<ScheduleCandidate> candidates = getCandidates(target);
  progress.beginPhase("measure");
  auto measureAll = [&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(own, measure({}));
    for (size_t i = 0; i != candidates.size(); ++i) {
      progress.update(i, candidates.size());
      QUERN_RETURN_IF_ERROR(tryCandidate(candidates[i]));
    }
    return confirm();
  };
  if (Status status = measureAll(); !status.isOk()) {
    progress.abandon();
    return status;
  }
  progress.finish();
  QUERN_RETURN_IF_ERROR(writeFileAtomically(options.compile.output, print()));
  report();
  return Status::ok();
}

Status tool::tune(const TuneOptions &options) {
  if (options.bench.repeat == 0 || options.compile.layers == 0)
    return invalidArgument("--repeat and --layers are at least 1");
  return Tuner(options).run();
}
