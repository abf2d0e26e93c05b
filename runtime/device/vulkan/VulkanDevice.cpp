//===- VulkanDevice.cpp - Vulkan compute devices --------------------------===//

#include "runtime/device/vulkan/VulkanDevice.h"

#include "runtime/device/DeviceChecks.h"
#include "runtime/device/vulkan/VulkanCache.h"
#include "runtime/device/vulkan/VulkanProgram.h"
#include "runtime/device/vulkan/VulkanStaging.h"

#include <atomic>
#include <cstring>
#include <optional>

using namespace quern;
using namespace quern::vulkan;

/// How long the end of a device waits for a run in flight.
static constexpr uint64_t shutdownTimeoutNanoseconds = 5'000'000'000;
/// How long profile waits for its run.
static constexpr uint64_t profileTimeoutNanoseconds = 60'000'000'000;

namespace {
/// Everything of a device, in the order of dependence.
struct Objects {
  std::unique_ptr<VulkanContext> context;
  UniquePipelineCache pipelineCache;
  UniqueFence fence; ///< Of the run in flight.
  std::unique_ptr<VulkanStaging> staging;
  BufferTable buffers;
  KernelTable kernels;
  HandleTable<ProgramHandle, std::optional<VulkanProgram>> programs;
  Objects *next = nullptr; ///< Of those that a lost device still uses.
};

class VulkanDevice final : public Device {
public:
  static Result<std::unique_ptr<Device>> open(const VulkanOptions &options);
  ~VulkanDevice() override;

  const DeviceInfo &getInfo() const override {
    return objects->context->physical.info;
  }
  Result<BufferHandle> allocate(uint64_t size, MemoryKind kind) override;
  Result<BufferHandle> importHostMemory(const void *data,
                                        uint64_t size) override;
  Status upload(BufferHandle buffer, uint64_t offset,
                std::span<const std::byte> data) override;
  Status download(BufferHandle buffer, uint64_t offset,
                  std::span<std::byte> data) override;
  void *getHostPointer(BufferHandle buffer) override;
  void free(BufferHandle buffer) override;
  Result<KernelHandle> createKernel(const KernelDescription &desc) override;
  Result<ProgramHandle> record(const ProgramDescription &desc) override;
  Status submit(ProgramHandle program, uint32_t tokens, uint32_t rows) override;
  Status wait(uint64_t timeoutNanoseconds) override;
  Result<std::vector<double>> profile(ProgramHandle program, uint32_t tokens,
                                      uint32_t rows) override;
  Status checkDiagnostics() const override {
    return objects->context->instance->diagnostics->check();
  }

private:
  VulkanDevice() : objects(std::make_unique<Objects>()) {}
  Status createObjects();
  Status checkIdle() const;
  Result<VulkanProgram *> prepareRun(ProgramHandle program, uint32_t tokens,
                                     uint32_t rows);
  void savePipelineCache();
  const DeviceLimits &getLimits() const { return getInfo().limits; }

  std::unique_ptr<Objects> objects;
  bool inFlight = false;
  bool cacheChanged = false;
};
} // namespace

//===----------------------------------------------------------------------===//
// Opening and closing
//===----------------------------------------------------------------------===//

Result<std::unique_ptr<Device>>
vulkan::openDevice(const VulkanOptions &options) {
  return VulkanDevice::open(options);
}

Result<std::vector<DeviceInfo>> vulkan::listDevices() {
  QUERN_ASSIGN_OR_RETURN(
      auto instance,
      VulkanInstance::create(/*validation=*/false,
                             std::make_shared<VulkanDiagnostics>()));
  QUERN_ASSIGN_OR_RETURN(auto devices, queryDevices(*instance));
  std::vector<DeviceInfo> infos;
  for (PhysicalDevice &device : devices)
    infos.push_back(std::move(device.info));
  return infos;
}

Result<std::unique_ptr<Device>>
VulkanDevice::open(const VulkanOptions &options) {
  QUERN_ASSIGN_OR_RETURN(
      auto instance,
      VulkanInstance::create(options.validation,
                             options.diagnostics
                                 ? options.diagnostics
                                 : std::make_shared<VulkanDiagnostics>()));
  QUERN_ASSIGN_OR_RETURN(auto devices, queryDevices(*instance));
  QUERN_ASSIGN_OR_RETURN(size_t index, selectDevice(devices, options.device));
  std::unique_ptr<VulkanDevice> device(new VulkanDevice);
  QUERN_ASSIGN_OR_RETURN(device->objects->context,
                         VulkanContext::create(std::move(instance),
                                               std::move(devices[index]),
                                               options.patchFunctions));
  QUERN_RETURN_IF_ERROR(device->createObjects());
  return std::unique_ptr<Device>(std::move(device));
}

