//===- VulkanDevice.h - Vulkan compute devices -------------------*- C++
//-*-===//
//
// Free of Vulkan headers. See VulkanFeatures.inc for the feature names.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANDEVICE_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANDEVICE_H

#include "runtime/device/Device.h"

#include <functional>

namespace quern::vulkan {

struct VulkanFunctions;
class VulkanDiagnostics;

struct VulkanOptions {
  /// Empty: the best; an index into listDevices; or a part of a name.
  std::string device;
  bool validation = false;

  /// For tests: collects what validation says, also after the device is gone.
  std::shared_ptr<VulkanDiagnostics> diagnostics;
  /// For tests: may replace commands of the opened device by failing ones.
  std::function<void(VulkanFunctions &)> patchFunctions;
};

/// NotFound without libvulkan or a fitting device.
Result<std::unique_ptr<Device>> openDevice(const VulkanOptions &options);

/// All usable devices, best first.
Result<std::vector<DeviceInfo>> listDevices();

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANDEVICE_H
