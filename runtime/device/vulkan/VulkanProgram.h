//===- VulkanProgram.h - Recorded command buffers ----------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_VULKAN_VULKANPROGRAM_H
#define QUERN_RUNTIME_DEVICE_VULKAN_VULKANPROGRAM_H

#include "runtime/device/HandleTable.h"
#include "runtime/device/vulkan/VulkanKernel.h"
#include "runtime/device/vulkan/VulkanMemory.h"

namespace quern::vulkan {

using BufferTable = HandleTable<BufferHandle, VulkanBuffer>;
using KernelTable = HandleTable<KernelHandle, VulkanKernel>;

/// A program's command buffer with all that it refers to. Grids that depend on
/// counts are read by the device from a mapped buffer, which setCounts fills,
/// so that one recording serves every count.
class VulkanProgram {
public:
  /// `desc` has been checked. `kernels` and the buffers' windows must outlive
  /// the program's use.
  static Result<VulkanProgram> record(VulkanContext &context,
                                      const ProgramDescription &desc,
                                      BufferTable &buffers,
                                      const KernelTable &kernels);
  VulkanProgram(VulkanProgram &&) = default;
  ~VulkanProgram() = default;

  /// Writes the grids of a run; allocates nothing on success.
  Status setCounts(uint32_t tokens, uint32_t rows);

  VkCommandBuffer getCommands() const { return commands.get(); }
  const ProgramDescription &getDescription() const { return desc; }
  bool uses(BufferHandle buffer) const;

  /// The command buffer with a timestamp after each dispatch, recorded on the
  /// first call.
  Result<VkCommandBuffer> getProfileCommands(const KernelTable &kernels);
  /// After a run of it: nanoseconds of each dispatch.
  Result<std::vector<double>> readTimestamps() const;

private:
  /// Frees a command buffer at its end.
  struct CommandsOwner {
    CommandsOwner() = default;
    CommandsOwner(VulkanContext &context, VkCommandBuffer commands)
        : context(&context), commands(commands) {}
    CommandsOwner(CommandsOwner &&other) noexcept { *this = std::move(other); }
    CommandsOwner &operator=(CommandsOwner &&other) noexcept {
      std::swap(context, other.context);
      std::swap(commands, other.commands);
      return *this;
    }
    ~CommandsOwner() {
      if (commands)
        context->freeCommands(commands);
    }
    VkCommandBuffer get() const { return commands; }

    VulkanContext *context = nullptr;
    VkCommandBuffer commands = VK_NULL_HANDLE;
  };

  VulkanProgram(VulkanContext &context, ProgramDescription desc)
      : context(&context), desc(std::move(desc)) {}
  Status createGrids();
  Status createDescriptors(BufferTable &buffers, const KernelTable &kernels);
  Status writeDescriptors(size_t dispatch, BufferTable &buffers,
                          const VulkanKernel &kernel);
  /// `queries`, if any, gets a timestamp before the first and after each
  /// dispatch, and every dispatch waits for the one before it.
  Result<CommandsOwner> recordCommands(const KernelTable &kernels,
                                       VkQueryPool queries);

  VulkanContext *context;
  ProgramDescription desc;
  std::vector<size_t> counted; ///< Dispatches whose grid depends on counts.
  VulkanBuffer grids;          ///< A VkDispatchIndirectCommand of each of them.
  UniqueDescriptorPool pool;
  std::vector<VkDescriptorSet> sets; ///< Of each dispatch.
  std::vector<UniqueBufferView> views;
  UniqueQueryPool queries;
  CommandsOwner commands, profileCommands;
};

} // namespace quern::vulkan

#endif // QUERN_RUNTIME_DEVICE_VULKAN_VULKANPROGRAM_H
