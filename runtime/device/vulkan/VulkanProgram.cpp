//===- VulkanProgram.cpp - Recorded command buffers -----------------------===//

#include "runtime/device/vulkan/VulkanProgram.h"

#include "runtime/device/DeviceChecks.h"

#include <cstring>

using namespace quern;
using namespace quern::vulkan;

static VkFormat getTexelFormat(ArgumentAccess access) {
  switch (access) {
  case ArgumentAccess::TexelUint4:
    return VK_FORMAT_R32G32B32A32_UINT;
  case ArgumentAccess::TexelFloat4:
    return VK_FORMAT_R32G32B32A32_SFLOAT;
  case ArgumentAccess::TexelUint1:
    return VK_FORMAT_R32_UINT;
  case ArgumentAccess::TexelFloat1:
    return VK_FORMAT_R32_SFLOAT;
  case ArgumentAccess::StorageBuffer:
    break;
  }
  return VK_FORMAT_UNDEFINED;
}

Result<VulkanProgram> VulkanProgram::record(VulkanContext &context,
                                            const ProgramDescription &desc,
                                            BufferTable &buffers,
                                            const KernelTable &kernels) {
  VulkanProgram program(context, desc);
  std::string where = "program '" + desc.name + "'";
  auto create = [&]() -> Status {
    QUERN_RETURN_IF_ERROR(program.createGrids());
    QUERN_RETURN_IF_ERROR(program.createDescriptors(buffers, kernels));
    QUERN_ASSIGN_OR_RETURN(program.commands,
                           program.recordCommands(kernels, VK_NULL_HANDLE));
    return Status::ok();
  };
  if (Status status = create(); !status.isOk())
    return std::move(status).withContext(where);
  return program;
}

Status VulkanProgram::createGrids() {
  for (size_t i = 0; i != desc.dispatches.size(); ++i)
    if (desc.dispatches[i].grid.count != GridCount::None)
      counted.push_back(i);
  if (counted.empty())
    return Status::ok();
  QUERN_ASSIGN_OR_RETURN(
      grids, allocateBuffer(*context,
                            counted.size() * sizeof(VkDispatchIndirectCommand),
                            MemoryKind::HostVisible));
  return Status::ok();
}

Status VulkanProgram::setCounts(uint32_t tokens, uint32_t rows) {
  auto *commands = reinterpret_cast<VkDispatchIndirectCommand *>(grids.mapped);
  for (size_t i = 0; i != counted.size(); ++i) {
    const GridDescription &grid = desc.dispatches[counted[i]].grid;
    Status status = checkCounts(grid, tokens, rows);
    if (!status.isOk())
      return std::move(status).withContext(describeDispatch(desc, counted[i]));
    std::array<uint32_t, 3> groups = computeGrid(grid, tokens, rows);
    commands[i] = {groups[0], groups[1], groups[2]};
  }
  return Status::ok();
}

bool VulkanProgram::uses(BufferHandle buffer) const {
  for (const DispatchDescription &dispatch : desc.dispatches)
    for (const BufferRange &argument : dispatch.arguments)
      if (argument.buffer == buffer)
        return true;
  return false;
}

Status VulkanProgram::createDescriptors(BufferTable &buffers,
                                        const KernelTable &kernels) {
  if (desc.dispatches.empty())
    return Status::ok();
  std::vector<VkDescriptorSetLayout> layouts;
  VkDescriptorPoolSize storage{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 0};
  VkDescriptorPoolSize texel{VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, 0};
  for (const DispatchDescription &dispatch : desc.dispatches) {
    const VulkanKernel &kernel = *kernels.find(dispatch.kernel);
    layouts.push_back(kernel.setLayout.get());
    for (ArgumentAccess access : kernel.desc.arguments)
      ++(getTexelBytes(access) ? texel : storage).descriptorCount;
  }
  std::vector<VkDescriptorPoolSize> sizes;
  for (const VkDescriptorPoolSize &size : {storage, texel})
    if (size.descriptorCount != 0)
      sizes.push_back(size);
  VkDescriptorPoolCreateInfo info{
      VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO};
  info.maxSets = static_cast<uint32_t>(layouts.size());
  info.poolSizeCount = static_cast<uint32_t>(sizes.size());
  info.pPoolSizes = sizes.data();
  QUERN_RETURN_IF_ERROR(context->create(pool, &F::vkCreateDescriptorPool, info,
                                        "can't create a descriptor pool"));
  VkDescriptorSetAllocateInfo allocate{
      VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO};
  allocate.descriptorPool = pool.get();
  allocate.descriptorSetCount = static_cast<uint32_t>(layouts.size());
  allocate.pSetLayouts = layouts.data();
  sets.resize(layouts.size());
  QUERN_RETURN_IF_ERROR(
      context->check(context->functions.vkAllocateDescriptorSets(
                         context->device, &allocate, sets.data()),
                     "can't allocate descriptor sets"));
  for (size_t i = 0; i != desc.dispatches.size(); ++i)
    if (Status status = writeDescriptors(
            i, buffers, *kernels.find(desc.dispatches[i].kernel));
        !status.isOk())
      return std::move(status).withContext("dispatch " + std::to_string(i) +
                                           " (" + desc.dispatches[i].label +
                                           ")");
  return Status::ok();
}

Status VulkanProgram::writeDescriptors(size_t dispatch, BufferTable &buffers,
                                       const VulkanKernel &kernel) {
  const std::vector<BufferRange> &arguments =
      desc.dispatches[dispatch].arguments;
  std::vector<VkDescriptorBufferInfo> ranges(arguments.size());
  std::vector<VkBufferView> texels(arguments.size());
  std::vector<VkWriteDescriptorSet> writes;
  for (size_t i = 0; i != arguments.size(); ++i) {
    const BufferRange &argument = arguments[i];
    QUERN_ASSIGN_OR_RETURN(BoundRange bound,
                           bindRange(*context, *buffers.find(argument.buffer),
                                     argument.offset, argument.size));
    VkWriteDescriptorSet write{VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET};
    write.dstSet = sets[dispatch];
    write.dstBinding = static_cast<uint32_t>(i);
    write.descriptorCount = 1;
    write.descriptorType = getDescriptorType(kernel.desc.arguments[i]);
    if (write.descriptorType == VK_DESCRIPTOR_TYPE_STORAGE_BUFFER) {
      ranges[i] = {bound.buffer, bound.offset, argument.size};
      write.pBufferInfo = &ranges[i];
    } else {
      VkBufferViewCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO};
      info.buffer = bound.buffer;
      info.format = getTexelFormat(kernel.desc.arguments[i]);
      info.offset = bound.offset;
      info.range = argument.size;
      UniqueBufferView view;
      QUERN_RETURN_IF_ERROR(context->create(view, &F::vkCreateBufferView, info,
                                            "can't create a texel view"));
      texels[i] = view.get();
      views.push_back(std::move(view));
      write.pTexelBufferView = &texels[i];
    }
    writes.push_back(write);
  }
  context->functions.vkUpdateDescriptorSets(
      context->device, static_cast<uint32_t>(writes.size()), writes.data(), 0,
      nullptr);
  return Status::ok();
}
