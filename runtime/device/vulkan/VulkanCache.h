//===- VulkanCache.h - Compiled pipelines kept on disk -----------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANCACHE_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANCACHE_H

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace quern::vulkan {

/// $XDG_CACHE_HOME/quern or $HOME/.cache/quern, created if need be; empty when
/// there is no place to write.
std::string getCacheFolder();

/// The pipeline cache of the device with this UUID
/// (VkPhysicalDeviceProperties:: pipelineCacheUUID), or nothing when the file
/// is absent, damaged or of another device. Drivers trust this data, so it
/// carries a checksum.
std::vector<std::byte> readPipelineCache(std::span<const uint8_t> uuid);

/// Replaces the file atomically. A failure to write is not an error: the next
/// start only takes longer.
void writePipelineCache(std::span<const uint8_t> uuid,
                        std::span<const std::byte> data);

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANCACHE_H
