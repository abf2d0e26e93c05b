//===- CPUInfo.cpp - What is known of this machine's CPU ------------------===//

#include "runtime/device/cpu/CPUInfo.h"

#include "runtime/device/cpu/CPUFeatures.h"

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

std::vector<unsigned> quern::cpu::listCores() {
  std::vector<unsigned> list;
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof(cores), &cores) == 0)
    for (unsigned core = 0; core != CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &cores))
        list.push_back(core);
  return list;
}

unsigned quern::cpu::countCores() {
  if (size_t count = listCores().size())
    return unsigned(count);
  return std::max(1u, std::thread::hardware_concurrency());
}

DeviceInfo quern::cpu::describeCPU() {
  DeviceInfo info;
  info.api = "cpu";
  info.apiVersion = "1";
  info.name = readModelName();
  info.sharesHostMemory = true;
#if defined(__x86_64__)
  info.driver = "x86-64";
#elif defined(__aarch64__)
  info.driver = "aarch64";
#endif
  info.features = detectFeatures();
  for (const std::string &feature : info.features)
    info.driver += (&feature == &info.features.front() ? ": " : ", ") + feature;

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
  limits.maxWorkgroupMemory = 1u << 20;
  limits.maxGrid = {UINT32_MAX, 65535, 65535};
  limits.maxStorageArguments = 64;
  limits.maxTexelArguments = 64;
  // Code names the instructions that it needs; its lanes are its own matter.
  // Words of the widest registers:
  limits.subgroupSize = info.hasFeature("x86-64-v4") ? 16 : 8;
  limits.minSubgroupSize = 4;
  limits.maxSubgroupSize = 64;
  limits.importAlignment = uint32_t(page);
  return info;
}
