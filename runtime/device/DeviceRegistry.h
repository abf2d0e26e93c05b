//===- DeviceRegistry.h - Finding and opening devices ------------*- C++
//-*-===//
//
// The list of device APIs is runtime/device/DeviceApis.inc.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_DEVICEREGISTRY_H
#define QUERN_RUNTIME_DEVICE_DEVICEREGISTRY_H

#include "runtime/device/Device.h"

namespace quern {

struct DeviceOptions {
  /// "vulkan", "cuda", "cpu", "null", or empty: the first API that has a
  /// device. The null device is opened only by name.
  std::string api;
  /// Which device of the API: empty for the best (discrete, then integrated,
  /// virtual, CPU), an index into listDevices, or a part of its name (case is
  /// ignored). For Vulkan and CUDA, empty means what QUERN_VULKAN_DEVICE or
  /// QUERN_CUDA_DEVICE says, if set.
  std::string device;
  /// Ask the API's validation layer to check every call; its complaints come
  /// out of Device::checkDiagnostics. Also on with QUERN_VALIDATION=1.
  bool validation = false;
  /// Threads of the CPU device; 0: one for each core of the process.
  uint32_t threads = 0;
  /// Keep each of them on a core of its own, in the order of the cores that the
  /// process has; the first is the thread that opens the device.
  bool pinThreads = false;
};

struct DeviceListing {
  /// Best first within an API. `api` and the position among that API's
  /// devices are what DeviceOptions selects by.
  std::vector<DeviceInfo> devices;
  /// Why an API has no devices, one line each: "vulkan: ...".
  std::vector<std::string> notes;
};

/// NotFound when no device matches (the message lists what there is);
/// Unsupported for an unknown API or a missing validation layer.
Result<std::unique_ptr<Device>> openDevice(const DeviceOptions &options);

/// All devices except the null device. Opens none of them for use.
DeviceListing listDevices();

} // namespace quern

#endif // QUERN_RUNTIME_DEVICE_DEVICEREGISTRY_H
