//===- TargetSelection.h - Which target set runs on a device ----*- C++ -*-===//
#ifndef QUERN_RUNTIME_ENGINE_TARGETSELECTION_H
#define QUERN_RUNTIME_ENGINE_TARGETSELECTION_H

#include "runtime/base/Status.h"
#include "runtime/bundle/Manifest.h"
#include "runtime/device/Device.h"

#include <optional>
#include <string_view>

namespace quern {

/// Ok if the device runs what was compiled for the target: same API, at least
/// its version, every required feature, its subgroup size. Unsupported with
/// the first reason otherwise. The null device runs no code and takes any API.
Status checkTarget(const bundle::TargetPrograms &target,
                   const DeviceInfo &device);

/// The index of the first target that the device runs, or of the one called
/// `name` if that is not empty.
Result<uint32_t> selectTarget(const bundle::Manifest &manifest,
                              const DeviceInfo &device, std::string_view name);

/// The architecture whose binaries the device runs: the first of which it has
/// all features. Nothing: the code that runs on all is to be taken.
std::optional<uint32_t> selectArchitecture(const bundle::TargetPrograms &target,
                                           const DeviceInfo &device);

/// What one model needs of a device's memory, in bytes.
struct MemoryNeed {
  uint64_t keyValueCache = 0;
  uint64_t otherStates = 0;
  uint64_t temporaries = 0;   ///< Arena and step block.
  uint64_t copiedWeights = 0; ///< 0 where the device imports them.
};

/// Sums up the sizes of a verified manifest.
MemoryNeed computeMemoryNeed(const bundle::Manifest &manifest,
                             const bundle::TargetPrograms &target,
                             uint64_t copiedWeightBytes);

/// ResourceExhausted, with the numbers, if the device has less memory or
/// allows smaller buffers.
Status checkMemory(const MemoryNeed &need, const bundle::Manifest &manifest,
                   const DeviceInfo &device);

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_TARGETSELECTION_H
