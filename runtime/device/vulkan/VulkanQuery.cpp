//===- VulkanQuery.cpp - What the Vulkan devices can do -------------------===//

#include "runtime/device/vulkan/VulkanQuery.h"

#include <algorithm>
#include <cstring>

using namespace quern;
using namespace quern::vulkan;

/// External memory of the kind that VK_EXT_external_memory_host imports.
static constexpr VkExternalMemoryHandleTypeFlagBits hostAllocation =
    VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;

FeatureQuery::FeatureQuery(const VulkanFunctions &functions,
                           VkPhysicalDevice device) {
  functions.vkGetPhysicalDeviceProperties(device, &properties);
  functions.vkGetPhysicalDeviceMemoryProperties(device, &memory);
  if (properties.apiVersion < VK_API_VERSION_1_1)
    return;
  queryQueues(functions, device);
  queryExtensions(functions, device);
  queryFeatures(functions, device);
  queryProperties(functions, device);
  queryBuffers(functions, device);
}

void FeatureQuery::queryExtensions(const VulkanFunctions &functions,
                                   VkPhysicalDevice device) {
  uint32_t count = 0;
  if (functions.vkEnumerateDeviceExtensionProperties(device, nullptr, &count,
                                                     nullptr) != VK_SUCCESS)
    return;
  available.resize(count);
  if (functions.vkEnumerateDeviceExtensionProperties(
          device, nullptr, &count, available.data()) != VK_SUCCESS)
    available.clear();
}

/// Whether the device has what `extension` brings, be it as part of a core
/// version (0: none) or as the extension, which is then to be enabled.
bool FeatureQuery::offers(const char *extension, uint32_t coreVersion) {
  if (coreVersion && properties.apiVersion >= coreVersion)
    return true;
  bool found =
      std::any_of(available.begin(), available.end(), [&](const auto &e) {
        return std::strcmp(e.extensionName, extension) == 0;
      });
  bool listed =
      std::any_of(extensions.begin(), extensions.end(), [&](const char *name) {
        return std::strcmp(name, extension) == 0;
      });
  if (found && !listed)
    extensions.push_back(extension);
  return found;
}

/// Puts `link` between `head` and what follows it.
template <typename Head, typename Link>
static void chain(Head &head, Link &link, VkStructureType type) {
  link.sType = type;
  link.pNext = head.pNext;
  head.pNext = &link;
}

void FeatureQuery::queryFeatures(const VulkanFunctions &functions,
                                 VkPhysicalDevice device) {
  core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  chain(core, storage16,
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES);
  if (offers(VK_KHR_8BIT_STORAGE_EXTENSION_NAME, VK_API_VERSION_1_2))
    chain(core, storage8,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES);
  if (offers(VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME, VK_API_VERSION_1_2))
    chain(core, float16Int8,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES);
  if (offers(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, VK_API_VERSION_1_3))
    chain(core, sizeControl,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES);
  if (offers(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME,
             VK_API_VERSION_1_3))
    chain(
        core, dotProduct,
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES);
  if (offers(VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME, VK_API_VERSION_1_2))
    chain(core, memoryModel,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES);
#ifdef VK_KHR_cooperative_matrix
  if (offers(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME, 0))
    chain(core, cooperativeMatrix,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR);
#endif
  functions.vkGetPhysicalDeviceFeatures2(device, &core);
  // Of the core features enable what kernels may use and no more: bounds
  // checks (robustBufferAccess) cost time and every range is checked.
  VkPhysicalDeviceFeatures enabled{};
  enabled.shaderInt16 = core.features.shaderInt16;
  enabled.shaderInt64 = core.features.shaderInt64;
  core.features = enabled;
}

void FeatureQuery::queryProperties(const VulkanFunctions &functions,
                                   VkPhysicalDevice device) {
  VkPhysicalDeviceProperties2 all{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  chain(all, subgroup, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES);
  chain(all, maintenance3,
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
  if (offers(VK_KHR_MAINTENANCE_4_EXTENSION_NAME, VK_API_VERSION_1_3))
    chain(all, maintenance4,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES);
  if (offers(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME, VK_API_VERSION_1_3))
    chain(all, sizeControlLimits,
          VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES);
  if (offers(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME, 0))
    chain(
        all, importLimits,
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT);
  if (offers(VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME, VK_API_VERSION_1_2))
    chain(all, driver, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES);
  functions.vkGetPhysicalDeviceProperties2(device, &all);
}

void FeatureQuery::queryQueues(const VulkanFunctions &functions,
                               VkPhysicalDevice device) {
  uint32_t count = 0;
  functions.vkGetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  functions.vkGetPhysicalDeviceQueueFamilyProperties(device, &count,
                                                     families.data());
  // A family without graphics is the better one for compute.
  for (VkQueueFlags unwanted : {VkQueueFlags(VK_QUEUE_GRAPHICS_BIT), 0u})
    for (uint32_t i = 0; i != count; ++i)
      if (queueFamily == UINT32_MAX && families[i].queueCount != 0 &&
          (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) &&
          !(families[i].queueFlags & unwanted)) {
        queueFamily = i;
        timestampBits = families[i].timestampValidBits;
      }
}

void FeatureQuery::queryBuffers(const VulkanFunctions &functions,
                                VkPhysicalDevice device) {
  hasTexelBuffers = true;
  for (VkFormat format :
       {VK_FORMAT_R32G32B32A32_UINT, VK_FORMAT_R32G32B32A32_SFLOAT,
        VK_FORMAT_R32_UINT, VK_FORMAT_R32_SFLOAT}) {
    VkFormatProperties support{};
    functions.vkGetPhysicalDeviceFormatProperties(device, format, &support);
    hasTexelBuffers &= (support.bufferFeatures &
                        VK_FORMAT_FEATURE_UNIFORM_TEXEL_BUFFER_BIT) != 0;
  }
  if (importLimits.minImportedHostPointerAlignment == 0)
    return;
  VkPhysicalDeviceExternalBufferInfo info{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO};
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
               VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
               VK_BUFFER_USAGE_TRANSFER_SRC_BIT;
  info.handleType = hostAllocation;
  VkExternalBufferProperties external{
      VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
  functions.vkGetPhysicalDeviceExternalBufferProperties(device, &info,
                                                        &external);
  VkExternalMemoryFeatureFlags flags =
      external.externalMemoryProperties.externalMemoryFeatures;
  canImport = (flags & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) &&
              !(flags & VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT);
}
