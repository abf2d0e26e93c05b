//===- VulkanKernel.cpp - Compute pipelines -------------------------------===//

#include "runtime/device/vulkan/VulkanKernel.h"

#include <cstring>

using namespace quern;
using namespace quern::vulkan;

static constexpr uint32_t spirvMagic = 0x07230203;
static constexpr size_t spirvHeaderWords = 5;

VkDescriptorType vulkan::getDescriptorType(ArgumentAccess access) {
  return access == ArgumentAccess::StorageBuffer
             ? VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
             : VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
}

static Result<UniqueShaderModule> createModule(VulkanContext &context,
                                               std::span<const std::byte> code,
                                               const std::string &what) {
  std::vector<uint32_t> words(code.size() / sizeof(uint32_t));
  if (words.size() < spirvHeaderWords || code.size() % sizeof(uint32_t) != 0)
    return corrupt(what + ": " + std::to_string(code.size()) +
                   " bytes are no SPIR-V module");
  std::memcpy(words.data(), code.data(), code.size());
  if (words[0] != spirvMagic)
    return corrupt(what + ": the code does not start with the SPIR-V magic");
  VkShaderModuleCreateInfo info{VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
  info.codeSize = code.size();
  info.pCode = words.data();
  UniqueShaderModule module;
  QUERN_RETURN_IF_ERROR(
      context.create(module, &F::vkCreateShaderModule, info, what));
  return module;
}

static Status createLayouts(VulkanContext &context, VulkanKernel &kernel,
                            const std::string &what) {
  std::vector<VkDescriptorSetLayoutBinding> bindings;
  for (ArgumentAccess access : kernel.desc.arguments) {
    VkDescriptorSetLayoutBinding binding{};
    binding.binding = static_cast<uint32_t>(bindings.size());
    binding.descriptorType = getDescriptorType(access);
    binding.descriptorCount = 1;
    binding.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
    bindings.push_back(binding);
  }
  VkDescriptorSetLayoutCreateInfo setInfo{
      VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
  setInfo.bindingCount = static_cast<uint32_t>(bindings.size());
  setInfo.pBindings = bindings.data();
  QUERN_RETURN_IF_ERROR(context.create(
      kernel.setLayout, &F::vkCreateDescriptorSetLayout, setInfo, what));
  VkDescriptorSetLayout setLayout = kernel.setLayout.get();
  VkPipelineLayoutCreateInfo info{
      VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
  info.setLayoutCount = 1;
  info.pSetLayouts = &setLayout;
  return context.create(kernel.layout, &F::vkCreatePipelineLayout, info, what);
}

/// Asks for the subgroup size that the code relies on, where a device has
/// several. DeviceChecks made sure that it is in range.
static void requireSubgroupSize(
    const VulkanContext &context, const KernelDescription &desc,
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo &required,
    VkPipelineShaderStageCreateInfo &stage) {
  const FeatureQuery &query = *context.physical.query;
  if (desc.subgroupSize == 0 || !query.hasSubgroupSizeControl())
    return;
  required.sType =
      VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO;
  required.requiredSubgroupSize = desc.subgroupSize;
  stage.pNext = &required;
  if (query.sizeControl.computeFullSubgroups &&
      desc.workgroupSize[0] % desc.subgroupSize == 0)
    stage.flags |=
        VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT;
}

/// A required subgroup size bounds the threads of a workgroup further.
static Status checkSubgroupCount(const VulkanContext &context,
                                 const KernelDescription &desc) {
  const FeatureQuery &query = *context.physical.query;
  if (desc.subgroupSize == 0 || !query.hasSubgroupSizeControl())
    return Status::ok();
  uint64_t threads = uint64_t(desc.workgroupSize[0]) * desc.workgroupSize[1] *
                     desc.workgroupSize[2];
  uint64_t most = uint64_t(desc.subgroupSize) *
                  query.sizeControlLimits.maxComputeWorkgroupSubgroups;
  if (threads <= most)
    return Status::ok();
  return unsupported("kernel '" + desc.name + "': workgroup has " +
                     std::to_string(threads) + " threads, with subgroups of " +
                     std::to_string(desc.subgroupSize) + " the device allows " +
                     std::to_string(most));
}

Result<VulkanKernel> vulkan::createKernel(VulkanContext &context,
                                          const KernelDescription &desc,
                                          VkPipelineCache cache) {
  std::string what = "can't create kernel '" + desc.name + "'";
  QUERN_RETURN_IF_ERROR(checkSubgroupCount(context, desc));
  QUERN_ASSIGN_OR_RETURN(UniqueShaderModule module,
                         createModule(context, desc.code, what));
  VulkanKernel kernel;
  kernel.desc = desc;
  kernel.desc.code = {};
  QUERN_RETURN_IF_ERROR(createLayouts(context, kernel, what));

  VkComputePipelineCreateInfo info{
      VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module.get();
  info.stage.pName = desc.entryPoint.c_str();
  info.layout = kernel.layout.get();
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo required{};
  requireSubgroupSize(context, desc, required, info.stage);
  VkPipeline pipeline = VK_NULL_HANDLE;
  VkResult result = context.functions.vkCreateComputePipelines(
      context.device, cache, 1, &info, nullptr, &pipeline);
  QUERN_RETURN_IF_ERROR(context.check(result, what));
  kernel.pipeline = UniquePipeline(context.functions, context.device, pipeline);
  return kernel;
}
