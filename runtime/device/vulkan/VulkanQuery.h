//===- VulkanQuery.h - What the Vulkan devices can do ------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANQUERY_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANQUERY_H

#include "runtime/device/Device.h"
#include "runtime/device/vulkan/VulkanInstance.h"

namespace quern::vulkan {

/// Features, properties and extensions of a physical device. The feature
/// structs form the pNext chain that vkCreateDevice gets, so it stays where it
/// was made.
struct FeatureQuery {
  FeatureQuery(const VulkanFunctions &functions, VkPhysicalDevice device);
  FeatureQuery(const FeatureQuery &) = delete;

  bool hasSubgroup(VkSubgroupFeatureFlags operations) const {
    return (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
           (subgroup.supportedOperations & operations) == operations;
  }
  bool hasSubgroupSizeControl() const {
    return sizeControl.subgroupSizeControl &&
           (sizeControlLimits.requiredSubgroupSizeStages &
            VK_SHADER_STAGE_COMPUTE_BIT);
  }

  VkPhysicalDeviceProperties properties{};
  VkPhysicalDeviceMemoryProperties memory{};
  uint32_t queueFamily = UINT32_MAX; ///< UINT32_MAX: no compute queue.
  uint32_t timestampBits = 0;
  bool hasTexelBuffers = false;
  bool canImport = false;
  /// Device extensions to enable, in static storage.
  std::vector<const char *> extensions;

  VkPhysicalDeviceFeatures2 core{};
  VkPhysicalDevice16BitStorageFeatures storage16{};
  VkPhysicalDevice8BitStorageFeatures storage8{};
  VkPhysicalDeviceShaderFloat16Int8Features float16Int8{};
  VkPhysicalDeviceSubgroupSizeControlFeatures sizeControl{};
  VkPhysicalDeviceShaderIntegerDotProductFeatures dotProduct{};
  VkPhysicalDeviceVulkanMemoryModelFeatures memoryModel{};
#ifdef VK_KHR_cooperative_matrix
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperativeMatrix{};
#endif

  VkPhysicalDeviceSubgroupProperties subgroup{};
  VkPhysicalDeviceMaintenance3Properties maintenance3{};
  VkPhysicalDeviceMaintenance4Properties maintenance4{};
  VkPhysicalDeviceSubgroupSizeControlProperties sizeControlLimits{};
  VkPhysicalDeviceExternalMemoryHostPropertiesEXT importLimits{};
  VkPhysicalDeviceDriverProperties driver{};

private:
  bool offers(const char *extension, uint32_t coreVersion);
  void queryExtensions(const VulkanFunctions &functions,
                       VkPhysicalDevice device);
  void queryFeatures(const VulkanFunctions &functions, VkPhysicalDevice device);
  void queryProperties(const VulkanFunctions &functions,
                       VkPhysicalDevice device);
  void queryQueues(const VulkanFunctions &functions, VkPhysicalDevice device);
  void queryBuffers(const VulkanFunctions &functions, VkPhysicalDevice device);

  std::vector<VkExtensionProperties> available;
};

struct PhysicalDevice {
  VkPhysicalDevice handle = VK_NULL_HANDLE;
  std::unique_ptr<FeatureQuery> query;
  DeviceInfo info;
};

/// Usable devices (Vulkan 1.1 with a compute queue), best first.
Result<std::vector<PhysicalDevice>>
queryDevices(const VulkanInstance &instance);

/// The index in `devices` that `wanted` means: empty, an index, or a part of a
/// name. NotFound lists the devices.
Result<size_t> selectDevice(const std::vector<PhysicalDevice> &devices,
                            const std::string &wanted);

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANQUERY_H