Status VulkanDevice::createObjects() {
  VulkanContext &context = *objects->context;
  VkFenceCreateInfo fenceInfo{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  QUERN_RETURN_IF_ERROR(context.create(objects->fence, &F::vkCreateFence,
                                       fenceInfo, "can't create a fence"));
  QUERN_ASSIGN_OR_RETURN(objects->staging, VulkanStaging::create(context));
  std::vector<std::byte> saved =
      readPipelineCache(context.physical.query->properties.pipelineCacheUUID);
  VkPipelineCacheCreateInfo cacheInfo{
      VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
  cacheInfo.initialDataSize = saved.size();
  cacheInfo.pInitialData = saved.data();
  return context.create(objects->pipelineCache, &F::vkCreatePipelineCache,
                        cacheInfo, "can't create a pipeline cache");
}

VulkanDevice::~VulkanDevice() {
  if (!objects->context)
    return;
  if (inFlight && wait(shutdownTimeoutNanoseconds).getCode() ==
                      StatusCode::DeadlineExceeded) {
    // The device still uses the objects: destroying them would be undefined,
    // and waiting might never end. They stay until the process ends.
    static std::atomic<Objects *> abandoned = nullptr;
    Objects *kept = objects.release();
    kept->next = abandoned.exchange(kept);
    return;
  }
  savePipelineCache();
}

void VulkanDevice::savePipelineCache() {
  VulkanContext &context = *objects->context;
  if (!cacheChanged || context.lost)
    return;
  size_t size = 0;
  VkPipelineCache cache = objects->pipelineCache.get();
  if (context.functions.vkGetPipelineCacheData(context.device, cache, &size,
                                               nullptr) != VK_SUCCESS)
    return;
  // Mesa's software driver keeps nothing here but a header.
  if (size <= sizeof(VkPipelineCacheHeaderVersionOne))
    return;
  std::vector<std::byte> data(size);
  if (context.functions.vkGetPipelineCacheData(context.device, cache, &size,
                                               data.data()) == VK_SUCCESS)
    writePipelineCache(context.physical.query->properties.pipelineCacheUUID,
                       {data.data(), size});
}

Status VulkanDevice::checkIdle() const {
  QUERN_RETURN_IF_ERROR(objects->context->checkAlive());
  if (inFlight)
    return invalidArgument("a run is in flight: wait for it first");
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result<BufferHandle> VulkanDevice::allocate(uint64_t size, MemoryKind kind) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkAllocation(size, getLimits()));
  QUERN_ASSIGN_OR_RETURN(VulkanBuffer buffer,
                         allocateBuffer(*objects->context, size, kind));
  if (kind == MemoryKind::DeviceLocal)
    QUERN_RETURN_IF_ERROR(objects->staging->fillWithZeros(
        buffer.windows[0].buffer.get(), buffer.windows[0].size));
  QUERN_RETURN_IF_ERROR(checkDiagnostics());
  return objects->buffers.insert(std::move(buffer));
}

Result<BufferHandle> VulkanDevice::importHostMemory(const void *data,
                                                    uint64_t size) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkImport(data, size, getLimits()));
  QUERN_ASSIGN_OR_RETURN(VulkanBuffer buffer,
                         importBuffer(*objects->context, data, size));
  QUERN_RETURN_IF_ERROR(checkDiagnostics());
  return objects->buffers.insert(std::move(buffer));
}

Status VulkanDevice::upload(BufferHandle handle, uint64_t offset,
                            std::span<const std::byte> data) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  VulkanBuffer *buffer = objects->buffers.find(handle);
  if (!buffer)
    return invalidArgument("upload to an unknown or freed buffer");
  if (buffer->imported)
    return invalidArgument("upload to imported memory, which is read-only");
  QUERN_RETURN_IF_ERROR(
      checkCopy(buffer->size, offset, data.size()).withContext("upload"));
  if (data.empty())
    return Status::ok();
  if (!buffer->mapped)
    return objects->staging->upload(buffer->windows[0].buffer.get(), offset,
                                    data);
  std::memcpy(buffer->mapped + offset, data.data(), data.size());
  return Status::ok();
}

