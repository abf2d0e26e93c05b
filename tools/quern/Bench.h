//===- Bench.h - quern bench ------------------------------------*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_BENCH_H
#define QUERN_TOOLS_QUERN_BENCH_H

#include "tools/quern/OpenModel.h"

#include <string>
#include <vector>

namespace quern::tool {

struct BenchOptions {
  OpenOptions open;
  uint32_t prefill = 128;
  uint32_t decode = 32;
  uint32_t repeat = 1; ///< The best of so many runs counts.
  bool profile = true;
  bool json = false;
  std::string trace; ///< Path of a Chrome/Perfetto trace; empty: none.
};

/// Time of one phase.
struct PhaseTime {
  uint32_t tokens = 0;
  double wallSeconds = 0;
  double cpuSeconds = 0; ///< Of all threads of the process.
  uint64_t dispatches = 0;
  uint64_t submits = 0;
};

/// One dispatch of a profiled program.
struct DispatchTime {
  std::string label, kernel;
  double nanoseconds = 0;
  uint64_t bytes = 0, flops = 0; ///< Ideal, at the program's full count.
};

struct ProgramProfile {
  std::string name;
  uint32_t tokens = 0; ///< With which it ran.
  uint32_t maxTokens = 0;
  std::vector<DispatchTime> dispatches;
};

/// All dispatches of one kernel in a program.
struct KernelTime {
  std::string kernel, label; ///< Label without layer numbers.
  uint64_t count = 0;
  double nanoseconds = 0;
  uint64_t bytes = 0, flops = 0;
};

struct BenchReport {
  std::string model, device, target;
  bool sharesHostMemory = false; ///< The device computes with the host's.
  double loadSeconds = 0;
  uint64_t deviceBytes = 0;
  PhaseTime prefill, decode;
  std::vector<ProgramProfile> profiles;
  /// Bytes per second that the host reads from memory with all its cores,
  /// measured in this run; 0 where the device is not the host.
  double readBandwidth = 0;
};

/// Loads a bundle and measures it.
Result<BenchReport> measure(const BenchOptions &options);
/// Prints what was measured.
Status bench(const BenchOptions &options);

/// Sums by kernel, longest first.
std::vector<KernelTime> groupByKernel(const ProgramProfile &profile);

std::string printReport(const BenchReport &report);
std::string printReportJson(const BenchReport &report);
/// The profiles as trace events: one process, one track per program.
std::string printTrace(const BenchReport &report);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_BENCH_H
