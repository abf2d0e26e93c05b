//===- VulkanContext.cpp - The opened device that all parts share ---------===//

#include "runtime/device/vulkan/VulkanContext.h"

using namespace quern;
using namespace quern::vulkan;

Result<std::unique_ptr<VulkanContext>>
VulkanContext::create(std::unique_ptr<VulkanInstance> instance,
                      PhysicalDevice physical,
                      const std::function<void(VulkanFunctions &)> &patch) {
  std::unique_ptr<VulkanContext> context(new VulkanContext);
  context->functions = instance->functions;
  context->instance = std::move(instance);
  context->physical = std::move(physical);
  QUERN_RETURN_IF_ERROR(context->createDevice());
  if (patch)
    patch(context->functions);
  VkCommandPoolCreateInfo info{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  info.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  info.queueFamilyIndex = context->physical.query->queueFamily;
  QUERN_RETURN_IF_ERROR(context->create(context->commandPool,
                                        &F::vkCreateCommandPool, info,
                                        "can't create a command pool"));
  return context;
}

Status VulkanContext::createDevice() {
  const FeatureQuery &query = *physical.query;
  float priority = 1;
  VkDeviceQueueCreateInfo queueInfo{VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO};
  queueInfo.queueFamilyIndex = query.queueFamily;
  queueInfo.queueCount = 1;
  queueInfo.pQueuePriorities = &priority;
  VkDeviceCreateInfo info{VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO};
  info.pNext = &query.core;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queueInfo;
  info.enabledExtensionCount = static_cast<uint32_t>(query.extensions.size());
  info.ppEnabledExtensionNames = query.extensions.data();
  QUERN_RETURN_IF_ERROR(
      check(functions.vkCreateDevice(physical.handle, &info, nullptr, &device),
            "can't open Vulkan device '" + physical.info.name + "'"));
  QUERN_RETURN_IF_ERROR(loadDeviceFunctions(functions, device));
  functions.vkGetDeviceQueue(device, query.queueFamily, 0, &queue);
  return Status::ok();
}

VulkanContext::~VulkanContext() {
  commandPool = {};
  if (device && functions.vkDestroyDevice)
    functions.vkDestroyDevice(device, nullptr);
}

Status VulkanContext::check(VkResult result, std::string_view what) {
  if (result == VK_SUCCESS)
    return Status::ok();
  std::string text = std::string(what) + ": " + getResultName(result);
  switch (result) {
  case VK_ERROR_DEVICE_LOST:
    lost = true;
    return Status(StatusCode::DeviceLost, std::move(text));
  case VK_ERROR_OUT_OF_HOST_MEMORY:
  case VK_ERROR_OUT_OF_DEVICE_MEMORY:
  case VK_ERROR_OUT_OF_POOL_MEMORY:
  case VK_ERROR_FRAGMENTATION:
  case VK_ERROR_FRAGMENTED_POOL:
  case VK_ERROR_TOO_MANY_OBJECTS:
    return resourceExhausted(std::move(text));
  default:
    return deviceError(std::move(text));
  }
}

Status VulkanContext::checkAlive() const {
  if (!lost)
    return Status::ok();
  return Status(StatusCode::DeviceLost,
                "Vulkan device '" + physical.info.name + "' was lost");
}

Result<VkCommandBuffer> VulkanContext::beginCommands() {
  VkCommandBufferAllocateInfo info{
      VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
  info.commandPool = commandPool.get();
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  QUERN_RETURN_IF_ERROR(
      check(functions.vkAllocateCommandBuffers(device, &info, &commands),
            "can't allocate a command buffer"));
  VkCommandBufferBeginInfo begin{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  Status status = check(functions.vkBeginCommandBuffer(commands, &begin),
                        "can't begin a command buffer");
  if (!status.isOk()) {
    freeCommands(commands);
    return status;
  }
  return commands;
}

void VulkanContext::freeCommands(VkCommandBuffer commands) {
  if (commands)
    functions.vkFreeCommandBuffers(device, commandPool.get(), 1, &commands);
}

Status VulkanContext::submit(VkCommandBuffer commands, VkFence fence) {
  QUERN_RETURN_IF_ERROR(
      check(functions.vkResetFences(device, 1, &fence), "can't reset a fence"));
  VkSubmitInfo info{VK_STRUCTURE_TYPE_SUBMIT_INFO};
  info.commandBufferCount = 1;
  info.pCommandBuffers = &commands;
  return check(functions.vkQueueSubmit(queue, 1, &info, fence),
               "can't submit to the device");
}

Status VulkanContext::waitForFence(VkFence fence, uint64_t timeoutNanoseconds) {
  VkResult result =
      functions.vkWaitForFences(device, 1, &fence, VK_TRUE, timeoutNanoseconds);
  if (result == VK_TIMEOUT)
    return Status(StatusCode::DeadlineExceeded,
                  "the run did not finish within " +
                      std::to_string(timeoutNanoseconds) + " ns");
  if (result == VK_SUCCESS)
    return Status::ok();
  return check(result, "can't wait for the device");
}

void vulkan::recordBarrier(const VulkanFunctions &functions,
                           VkCommandBuffer commands,
                           VkPipelineStageFlags sourceStages,
                           VkAccessFlags source,
                           VkPipelineStageFlags targetStages,
                           VkAccessFlags target) {
  VkMemoryBarrier barrier{VK_STRUCTURE_TYPE_MEMORY_BARRIER};
  barrier.srcAccessMask = source;
  barrier.dstAccessMask = target;
  functions.vkCmdPipelineBarrier(commands, sourceStages, targetStages, 0, 1,
                                 &barrier, 0, nullptr, 0, nullptr);
}