Status VulkanDevice::download(BufferHandle handle, uint64_t offset,
                              std::span<std::byte> data) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  VulkanBuffer *buffer = objects->buffers.find(handle);
  if (!buffer)
    return invalidArgument("download from an unknown or freed buffer");
  QUERN_RETURN_IF_ERROR(
      checkCopy(buffer->size, offset, data.size()).withContext("download"));
  if (data.empty())
    return Status::ok();
  const std::byte *host = buffer->mapped ? buffer->mapped : buffer->imported;
  if (!host)
    return objects->staging->download(buffer->windows[0].buffer.get(), offset,
                                      data);
  std::memcpy(data.data(), host + offset, data.size());
  return Status::ok();
}

void *VulkanDevice::getHostPointer(BufferHandle handle) {
  VulkanBuffer *buffer = objects->buffers.find(handle);
  return buffer ? buffer->mapped : nullptr;
}

void VulkanDevice::free(BufferHandle handle) {
  if (!objects->buffers.find(handle))
    return;
  if (inFlight && wait(shutdownTimeoutNanoseconds).getCode() ==
                      StatusCode::DeadlineExceeded)
    return; // Still in use; it goes with the device.
  objects->programs.forEach([&](std::optional<VulkanProgram> &program) {
    if (program && program->uses(handle))
      program.reset();
  });
  objects->buffers.erase(handle);
}

//===----------------------------------------------------------------------===//
// Kernels and programs
//===----------------------------------------------------------------------===//

Result<KernelHandle> VulkanDevice::createKernel(const KernelDescription &desc) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkKernel(desc, getLimits()));
  QUERN_ASSIGN_OR_RETURN(VulkanKernel kernel,
                         vulkan::createKernel(*objects->context, desc,
                                              objects->pipelineCache.get()));
  QUERN_RETURN_IF_ERROR(checkDiagnostics());
  cacheChanged = true;
  return objects->kernels.insert(std::move(kernel));
}

Result<ProgramHandle> VulkanDevice::record(const ProgramDescription &desc) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkProgram(
      desc, getLimits(),
      [&](KernelHandle handle) -> const KernelDescription * {
        VulkanKernel *kernel = objects->kernels.find(handle);
        return kernel ? &kernel->desc : nullptr;
      },
      [&](BufferHandle handle) -> std::optional<BufferFacts> {
        VulkanBuffer *buffer = objects->buffers.find(handle);
        if (!buffer)
          return std::nullopt;
        return BufferFacts{buffer->size, buffer->imported != nullptr};
      }));
  QUERN_ASSIGN_OR_RETURN(VulkanProgram program,
                         VulkanProgram::record(*objects->context, desc,
                                               objects->buffers,
                                               objects->kernels));
  QUERN_RETURN_IF_ERROR(checkDiagnostics());
  return objects->programs.insert(std::move(program));
}

Result<VulkanProgram *>
VulkanDevice::prepareRun(ProgramHandle handle, uint32_t tokens, uint32_t rows) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  std::optional<VulkanProgram> *program = objects->programs.find(handle);
  if (!program)
    return invalidArgument("unknown program handle");
  if (!*program)
    return invalidArgument("the program uses a buffer that was freed");
  QUERN_RETURN_IF_ERROR((*program)->setCounts(tokens, rows));
  return &**program;
}

Status VulkanDevice::submit(ProgramHandle handle, uint32_t tokens,
                            uint32_t rows) {
  QUERN_ASSIGN_OR_RETURN(VulkanProgram * program,
                         prepareRun(handle, tokens, rows));
  QUERN_RETURN_IF_ERROR(
      objects->context->submit(program->getCommands(), objects->fence.get()));
  inFlight = true;
  return checkDiagnostics();
}

Status VulkanDevice::wait(uint64_t timeoutNanoseconds) {
  QUERN_RETURN_IF_ERROR(objects->context->checkAlive());
  if (!inFlight)
    return invalidArgument("wait without a run in flight");
  Status status =
      objects->context->waitForFence(objects->fence.get(), timeoutNanoseconds);
  inFlight = status.getCode() == StatusCode::DeadlineExceeded;
  QUERN_RETURN_IF_ERROR(std::move(status));
  return checkDiagnostics();
}

Result<std::vector<double>>
VulkanDevice::profile(ProgramHandle handle, uint32_t tokens, uint32_t rows) {
  QUERN_ASSIGN_OR_RETURN(VulkanProgram * program,
                         prepareRun(handle, tokens, rows));
  QUERN_ASSIGN_OR_RETURN(VkCommandBuffer commands,
                         program->getProfileCommands(objects->kernels));
  QUERN_RETURN_IF_ERROR(
      objects->context->submit(commands, objects->fence.get()));
  inFlight = true;
  QUERN_RETURN_IF_ERROR(wait(profileTimeoutNanoseconds));
  return program->readTimestamps();
}
