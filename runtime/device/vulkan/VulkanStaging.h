//===- VulkanStaging.h - Copies between host and device memory ---*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANSTAGING_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANSTAGING_H

#include "runtime/device/vulkan/VulkanMemory.h"

#include <array>

namespace quern::vulkan {

/// Two mapped buffers used in turn: while the device copies one, the host fills
/// or empties the other. All calls block until the copy is done.
class VulkanStaging {
public:
  static constexpr uint64_t slotBytes = uint64_t(4) << 20;

  static Result<std::unique_ptr<VulkanStaging>> create(VulkanContext &context);
  ~VulkanStaging();
  VulkanStaging(const VulkanStaging &) = delete;

  Status upload(VkBuffer buffer, uint64_t offset,
                std::span<const std::byte> data);
  Status download(VkBuffer buffer, uint64_t offset, std::span<std::byte> data);
  Status fillWithZeros(VkBuffer buffer, uint64_t size);

private:
  struct Slot {
    VulkanBuffer memory;
    VkCommandBuffer commands = VK_NULL_HANDLE;
    UniqueFence fence;
    std::span<std::byte> target; ///< Where a pending download goes.
    bool pending = false;
  };

  explicit VulkanStaging(VulkanContext &context) : context(context) {}
  /// Submits what `record(commands)` records, between barriers.
  template <typename Record> Status run(Slot &slot, Record record);
  Status finish(Slot &slot);
  Status finishAll();

  VulkanContext &context;
  std::array<Slot, 2> slots;
};

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANSTAGING_H
