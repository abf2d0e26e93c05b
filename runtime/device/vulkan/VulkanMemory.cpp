//===- VulkanMemory.cpp - Buffers and imported host memory ----------------===//

#include "runtime/device/vulkan/VulkanMemory.h"

#include "runtime/device/DeviceChecks.h"

#include <cstring>
#include <optional>

using namespace quern;
using namespace quern::vulkan;

static constexpr VkBufferUsageFlags readUsage =
    VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
    VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT;

static uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

/// The type among `bits` with all `required` flags and, if there is one, all
/// `preferred` flags too.
static std::optional<uint32_t>
findMemoryType(const VkPhysicalDeviceMemoryProperties &memory, uint32_t bits,
               VkMemoryPropertyFlags required,
               VkMemoryPropertyFlags preferred) {
  for (VkMemoryPropertyFlags wanted : {required | preferred, required})
    for (uint32_t i = 0; i != memory.memoryTypeCount; ++i)
      if ((bits >> i & 1) &&
          (memory.memoryTypes[i].propertyFlags & wanted) == wanted)
        return i;
  return std::nullopt;
}

static Status bindMemory(VulkanContext &context, Window &window,
                         const VkMemoryAllocateInfo &info,
                         const std::string &what) {
  QUERN_RETURN_IF_ERROR(
      context.create(window.memory, &F::vkAllocateMemory, info, what));
  return context.check(
      context.functions.vkBindBufferMemory(context.device, window.buffer.get(),
                                           window.memory.get(), 0),
      what);
}

Result<VulkanBuffer> vulkan::allocateBuffer(VulkanContext &context,
                                            uint64_t size, MemoryKind kind) {
  bool hostVisible = kind == MemoryKind::HostVisible;
  std::string what = "can't allocate " + formatBytes(size) + " of " +
                     (hostVisible ? "host-visible" : "device-local") +
                     " memory (the device has " +
                     formatBytes(context.getLimits().memoryBytes) + ")";
  VulkanBuffer result;
  result.size = size;
  result.kind = kind;
  Window window;
  window.size = alignUp(size, 256);
  VkBufferCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
  info.size = window.size;
  info.usage = readUsage | VK_BUFFER_USAGE_TRANSFER_DST_BIT |
               VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT;
  QUERN_RETURN_IF_ERROR(
      context.create(window.buffer, &F::vkCreateBuffer, info, what));
  VkMemoryRequirements needs{};
  context.functions.vkGetBufferMemoryRequirements(context.device,
                                                  window.buffer.get(), &needs);
  std::optional<uint32_t> type =
      findMemoryType(context.physical.query->memory, needs.memoryTypeBits,
                     hostVisible ? VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                       VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
                                 : 0u,
                     hostVisible ? VK_MEMORY_PROPERTY_HOST_CACHED_BIT
                                 : VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
  if (!type)
    return resourceExhausted(what + ": no fitting memory type");
  VkMemoryAllocateInfo allocate{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
  allocate.allocationSize = needs.size;
  allocate.memoryTypeIndex = *type;
  QUERN_RETURN_IF_ERROR(bindMemory(context, window, allocate, what));
  if (hostVisible) {
    void *mapped = nullptr;
    QUERN_RETURN_IF_ERROR(context.check(
        context.functions.vkMapMemory(context.device, window.memory.get(), 0,
                                      VK_WHOLE_SIZE, 0, &mapped),
        "can't map " + formatBytes(size) + " of device memory"));
    std::memset(mapped, 0, window.size);
    result.mapped = static_cast<std::byte *>(mapped);
  }
  result.windows.push_back(std::move(window));
  return result;
}

/// Imports `size` bytes at `data`, a page.
static Result<Window> importWindow(VulkanContext &context,
                                   const std::byte *data, uint64_t size) {
  std::string what = "can't import " + formatBytes(size) + " of host memory";
  constexpr VkExternalMemoryHandleTypeFlagBits handleType =
      VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
  Window window;
  window.size = size;
  VkExternalMemoryBufferCreateInfo external{
      VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO};
  external.handleTypes = handleType;
  VkBufferCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, &external};
  info.size = size;
  info.usage = readUsage;
  QUERN_RETURN_IF_ERROR(
      context.create(window.buffer, &F::vkCreateBuffer, info, what));
  VkMemoryRequirements needs{};
  context.functions.vkGetBufferMemoryRequirements(context.device,
                                                  window.buffer.get(), &needs);

  VkMemoryHostPointerPropertiesEXT pointer{
      VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
  QUERN_RETURN_IF_ERROR(
      context.check(context.functions.vkGetMemoryHostPointerPropertiesEXT(
                        context.device, handleType, data, &pointer),
                    what));
  std::optional<uint32_t> type = findMemoryType(
      context.physical.query->memory,
      needs.memoryTypeBits & pointer.memoryTypeBits,
      VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
  uint64_t padded = alignUp(size, context.getLimits().importAlignment);
  if (!type || needs.size > padded)
    return unsupported(what + ": no fitting memory type");
  VkImportMemoryHostPointerInfoEXT import{
      VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT};
  import.handleType = handleType;
  import.pHostPointer = const_cast<std::byte *>(data);
  VkMemoryAllocateInfo allocate{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                &import};
  allocate.allocationSize = padded;
  allocate.memoryTypeIndex = *type;
  QUERN_RETURN_IF_ERROR(bindMemory(context, window, allocate, what));
  return window;
}

/// The longest window that begins at `begin`, which is aligned.
static Status addWindow(VulkanContext &context, VulkanBuffer &buffer,
                        uint64_t begin) {
  const DeviceLimits &limits = context.getLimits();
  uint64_t longest = limits.maxAllocationBytes / limits.importAlignment *
                     limits.importAlignment;
  QUERN_ASSIGN_OR_RETURN(Window window,
                         importWindow(context, buffer.imported + begin,
                                      std::min(longest, buffer.size - begin)));
  window.begin = begin;
  buffer.windows.push_back(std::move(window));
  return Status::ok();
}

Result<VulkanBuffer> vulkan::importBuffer(VulkanContext &context,
                                          const void *data, uint64_t size) {
  VulkanBuffer buffer;
  buffer.size = size;
  buffer.imported = static_cast<const std::byte *>(data);
  Status status = addWindow(context, buffer, 0);
  if (status.getCode() == StatusCode::DeviceLost)
    return status;
  if (!status.isOk()) // Drivers refuse with many codes; the caller uploads.
    return unsupported(status.getMessage());
  return buffer;
}

static std::optional<BoundRange> findRange(const VulkanBuffer &buffer,
                                           uint64_t offset, uint64_t size) {
  for (const Window &window : buffer.windows)
    if (offset >= window.begin && offset - window.begin <= window.size &&
        size <= window.size - (offset - window.begin))
      return BoundRange{window.buffer.get(), offset - window.begin};
  return std::nullopt;
}

Result<BoundRange> vulkan::bindRange(VulkanContext &context,
                                     VulkanBuffer &buffer, uint64_t offset,
                                     uint64_t size) {
  if (std::optional<BoundRange> found = findRange(buffer, offset, size))
    return *found;
  if (buffer.imported) {
    uint64_t alignment = context.getLimits().importAlignment;
    QUERN_RETURN_IF_ERROR(
        addWindow(context, buffer, offset / alignment * alignment));
    if (std::optional<BoundRange> found = findRange(buffer, offset, size))
      return *found;
  }
  return unsupported("range of " + formatBytes(size) + " at offset " +
                     std::to_string(offset) +
                     " does not fit into what the device binds at once, " +
                     formatBytes(context.getLimits().maxAllocationBytes));
}
