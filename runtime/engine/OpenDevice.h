//===- OpenDevice.h - A device for a bundle ----------------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_ENGINE_OPENDEVICE_H
#define QUERN_RUNTIME_ENGINE_OPENDEVICE_H

#include "runtime/bundle/Bundle.h"
#include "runtime/device/DeviceRegistry.h"

namespace quern {

/// Opens the device that the options name. Without an API in them: the first
/// that runs a target of the bundle, in the order of its targets (only the one
/// called `target`, if that is not empty). If none does, the first of these
/// APIs, else the best device of the machine, so that loading the bundle says
/// why.
Result<std::unique_ptr<Device>> openDeviceFor(const Bundle &bundle,
                                              const DeviceOptions &options,
                                              std::string_view target);

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_OPENDEVICE_H
