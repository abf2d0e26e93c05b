//===- VulkanKernel.h - Compute pipelines ------------------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANKERNEL_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANKERNEL_H

#include "runtime/device/vulkan/VulkanContext.h"

namespace quern::vulkan {

struct VulkanKernel {
  KernelDescription desc; ///< Without the code.
  UniqueSetLayout setLayout;
  UniquePipelineLayout layout;
  UniquePipeline pipeline;
};

/// Argument i becomes binding i of set 0: a storage buffer or a uniform texel
/// buffer. Corrupt when the code is no SPIR-V. `cache` may be null.
Result<VulkanKernel> createKernel(VulkanContext &context,
                                  const KernelDescription &desc,
                                  VkPipelineCache cache);

VkDescriptorType getDescriptorType(ArgumentAccess access);

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANKERNEL_H
