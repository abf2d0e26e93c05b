//===- VulkanSelect.cpp - Describing and choosing Vulkan devices ----------===//

#include "runtime/device/vulkan/VulkanQuery.h"

#include <algorithm>
#include <charconv>

using namespace quern;
using namespace quern::vulkan;

static std::string formatVersion(uint32_t version) {
  return std::to_string(VK_API_VERSION_MAJOR(version)) + "." +
         std::to_string(VK_API_VERSION_MINOR(version)) + "." +
         std::to_string(VK_API_VERSION_PATCH(version));
}

/// The largest device-local heap.
static uint64_t getMemoryBytes(const VkPhysicalDeviceMemoryProperties &memory) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i != memory.memoryHeapCount; ++i)
    if (memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      bytes = std::max<uint64_t>(bytes, memory.memoryHeaps[i].size);
  return bytes;
}

static DeviceLimits makeLimits(const FeatureQuery &q) {
  const VkPhysicalDeviceLimits &from = q.properties.limits;
  DeviceLimits limits;
  limits.memoryBytes = getMemoryBytes(q.memory);
  limits.maxAllocationBytes = q.maintenance3.maxMemoryAllocationSize;
  if (q.maintenance4.maxBufferSize)
    limits.maxAllocationBytes = std::min<uint64_t>(
        limits.maxAllocationBytes, q.maintenance4.maxBufferSize);
  limits.maxStorageBufferBytes = from.maxStorageBufferRange;
  limits.maxTexelElements = q.hasTexelBuffers ? from.maxTexelBufferElements : 0;
  limits.bindingAlignment = static_cast<uint32_t>(
      std::max({from.minStorageBufferOffsetAlignment,
                from.minTexelBufferOffsetAlignment, VkDeviceSize(4)}));
  limits.maxWorkgroupSize = from.maxComputeWorkGroupInvocations;
  limits.maxWorkgroupMemory = from.maxComputeSharedMemorySize;
  std::copy_n(from.maxComputeWorkGroupSize, 3,
              limits.maxWorkgroupShape.begin());
  std::copy_n(from.maxComputeWorkGroupCount, 3, limits.maxGrid.begin());
  limits.maxStorageArguments =
      std::min(from.maxPerStageDescriptorStorageBuffers,
               from.maxDescriptorSetStorageBuffers);
  limits.maxTexelArguments = std::min(from.maxPerStageDescriptorSampledImages,
                                      from.maxDescriptorSetSampledImages);
  limits.subgroupSize = q.subgroup.subgroupSize;
  limits.minSubgroupSize = limits.maxSubgroupSize = limits.subgroupSize;
  if (q.hasSubgroupSizeControl()) {
    limits.minSubgroupSize = q.sizeControlLimits.minSubgroupSize;
    limits.maxSubgroupSize = q.sizeControlLimits.maxSubgroupSize;
  }
  if (q.canImport)
    limits.importAlignment =
        static_cast<uint32_t>(q.importLimits.minImportedHostPointerAlignment);
  return limits;
}

static DeviceInfo makeInfo(const FeatureQuery &q) {
  DeviceInfo info;
  info.api = "vulkan";
  info.apiVersion = formatVersion(q.properties.apiVersion);
  info.name = q.properties.deviceName;
  info.driver = q.driver.driverName;
  if (q.driver.driverInfo[0])
    info.driver += std::string(" ") + q.driver.driverInfo;
  info.isSoftware = q.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
  info.sharesHostMemory =
      info.isSoftware ||
      q.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
  info.limits = makeLimits(q);
#define QUERN_VULKAN_FEATURE(NAME, CONDITION)                                  \
  if (CONDITION)                                                               \
    info.features.push_back(NAME);
#include "runtime/device/vulkan/VulkanFeatures.inc"
  return info;
}

/// Smaller is better.
static int rankType(VkPhysicalDeviceType type) {
  switch (type) {
  case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    return 0;
  case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    return 1;
  case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
    return 2;
  case VK_PHYSICAL_DEVICE_TYPE_CPU:
    return 3;
  default:
    return 4;
  }
}

Result<std::vector<PhysicalDevice>>
vulkan::queryDevices(const VulkanInstance &instance) {
  const VulkanFunctions &functions = instance.functions;
  uint32_t count = 0;
  VkResult result =
      functions.vkEnumeratePhysicalDevices(instance.handle, &count, nullptr);
  std::vector<VkPhysicalDevice> handles(count);
  if (result == VK_SUCCESS && count != 0)
    result = functions.vkEnumeratePhysicalDevices(instance.handle, &count,
                                                  handles.data());
  if (result < 0)
    return deviceError("can't list Vulkan devices: " + getResultName(result));
  handles.resize(count);

  std::vector<PhysicalDevice> devices;
  for (VkPhysicalDevice handle : handles) {
    PhysicalDevice device;
    device.handle = handle;
    device.query = std::make_unique<FeatureQuery>(functions, handle);
    if (device.query->properties.apiVersion < VK_API_VERSION_1_1 ||
        device.query->queueFamily == UINT32_MAX)
      continue;
    device.info = makeInfo(*device.query);
    devices.push_back(std::move(device));
  }
  std::stable_sort(devices.begin(), devices.end(),
                   [](const PhysicalDevice &a, const PhysicalDevice &b) {
                     return rankType(a.query->properties.deviceType) <
                            rankType(b.query->properties.deviceType);
                   });
  return devices;
}

static std::string toLower(std::string text) {
  for (char &c : text)
    if (c >= 'A' && c <= 'Z')
      c += 'a' - 'A';
  return text;
}

Result<size_t> vulkan::selectDevice(const std::vector<PhysicalDevice> &devices,
                                    const std::string &wanted) {
  if (devices.empty())
    return notFound("no Vulkan device with Vulkan 1.1 and a compute queue");
  if (wanted.empty())
    return size_t(0);
  size_t index = 0;
  auto [end, error] =
      std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
  bool isIndex = error == std::errc() && end == wanted.data() + wanted.size();
  if (isIndex && index < devices.size())
    return index;
  std::string list;
  for (size_t i = 0; i != devices.size(); ++i) {
    const std::string &name = devices[i].info.name;
    if (!isIndex && toLower(name).find(toLower(wanted)) != std::string::npos)
      return i;
    list += (i ? ", " : "") + std::to_string(i) + " '" + name + "'";
  }
  return notFound("no Vulkan device '" + wanted + "', found: " + list);
}
