//===- CPUInfo.cpp - What is known of this machine's CPU ------------------===//

#include "runtime/device/cpu/CPUInfo.h"

#include <algorithm>
#include <fstream>
#include <sched.h>
#include <thread>
#include <unistd.h>

using namespace quern;

static std::string readModelName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0)
      if (size_t colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return "CPU";
}

unsigned quern::cpu::countCores() {
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof(cores), &cores) == 0)
    return unsigned(std::max(1, CPU_COUNT(&cores)));
  return std::max(1u, std::thread::hardware_concurrency());
}

DeviceInfo quern::cpu::describeCPU() {
  DeviceInfo info;
  info.api = "cpu";
  info.apiVersion = "1";
  info.name = readModelName();
  info.sharesHostMemory = true;
  uint32_t lanes = 4;
#if defined(__x86_64__)
  __builtin_cpu_init();
  info.driver = "x86-64";
  if (__builtin_cpu_supports("x86-64-v3")) {
    info.features.push_back("x86-64-v3");
    lanes = 8;
  }
  if (__builtin_cpu_supports("x86-64-v4")) {
    info.features.push_back("x86-64-v4");
    lanes = 16;
  }
#elif defined(__aarch64__)
  info.driver = "aarch64";
#endif
  if (!info.features.empty())
    info.driver = info.features.back();

  DeviceLimits &limits = info.limits;
  uint64_t page = uint64_t(::sysconf(_SC_PAGESIZE));
  limits.memoryBytes = uint64_t(::sysconf(_SC_PHYS_PAGES)) * page;
  limits.maxAllocationBytes = limits.memoryBytes;
  limits.maxStorageBufferBytes = uint64_t(1) << 40;
  limits.maxTexelElements = uint64_t(1) << 38;
  limits.bindingAlignment = 64;
  limits.maxWorkgroupSize = 1024;
  limits.maxWorkgroupShape = {1024, 1024, 1024};
  // On the stack of each thread.
  limits.maxWorkgroupMemory = 1u << 18;
  limits.maxGrid = {UINT32_MAX, 65535, 65535};
  limits.maxStorageArguments = 64;
  limits.maxTexelArguments = 64;
  // Code of fewer lanes runs as well.
  limits.subgroupSize = lanes;
  limits.minSubgroupSize = std::min(lanes, 8u);
  limits.maxSubgroupSize = lanes;
  limits.importAlignment = uint32_t(page);
  return info;
}
