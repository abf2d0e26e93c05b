//===- Resources.cpp - What kernels take of a GPU -------------------------===//

#include "tools/quern/Resources.h"

#include "runtime/base/FormatBytes.h"
#include "runtime/base/Json.h"
#include "runtime/bundle/Bundle.h"
#include "tools/quern/InspectCode.h"
#include "tools/quern/TextTable.h"

#include <algorithm>
#include <cstdio>
#include <map>

using namespace quern;
using namespace quern::tool;

static constexpr uint32_t warpLanes = 32;

static uint32_t roundUp(uint32_t value, uint32_t unit) {
  return (value + unit - 1) / unit * unit;
}

GpuFacts tool::readGpuFacts(std::string_view targetFile) {
  GpuFacts gpu;
  auto document = parseJson(targetFile);
  if (!document.isOk())
    return gpu;
  auto readCount = [](std::optional<JsonValue> value, uint32_t &out) {
    if (value)
      if (auto number = value->asInt64In(0, 1 << 24); number.isOk())
        out = static_cast<uint32_t>(*number);
  };
  auto readRate = [&](const char *key, double &out) {
    if (auto value = document->root().find(key))
      if (auto number = value->asDouble(); number.isOk() && *number > 0)
        out = *number;
  };
  if (auto sm = document->root().find("multiprocessor")) {
    readCount(sm->find("count"), gpu.multiprocessors);
    readCount(sm->find("registers"), gpu.registers);
    readCount(sm->find("shared_memory"), gpu.sharedMemory);
    readCount(sm->find("subgroups"), gpu.subgroups);
    readCount(sm->find("workgroups"), gpu.workgroups);
  }
  readRate("memory_bandwidth", gpu.bytesPerSecond);
  readRate("peak_flops", gpu.flopsPerSecond);
  return gpu;
}

Occupancy tool::computeOccupancy(const GpuFacts &gpu, const Launch &launch) {
  constexpr uint32_t registerUnit = 256, partitions = 4;
  constexpr uint32_t memoryUnit = 128, memoryOfDriver = 1024;
  Occupancy result;
  uint32_t warps = std::max(1u, roundUp(launch.threads, warpLanes) / warpLanes);
  result.workgroups = gpu.workgroups;
  result.limit = "workgroups";
  auto limit = [&](uint32_t count, const char *by) {
    if (count < result.workgroups) {
      result.workgroups = count;
      result.limit = by;
    }
  };
  limit(gpu.subgroups / warps, "subgroups");
  if (launch.registers != 0) {
    uint32_t perWarp = roundUp(launch.registers * warpLanes, registerUnit);
    uint32_t resident = gpu.registers / partitions / perWarp * partitions;
    limit(resident / warps, "registers");
  }
  limit(gpu.sharedMemory /
            roundUp(launch.workgroupMemory + memoryOfDriver, memoryUnit),
        "shared memory");
  if (gpu.subgroups != 0)
    result.fraction = double(result.workgroups) * warps / gpu.subgroups;
  double places = double(result.workgroups) * gpu.multiprocessors;
  if (places > 0)
    result.waves = static_cast<double>(launch.workgroups) / places;
  return result;
}

double tool::computeRoofline(const GpuFacts &gpu, uint64_t bytes,
                             uint64_t flops) {
  if (gpu.bytesPerSecond == 0 || gpu.flopsPerSecond == 0)
    return 0;
  return std::max(static_cast<double>(bytes) / gpu.bytesPerSecond,
                  static_cast<double>(flops) / gpu.flopsPerSecond);
}

static std::string format(const char *pattern, double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), pattern, value);
  return buffer;
}

/// Of each kernel a dispatch, all of which move the same, and how many.
static std::map<uint32_t, std::pair<const bundle::Dispatch *, uint32_t>>
countDispatches(const bundle::TargetPrograms &target) {
  std::map<uint32_t, std::pair<const bundle::Dispatch *, uint32_t>> counts;
  for (const bundle::Program *program : *target.programs())
    for (const bundle::Dispatch *dispatch : *program->dispatches()) {
      auto &[first, count] = counts[dispatch->kernel()];
      first = dispatch;
      ++count;
    }
  return counts;
}

static Launch describeLaunch(const bundle::Kernel &kernel,
                             const bundle::Binary &binary) {
  Launch launch;
  launch.threads = 1;
  launch.workgroups = 1;
  for (uint32_t axis = 0; axis != 3; ++axis) {
    launch.threads *= kernel.workgroup_size()->Get(axis);
    launch.workgroups *= kernel.grid()->Get(axis);
  }
  launch.registers = binary.registers();
  launch.workgroupMemory = binary.workgroup_memory();
  return launch;
}

static std::string describeArchitecture(const bundle::TargetPrograms &target,
                                        uint32_t index) {
  constexpr auto right = TextTable::Align::Right;
  const bundle::Architecture &architecture =
      *target.architectures()->Get(index);
  GpuFacts gpu = readGpuFacts(toView(architecture.description()));
  auto dispatches = countDispatches(target);
  TextTable table({{"kernel"},
                   {"registers", right},
                   {"spilled", right},
                   {"local", right},
                   {"shared", right},
                   {"occupancy", right},
                   {"limited by"},
                   {"waves", right},
                   {"dispatches", right},
                   {"bytes", right},
                   {"MFLOP", right},
                   {"roofline us", right}});
  for (uint32_t i = 0; i != target.kernels()->size(); ++i) {
    const bundle::Kernel &kernel = *target.kernels()->Get(i);
    const bundle::Binary &binary = *kernel.binaries()->Get(index);
    auto [dispatch, count] = dispatches[i];
    uint64_t bytes = dispatch ? dispatch->bytes() : 0;
    uint64_t flops = dispatch ? dispatch->flops() : 0;
    Occupancy occupancy = computeOccupancy(gpu, describeLaunch(kernel, binary));
    double seconds = computeRoofline(gpu, bytes, flops);
    bool isKnown = gpu.subgroups != 0;
    table.addRow(
        {std::string(toView(kernel.name())), std::to_string(binary.registers()),
         std::to_string(binary.spill_stores()) + "/" +
             std::to_string(binary.spill_loads()),
         std::to_string(binary.local_memory()),
         formatShortBytes(binary.workgroup_memory()),
         isKnown ? format("%.0f %%", 100 * occupancy.fraction) : "-",
         isKnown ? occupancy.limit : "-",
         isKnown ? format("%.2f", occupancy.waves) : "-", std::to_string(count),
         formatShortBytes(bytes), format("%.3f", double(flops) / 1e6),
         seconds > 0 ? format("%.2f", 1e6 * seconds) : "-"});
  }
  return std::string(toView(architecture.name())) + ": " +
         format("%.0f GB/s, ", gpu.bytesPerSecond / 1e9) +
         format("%.1f TFLOP/s\n", gpu.flopsPerSecond / 1e12) + table.print();
}

Result<std::string> tool::describeResources(const Bundle &bundle,
                                            uint32_t target) {
  const bundle::TargetPrograms &programs = bundle.getTarget(target);
  const auto *architectures = programs.architectures();
  std::string tables;
  for (uint32_t i = 0; architectures && i != architectures->size(); ++i)
    if (hasCubins(*architectures->Get(i)))
      tables += "\n" + describeArchitecture(programs, i);
  if (tables.empty())
    return notFound(bundle.getName() +
                    ": no code for an architecture; compile for a CUDA target "
                    "where ptxas is installed");
  return "Full size of each program: registers of a thread, bytes "
         "of a thread spilled (written/read) and local, bytes of a "
         "workgroup shared\n" +
         tables;
}
