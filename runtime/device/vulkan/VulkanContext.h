//===- VulkanContext.h - The opened device that all parts share --*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANCONTEXT_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANCONTEXT_H

#include "runtime/device/vulkan/VulkanQuery.h"

#include <functional>
#include <utility>

namespace quern::vulkan {

/// Owns a Vulkan object of a device and destroys it with its command.
template <typename Handle, auto Destroy> class Unique {
public:
  Unique() = default;
  Unique(const VulkanFunctions &functions, VkDevice device, Handle handle)
      : functions(&functions), device(device), handle(handle) {}
  Unique(Unique &&other) noexcept { swap(other); }
  Unique &operator=(Unique &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Unique() {
    if (handle)
      (functions->*Destroy)(device, handle, nullptr);
  }
  Handle get() const { return handle; }

private:
  void swap(Unique &other) noexcept {
    std::swap(functions, other.functions);
    std::swap(device, other.device);
    std::swap(handle, other.handle);
  }
  const VulkanFunctions *functions = nullptr;
  VkDevice device = VK_NULL_HANDLE;
  Handle handle = VK_NULL_HANDLE;
};

using F = VulkanFunctions;
using UniqueBuffer = Unique<VkBuffer, &F::vkDestroyBuffer>;
using UniqueMemory = Unique<VkDeviceMemory, &F::vkFreeMemory>;
using UniqueBufferView = Unique<VkBufferView, &F::vkDestroyBufferView>;
using UniqueFence = Unique<VkFence, &F::vkDestroyFence>;
using UniqueCommandPool = Unique<VkCommandPool, &F::vkDestroyCommandPool>;
using UniqueQueryPool = Unique<VkQueryPool, &F::vkDestroyQueryPool>;
using UniqueDescriptorPool =
    Unique<VkDescriptorPool, &F::vkDestroyDescriptorPool>;
using UniqueShaderModule = Unique<VkShaderModule, &F::vkDestroyShaderModule>;
using UniqueSetLayout =
    Unique<VkDescriptorSetLayout, &F::vkDestroyDescriptorSetLayout>;
using UniquePipelineLayout =
    Unique<VkPipelineLayout, &F::vkDestroyPipelineLayout>;
using UniquePipelineCache = Unique<VkPipelineCache, &F::vkDestroyPipelineCache>;
using UniquePipeline = Unique<VkPipeline, &F::vkDestroyPipeline>;

class VulkanContext {
public:
  /// `patch`, if any, may replace commands: the fault tests use it.
  static Result<std::unique_ptr<VulkanContext>>
  create(std::unique_ptr<VulkanInstance> instance, PhysicalDevice physical,
         const std::function<void(VulkanFunctions &)> &patch);
  ~VulkanContext();
  VulkanContext(const VulkanContext &) = delete;

  /// Ok for VK_SUCCESS; else a Status of the fitting code: "`what`: VK_...".
  /// VK_ERROR_DEVICE_LOST is remembered.
  Status check(VkResult result, std::string_view what);

  /// Ok, or DeviceLost once the device was lost.
  Status checkAlive() const;

  /// Creates an object with a command of the form vkCreateX(device, info,
  /// allocator, out).
  template <typename Handle, auto Destroy, typename Create, typename Info>
  Status create(Unique<Handle, Destroy> &out, Create command, const Info &info,
                std::string_view what) {
    Handle handle = VK_NULL_HANDLE;
    VkResult result = (functions.*command)(device, &info, nullptr, &handle);
    QUERN_RETURN_IF_ERROR(check(result, what));
    out = Unique<Handle, Destroy>(functions, device, handle);
    return Status::ok();
  }

  /// A primary command buffer of the pool, begun.
  Result<VkCommandBuffer> beginCommands();
  Status submit(VkCommandBuffer commands, VkFence fence);
  /// DeadlineExceeded after the timeout.
  Status waitForFence(VkFence fence, uint64_t timeoutNanoseconds);
  void freeCommands(VkCommandBuffer commands);

  const DeviceLimits &getLimits() const { return physical.info.limits; }

  std::unique_ptr<VulkanInstance> instance;
  PhysicalDevice physical;
  VulkanFunctions functions;
  VkDevice device = VK_NULL_HANDLE;
  VkQueue queue = VK_NULL_HANDLE;
  bool lost = false;

private:
  VulkanContext() = default;
  Status createDevice();

  UniqueCommandPool commandPool;
};

/// A barrier between everything before and everything after, for the given
/// stages and accesses.
void recordBarrier(const VulkanFunctions &functions, VkCommandBuffer commands,
                   VkPipelineStageFlags sourceStages, VkAccessFlags source,
                   VkPipelineStageFlags targetStages, VkAccessFlags target);

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANCONTEXT_H
