//===- VulkanLoader.cpp - The Vulkan commands, found at run time ----------===//

#include "runtime/device/vulkan/VulkanLoader.h"

#include "runtime/device/vulkan/VulkanCache.h"

#include <cstdlib>
#include <dlfcn.h>

using namespace quern;
using namespace quern::vulkan;

/// Mesa keeps compiled shaders on disk; for lavapipe that saves 65 to 175 ms
/// per kernel. A folder of our own keeps them from being evicted by others.
static void chooseMesaCache() {
  if (std::getenv("MESA_SHADER_CACHE_DIR") ||
      std::getenv("MESA_SHADER_CACHE_DISABLE"))
    return;
  std::string folder = getCacheFolder();
  if (!folder.empty())
    ::setenv("MESA_SHADER_CACHE_DIR", folder.c_str(), /*overwrite=*/0);
}

Result<VulkanFunctions> vulkan::loadVulkan() {
  static void *library = [] {
    chooseMesaCache();
    return ::dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  }();
  if (!library)
    return notFound("the Vulkan loader libvulkan.so.1 is not installed");
  VulkanFunctions functions;
  functions.vkGetInstanceProcAddr = reinterpret_cast<PFN_vkGetInstanceProcAddr>(
      ::dlsym(library, "vkGetInstanceProcAddr"));
  if (!functions.vkGetInstanceProcAddr)
    return notFound("libvulkan.so.1 has no vkGetInstanceProcAddr");
#define QUERN_VK_GLOBAL(NAME)                                                  \
  functions.NAME = reinterpret_cast<PFN_##NAME>(                               \
      functions.vkGetInstanceProcAddr(nullptr, #NAME));                        \
  if (!functions.NAME)                                                         \
    return notFound("libvulkan.so.1 is older than Vulkan 1.1: no " #NAME);
#include "runtime/device/vulkan/VulkanFunctions.inc"
  return functions;
}

Status vulkan::loadInstanceFunctions(VulkanFunctions &functions,
                                     VkInstance instance) {
#define QUERN_VK_INSTANCE_EXTENSION(NAME)                                      \
  functions.NAME = reinterpret_cast<PFN_##NAME>(                               \
      functions.vkGetInstanceProcAddr(instance, #NAME));
#define QUERN_VK_INSTANCE(NAME)                                                \
  functions.NAME = reinterpret_cast<PFN_##NAME>(                               \
      functions.vkGetInstanceProcAddr(instance, #NAME));                       \
  if (!functions.NAME)                                                         \
    return notFound("the Vulkan loader has no " #NAME);
#include "runtime/device/vulkan/VulkanFunctions.inc"
  return Status::ok();
}

Status vulkan::loadDeviceFunctions(VulkanFunctions &functions,
                                   VkDevice device) {
#define QUERN_VK_DEVICE_EXTENSION(NAME)                                        \
  functions.NAME = reinterpret_cast<PFN_##NAME>(                               \
      functions.vkGetDeviceProcAddr(device, #NAME));
#define QUERN_VK_DEVICE(NAME)                                                  \
  functions.NAME = reinterpret_cast<PFN_##NAME>(                               \
      functions.vkGetDeviceProcAddr(device, #NAME));                           \
  if (!functions.NAME)                                                         \
    return notFound("the Vulkan driver has no " #NAME);
#include "runtime/device/vulkan/VulkanFunctions.inc"
  return Status::ok();
}

std::string vulkan::getResultName(VkResult result) {
  switch (result) {
#define QUERN_RESULT(NAME)                                                     \
  case NAME:                                                                   \
    return #NAME;
    QUERN_RESULT(VK_SUCCESS)
    QUERN_RESULT(VK_TIMEOUT)
    QUERN_RESULT(VK_ERROR_OUT_OF_HOST_MEMORY)
    QUERN_RESULT(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    QUERN_RESULT(VK_ERROR_INITIALIZATION_FAILED)
    QUERN_RESULT(VK_ERROR_DEVICE_LOST)
    QUERN_RESULT(VK_ERROR_MEMORY_MAP_FAILED)
    QUERN_RESULT(VK_ERROR_LAYER_NOT_PRESENT)
    QUERN_RESULT(VK_ERROR_EXTENSION_NOT_PRESENT)
    QUERN_RESULT(VK_ERROR_FEATURE_NOT_PRESENT)
    QUERN_RESULT(VK_ERROR_INCOMPATIBLE_DRIVER)
    QUERN_RESULT(VK_ERROR_TOO_MANY_OBJECTS)
    QUERN_RESULT(VK_ERROR_FRAGMENTED_POOL)
    QUERN_RESULT(VK_ERROR_UNKNOWN)
    QUERN_RESULT(VK_ERROR_OUT_OF_POOL_MEMORY)
    QUERN_RESULT(VK_ERROR_INVALID_EXTERNAL_HANDLE)
    QUERN_RESULT(VK_ERROR_FRAGMENTATION)
    QUERN_RESULT(VK_ERROR_INVALID_SHADER_NV)
#undef QUERN_RESULT
  default:
    return "VkResult " + std::to_string(static_cast<int>(result));
  }
}
