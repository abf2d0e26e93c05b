//===- TargetChoice.h - Which target a compilation is for -------*- C++ -*-===//
#ifndef QUERN_TOOLS_COMPILE_TARGETCHOICE_H
#define QUERN_TOOLS_COMPILE_TARGETCHOICE_H

#include "codegen/Targets/TargetDescription.h"
#include "runtime/device/Device.h"

namespace quern {

/// The built-in target whose `devices` names the device, or the generic target
/// of its API.
Result<TargetDescription> findTargetForDevice(const DeviceInfo &device);

/// A target by its name, API or file. An API is the target of its first device
/// on this machine, else its generic target. "native" is the target of the best
/// device, GPUs before CPUs before software such as lavapipe, and the generic
/// Vulkan target if there is none. Of a CPU's variants, an API and "native"
/// keep the one that this machine would run, if any; a target or a file none,
/// unless some are named behind a colon.
Result<TargetDescription> chooseTarget(const std::string &spec);

} // namespace quern

#endif // QUERN_TOOLS_COMPILE_TARGETCHOICE_H
