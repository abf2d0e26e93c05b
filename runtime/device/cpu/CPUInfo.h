//===- CPUInfo.h - What is known of this machine's CPU -----------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_CPU_CPUINFO_H
#define QUERN_RUNTIME_DEVICE_CPU_CPUINFO_H

#include "runtime/device/Device.h"

namespace quern::cpu {

/// The description of the CPU as a device. The driver is the
/// architecture with its features.
DeviceInfo describeCPU();

/// Cores that this process may use, in the order of their numbers; empty if the
/// system does not say.
std::vector<unsigned> listCores();

/// How many they are; at least 1.
unsigned countCores();

} // namespace quern::cpu

#endif // QUERN_RUNTIME_DEVICE_CPU_CPUINFO_H
