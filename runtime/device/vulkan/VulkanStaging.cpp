//===- VulkanStaging.cpp - Copies between host and device memory ----------===//

#include "runtime/device/vulkan/VulkanStaging.h"

#include <cstring>

using namespace quern;
using namespace quern::vulkan;

/// A copy of one slot takes milliseconds; after this long the device hangs.
static constexpr uint64_t copyTimeoutNanoseconds = 60'000'000'000;

Result<std::unique_ptr<VulkanStaging>>
VulkanStaging::create(VulkanContext &context) {
  std::unique_ptr<VulkanStaging> staging(new VulkanStaging(context));
  for (Slot &slot : staging->slots) {
    QUERN_ASSIGN_OR_RETURN(
        slot.memory,
        allocateBuffer(context, slotBytes, MemoryKind::HostVisible));
    VkFenceCreateInfo info{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    QUERN_RETURN_IF_ERROR(context.create(slot.fence, &F::vkCreateFence, info,
                                         "can't create a fence"));
    QUERN_ASSIGN_OR_RETURN(slot.commands, context.beginCommands());
    QUERN_RETURN_IF_ERROR(
        context.check(context.functions.vkEndCommandBuffer(slot.commands),
                      "can't record a copy"));
  }
  return staging;
}

VulkanStaging::~VulkanStaging() {
  for (Slot &slot : slots)
    context.freeCommands(slot.commands);
}

template <typename Record>
Status VulkanStaging::run(Slot &slot, Record record) {
  const VulkanFunctions &functions = context.functions;
  VkCommandBufferBeginInfo begin{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  begin.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  QUERN_RETURN_IF_ERROR(
      context.check(functions.vkBeginCommandBuffer(slot.commands, &begin),
                    "can't record a copy"));
  recordBarrier(functions, slot.commands,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT |
                    VK_PIPELINE_STAGE_TRANSFER_BIT,
                VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                VK_PIPELINE_STAGE_TRANSFER_BIT,
                VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
  record(slot.commands);
  recordBarrier(functions, slot.commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
                VK_ACCESS_HOST_READ_BIT);
  QUERN_RETURN_IF_ERROR(context.check(
      functions.vkEndCommandBuffer(slot.commands), "can't record a copy"));
  QUERN_RETURN_IF_ERROR(context.submit(slot.commands, slot.fence.get()));
  slot.pending = true;
  return Status::ok();
}

Status VulkanStaging::finish(Slot &slot) {
  if (!slot.pending)
    return Status::ok();
  QUERN_RETURN_IF_ERROR(
      context.waitForFence(slot.fence.get(), copyTimeoutNanoseconds)
          .withContext("copy"));
  slot.pending = false;
  if (!slot.target.empty())
    std::memcpy(slot.target.data(), slot.memory.mapped, slot.target.size());
  slot.target = {};
  return Status::ok();
}

Status VulkanStaging::finishAll() {
  Status first;
  for (Slot &slot : slots)
    if (Status status = finish(slot); first.isOk())
      first = std::move(status);
  return first;
}

Status VulkanStaging::upload(VkBuffer buffer, uint64_t offset,
                             std::span<const std::byte> data) {
  Status status;
  for (size_t turn = 0; !data.empty() && status.isOk(); ++turn) {
    Slot &slot = slots[turn % slots.size()];
    if (status = finish(slot); !status.isOk())
      break;
    size_t size = std::min<size_t>(data.size(), slotBytes);
    std::memcpy(slot.memory.mapped, data.data(), size);
    VkBufferCopy copy{0, offset, size};
    status = run(slot, [&](VkCommandBuffer commands) {
      context.functions.vkCmdCopyBuffer(
          commands, slot.memory.windows[0].buffer.get(), buffer, 1, &copy);
    });
    data = data.subspan(size);
    offset += size;
  }
  Status last = finishAll();
  return status.isOk() ? last : status;
}

Status VulkanStaging::download(VkBuffer buffer, uint64_t offset,
                               std::span<std::byte> data) {
  Status status;
  for (size_t turn = 0; !data.empty() && status.isOk(); ++turn) {
    Slot &slot = slots[turn % slots.size()];
    if (status = finish(slot); !status.isOk())
      break;
    size_t size = std::min<size_t>(data.size(), slotBytes);
    VkBufferCopy copy{offset, 0, size};
    status = run(slot, [&](VkCommandBuffer commands) {
      context.functions.vkCmdCopyBuffer(
          commands, buffer, slot.memory.windows[0].buffer.get(), 1, &copy);
    });
    if (status.isOk())
      slot.target = data.first(size);
    data = data.subspan(size);
    offset += size;
  }
  Status last = finishAll();
  return status.isOk() ? last : status;
}

Status VulkanStaging::fillWithZeros(VkBuffer buffer, uint64_t size) {
  QUERN_RETURN_IF_ERROR(run(slots[0], [&](VkCommandBuffer commands) {
    context.functions.vkCmdFillBuffer(commands, buffer, 0, size, 0);
  }));
  return finishAll();
}
