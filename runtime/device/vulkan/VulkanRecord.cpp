//===- VulkanRecord.cpp - The commands of a program -----------------------===//

#include "runtime/device/vulkan/VulkanProgram.h"

using namespace quern;
using namespace quern::vulkan;

/// Makes what earlier submissions and the host wrote visible to the program.
static void recordEntry(const VulkanFunctions &functions,
                        VkCommandBuffer commands) {
  recordBarrier(functions, commands,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT |
                    VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT,
                VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT |
                    VK_ACCESS_HOST_WRITE_BIT,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT |
                    VK_PIPELINE_STAGE_DRAW_INDIRECT_BIT,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                    VK_ACCESS_INDIRECT_COMMAND_READ_BIT);
}

/// Makes what the program wrote visible to the host.
static void recordExit(const VulkanFunctions &functions,
                       VkCommandBuffer commands) {
  recordBarrier(functions, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
                VK_ACCESS_HOST_READ_BIT);
}

static void recordComputeBarrier(const VulkanFunctions &functions,
                                 VkCommandBuffer commands) {
  recordBarrier(functions, commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                VK_ACCESS_SHADER_WRITE_BIT,
                VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
}

Result<VulkanProgram::CommandsOwner>
VulkanProgram::recordCommands(const KernelTable &kernels,
                              VkQueryPool timestamps) {
  const VulkanFunctions &functions = context->functions;
  QUERN_ASSIGN_OR_RETURN(VkCommandBuffer target, context->beginCommands());
  CommandsOwner owner(*context, target);
  auto stamp = [&](uint32_t query) {
    if (timestamps)
      functions.vkCmdWriteTimestamp(
          target, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, timestamps, query);
  };
  if (timestamps)
    functions.vkCmdResetQueryPool(
        target, timestamps, 0,
        static_cast<uint32_t>(desc.dispatches.size() + 1));
  recordEntry(functions, target);
  stamp(0);
  VkPipeline boundPipeline = VK_NULL_HANDLE;
  size_t nextCounted = 0;
  for (size_t i = 0; i != desc.dispatches.size(); ++i) {
    const DispatchDescription &dispatch = desc.dispatches[i];
    const VulkanKernel &kernel = *kernels.find(dispatch.kernel);
    if (i != 0 && (dispatch.barrierBefore || timestamps))
      recordComputeBarrier(functions, target);
    if (kernel.pipeline.get() != boundPipeline) {
      boundPipeline = kernel.pipeline.get();
      functions.vkCmdBindPipeline(target, VK_PIPELINE_BIND_POINT_COMPUTE,
                                  boundPipeline);
    }
    if (!dispatch.arguments.empty())
      functions.vkCmdBindDescriptorSets(target, VK_PIPELINE_BIND_POINT_COMPUTE,
                                        kernel.layout.get(), 0, 1, &sets[i], 0,
                                        nullptr);
    const std::array<uint32_t, 3> &groups = dispatch.grid.groups;
    if (dispatch.grid.count == GridCount::None)
      functions.vkCmdDispatch(target, groups[0], groups[1], groups[2]);
    else
      functions.vkCmdDispatchIndirect(target, grids.windows[0].buffer.get(),
                                      sizeof(VkDispatchIndirectCommand) *
                                          nextCounted++);
    stamp(static_cast<uint32_t>(i + 1));
  }
  recordExit(functions, target);
  QUERN_RETURN_IF_ERROR(context->check(functions.vkEndCommandBuffer(target),
                                       "can't record the commands"));
  return owner;
}

Result<VkCommandBuffer>
VulkanProgram::getProfileCommands(const KernelTable &kernels) {
  if (profileCommands.get())
    return profileCommands.get();
  if (context->physical.query->timestampBits == 0)
    return unsupported("the device has no timestamps");
  VkQueryPoolCreateInfo info{VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO};
  info.queryType = VK_QUERY_TYPE_TIMESTAMP;
  info.queryCount = static_cast<uint32_t>(desc.dispatches.size() + 1);
  QUERN_RETURN_IF_ERROR(context->create(queries, &F::vkCreateQueryPool, info,
                                        "can't create timestamp queries"));
  QUERN_ASSIGN_OR_RETURN(profileCommands,
                         recordCommands(kernels, queries.get()));
  return profileCommands.get();
}

Result<std::vector<double>> VulkanProgram::readTimestamps() const {
  const FeatureQuery &query = *context->physical.query;
  std::vector<uint64_t> stamps(desc.dispatches.size() + 1);
  QUERN_RETURN_IF_ERROR(context->check(
      context->functions.vkGetQueryPoolResults(
          context->device, queries.get(), 0,
          static_cast<uint32_t>(stamps.size()),
          stamps.size() * sizeof(uint64_t), stamps.data(), sizeof(uint64_t),
          VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
      "can't read timestamps"));
  uint64_t mask = query.timestampBits >= 64
                      ? ~uint64_t(0)
                      : (uint64_t(1) << query.timestampBits) - 1;
  std::vector<double> nanoseconds(desc.dispatches.size());
  for (size_t i = 0; i != nanoseconds.size(); ++i)
    nanoseconds[i] = static_cast<double>((stamps[i + 1] - stamps[i]) & mask) *
                     query.properties.limits.timestampPeriod;
  return nanoseconds;
}
