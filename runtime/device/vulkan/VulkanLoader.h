//===- VulkanLoader.h - The Vulkan commands, found at run time ---*- C++
//-*-===//
//
// libvulkan is opened with dlopen, so that the runtime starts without it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANLOADER_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANLOADER_H

#include "runtime/base/Status.h"

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

namespace quern::vulkan {

/// One table per device: device commands bypass the loader's dispatch.
struct VulkanFunctions {
  PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr = nullptr;
#define QUERN_VK_GLOBAL(NAME) PFN_##NAME NAME = nullptr;
#define QUERN_VK_INSTANCE(NAME) PFN_##NAME NAME = nullptr;
#define QUERN_VK_INSTANCE_EXTENSION(NAME) PFN_##NAME NAME = nullptr;
#define QUERN_VK_DEVICE(NAME) PFN_##NAME NAME = nullptr;
#define QUERN_VK_DEVICE_EXTENSION(NAME) PFN_##NAME NAME = nullptr;
#include "runtime/device/vulkan/VulkanFunctions.inc"
};

/// Opens libvulkan (it stays open: drivers don't survive dlclose) and finds the
/// global commands. Before that, points the driver's shader cache at
/// $XDG_CACHE_HOME/quern unless the user chose a place; this sets environment
/// variables, so no other thread may read the environment meanwhile.
Result<VulkanFunctions> loadVulkan();

Status loadInstanceFunctions(VulkanFunctions &functions, VkInstance instance);
Status loadDeviceFunctions(VulkanFunctions &functions, VkDevice device);

/// "VK_ERROR_DEVICE_LOST"; "VkResult -17" for rare ones.
std::string getResultName(VkResult result);

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANLOADER_H
