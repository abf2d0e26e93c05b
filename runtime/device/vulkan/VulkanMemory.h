//===- VulkanMemory.h - Buffers and imported host memory ---------*- C++
//-*-===//
//
// Imported memory may be larger than what the device imports at once
// (2 GiB on lavapipe). It is therefore imported in windows, made when a program
// that reads them is recorded: a binding that no window contains gets a new
// window that starts at its page and is as long as the device allows, so that
// the bindings after it find it. Windows may overlap; a binding never straddles
// two.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANMEMORY_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANMEMORY_H

#include "runtime/device/vulkan/VulkanContext.h"

namespace quern::vulkan {

/// A VkBuffer with its memory: bytes [begin, begin + size) of a VulkanBuffer.
struct Window {
  UniqueMemory memory;
  UniqueBuffer buffer;
  uint64_t begin = 0;
  uint64_t size = 0;
};

struct VulkanBuffer {
  uint64_t size = 0;
  MemoryKind kind = MemoryKind::DeviceLocal;
  std::byte *mapped = nullptr;         ///< Of HostVisible memory.
  const std::byte *imported = nullptr; ///< Of imported memory.
  std::vector<Window> windows;         ///< One unless imported.
};

/// Where a range of a VulkanBuffer lies.
struct BoundRange {
  VkBuffer buffer = VK_NULL_HANDLE;
  VkDeviceSize offset = 0;
};

/// HostVisible memory comes zeroed; DeviceLocal memory is left to the caller
/// to fill. Sizes are padded to 256 bytes.
Result<VulkanBuffer> allocateBuffer(VulkanContext &context, uint64_t size,
                                    MemoryKind kind);

/// Imports the first window. Unsupported when the driver refuses.
Result<VulkanBuffer> importBuffer(VulkanContext &context, const void *data,
                                  uint64_t size);

/// The window that contains the range, imported now if need be.
Result<BoundRange> bindRange(VulkanContext &context, VulkanBuffer &buffer,
                             uint64_t offset, uint64_t size);

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANMEMORY_H
