//===- VulkanInstance.h - An instance and its validation log -----*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANINSTANCE_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANINSTANCE_H

#include "runtime/device/vulkan/VulkanLoader.h"

#include <memory>
#include <mutex>
#include <vector>

namespace quern::vulkan {

/// What the validation layer complained about (errors and warnings of kind
/// validation). Thread-safe: drivers may call back from their own threads.
/// Outlives the instance, so that leaks found at its end are seen too.
class VulkanDiagnostics {
public:
  void add(std::string message);
  uint64_t getCount() const;
  /// Ok, or Internal with the first message and how many there are.
  Status check() const;

private:
  mutable std::mutex mutex;
  uint64_t count = 0;
  std::string first;
};

class VulkanInstance {
public:
  /// Unsupported when `validation` is asked for and the layer is missing.
  static Result<std::unique_ptr<VulkanInstance>>
  create(bool validation, std::shared_ptr<VulkanDiagnostics> diagnostics);
  ~VulkanInstance();
  VulkanInstance(const VulkanInstance &) = delete;

  VulkanFunctions functions;
  VkInstance handle = VK_NULL_HANDLE;
  uint32_t apiVersion = 0; ///< That we asked for, at most 1.3.
  std::shared_ptr<VulkanDiagnostics> diagnostics;

private:
  VulkanInstance() = default;
  VkDebugUtilsMessengerEXT messenger = VK_NULL_HANDLE;
};

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANINSTANCE_H
