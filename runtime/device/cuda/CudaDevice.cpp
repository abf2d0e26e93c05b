//===- CudaDevice.cpp - NVIDIA GPUs through the driver API ----------------===//

#include "runtime/device/cuda/CudaDevice.h"

#include "runtime/device/DeviceChecks.h"
#include "runtime/device/cuda/CudaProgram.h"
#include "runtime/device/cuda/CudaStaging.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

using namespace quern;
using namespace quern::cuda;

using Clock = std::chrono::steady_clock;

/// How long the end of a device waits for a run in flight.
static constexpr uint64_t shutdownTimeoutNanoseconds = 5'000'000'000;
/// How long wait asks again at once; then it sleeps in between.
static constexpr std::chrono::milliseconds spinTime(20);
static constexpr std::chrono::microseconds sleepTime(50);

namespace {
/// Everything of a device, in the order of dependence.
struct Objects {
  std::unique_ptr<CudaContext> context;
  std::unique_ptr<CudaStaging> staging;
  BufferTable buffers;
  KernelTable kernels;
  HandleTable<ProgramHandle, std::optional<CudaProgram>> programs;
  Objects *next = nullptr; ///< Of those that a device still uses.
};

class CudaDevice final : public Device {
public:
  static Result<std::unique_ptr<Device>> open(const CudaOptions &options);
  ~CudaDevice() override;

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

private:
  CudaDevice() : objects(std::make_unique<Objects>()) {}
  Status checkIdle();
  Result<CudaProgram *> prepareRun(ProgramHandle program, uint32_t tokens,
                                   uint32_t rows);
  const DeviceLimits &getLimits() const { return getInfo().limits; }

  std::unique_ptr<Objects> objects;
  bool inFlight = false;
};
} // namespace

//===----------------------------------------------------------------------===//
// Opening and closing
//===----------------------------------------------------------------------===//

Result<std::unique_ptr<Device>> cuda::openDevice(const CudaOptions &options) {
  return CudaDevice::open(options);
}

Result<std::vector<DeviceInfo>> cuda::listDevices() {
  QUERN_ASSIGN_OR_RETURN(CudaFunctions functions, loadCuda());
  QUERN_ASSIGN_OR_RETURN(auto devices, queryDevices(functions));
  std::vector<DeviceInfo> infos;
  for (PhysicalDevice &device : devices)
    infos.push_back(std::move(device.info));
  return infos;
}

Result<std::unique_ptr<Device>> CudaDevice::open(const CudaOptions &options) {
  QUERN_ASSIGN_OR_RETURN(CudaFunctions functions, loadCuda());
  QUERN_ASSIGN_OR_RETURN(auto devices, queryDevices(functions));
  QUERN_ASSIGN_OR_RETURN(size_t index, selectDevice(devices, options.device));
  std::unique_ptr<CudaDevice> device(new CudaDevice);
  Objects &objects = *device->objects;
  QUERN_ASSIGN_OR_RETURN(
      objects.context,
      CudaContext::create(functions, std::move(devices[index])));
  QUERN_ASSIGN_OR_RETURN(objects.staging,
                         CudaStaging::create(*objects.context));
  return std::unique_ptr<Device>(std::move(device));
}

CudaDevice::~CudaDevice() {
  if (!objects->context)
    return;
  if (inFlight && wait(shutdownTimeoutNanoseconds).getCode() ==
                      StatusCode::DeadlineExceeded) {
    // The device still uses the objects, and freeing them would wait, perhaps
    // for ever. They stay until the process ends.
    static std::atomic<Objects *> abandoned = nullptr;
    Objects *kept = objects.release();
    kept->next = abandoned.exchange(kept);
    return;
  }
  (void)objects->context->enter();
  CudaContext &context = *objects->context;
  objects->programs.forEach(
      [](std::optional<CudaProgram> &program) { program.reset(); });
  objects->buffers.forEach(
      [&](CudaBuffer &buffer) { freeBuffer(context, buffer); });
  objects->kernels.forEach([&](CudaKernel &kernel) {
    context.functions.cuModuleUnload(kernel.module);
  });
}

Status CudaDevice::checkIdle() {
  QUERN_RETURN_IF_ERROR(objects->context->enter());
  if (inFlight)
    return invalidArgument("a run is in flight: wait for it first");
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result<BufferHandle> CudaDevice::allocate(uint64_t size, MemoryKind kind) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkAllocation(size, getLimits()));
  QUERN_ASSIGN_OR_RETURN(CudaBuffer buffer,
                         allocateBuffer(*objects->context, size, kind));
  return objects->buffers.insert(buffer);
}

Result<BufferHandle> CudaDevice::importHostMemory(const void *data,
                                                  uint64_t size) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkImport(data, size, getLimits()));
  return unsupported("the device can't import host memory");
}

Status CudaDevice::upload(BufferHandle handle, uint64_t offset,
                          std::span<const std::byte> data) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  CudaBuffer *buffer = objects->buffers.find(handle);
  if (!buffer)
    return invalidArgument("upload to an unknown or freed buffer");
  QUERN_RETURN_IF_ERROR(
      checkCopy(buffer->size, offset, data.size()).withContext("upload"));
  if (data.empty())
    return Status::ok();
  if (!buffer->mapped)
    return objects->staging->upload(buffer->address + offset, data);
  std::memcpy(buffer->mapped + offset, data.data(), data.size());
  return Status::ok();
}

Status CudaDevice::download(BufferHandle handle, uint64_t offset,
                            std::span<std::byte> data) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  CudaBuffer *buffer = objects->buffers.find(handle);
  if (!buffer)
    return invalidArgument("download from an unknown or freed buffer");
  QUERN_RETURN_IF_ERROR(
      checkCopy(buffer->size, offset, data.size()).withContext("download"));
  if (data.empty())
    return Status::ok();
  if (!buffer->mapped)
    return objects->staging->download(buffer->address + offset, data);
  std::memcpy(data.data(), buffer->mapped + offset, data.size());
  return Status::ok();
}

void *CudaDevice::getHostPointer(BufferHandle handle) {
  CudaBuffer *buffer = objects->buffers.find(handle);
  return buffer ? buffer->mapped : nullptr;
}

void CudaDevice::free(BufferHandle handle) {
  CudaBuffer *buffer = objects->buffers.find(handle);
  if (!buffer)
    return;
  if (inFlight && wait(shutdownTimeoutNanoseconds).getCode() ==
                      StatusCode::DeadlineExceeded)
    return; // Still in use; it goes with the device.
  (void)objects->context->enter();
  objects->programs.forEach([&](std::optional<CudaProgram> &program) {
    if (program && program->uses(handle))
      program.reset();
  });
  freeBuffer(*objects->context, *buffer);
  objects->buffers.erase(handle);
}

//===----------------------------------------------------------------------===//
// Kernels and programs
//===----------------------------------------------------------------------===//

Result<KernelHandle> CudaDevice::createKernel(const KernelDescription &desc) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkKernel(desc, getLimits()));
  QUERN_ASSIGN_OR_RETURN(CudaKernel kernel,
                         cuda::createKernel(*objects->context, desc));
  return objects->kernels.insert(std::move(kernel));
}

Result<ProgramHandle> CudaDevice::record(const ProgramDescription &desc) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkProgram(
      desc, getLimits(),
      [&](KernelHandle handle) -> const KernelDescription * {
        CudaKernel *kernel = objects->kernels.find(handle);
        return kernel ? &kernel->desc : nullptr;
      },
      [&](BufferHandle handle) -> std::optional<BufferFacts> {
        CudaBuffer *buffer = objects->buffers.find(handle);
        if (!buffer)
          return std::nullopt;
        return BufferFacts{buffer->size, /*imported=*/false};
      }));
  QUERN_ASSIGN_OR_RETURN(CudaProgram program,
                         CudaProgram::record(*objects->context, desc,
                                             objects->buffers,
                                             objects->kernels));
  return objects->programs.insert(std::move(program));
}

Result<CudaProgram *> CudaDevice::prepareRun(ProgramHandle handle,
                                             uint32_t tokens, uint32_t rows) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  std::optional<CudaProgram> *program = objects->programs.find(handle);
  if (!program)
    return invalidArgument("unknown program handle");
  if (!*program)
    return invalidArgument("the program uses a buffer that was freed");
  QUERN_RETURN_IF_ERROR((*program)->setCounts(tokens, rows));
  return &**program;
}

Status CudaDevice::submit(ProgramHandle handle, uint32_t tokens,
                          uint32_t rows) {
  QUERN_ASSIGN_OR_RETURN(CudaProgram * program,
                         prepareRun(handle, tokens, rows));
  QUERN_RETURN_IF_ERROR(program->launch());
  inFlight = true;
  return Status::ok();
}

Status CudaDevice::wait(uint64_t timeoutNanoseconds) {
  CudaContext &context = *objects->context;
  QUERN_RETURN_IF_ERROR(context.enter());
  if (!inFlight)
    return invalidArgument("wait without a run in flight");
  // The driver has no wait with a timeout. Asking again at once saves the time
  // of a wake-up in each step.
  Clock::time_point start = Clock::now();
  for (;;) {
    Code code = context.functions.cuStreamQuery(context.stream);
    if (code != NotReady) {
      inFlight = false;
      return context.check(code, "a run failed");
    }
    Clock::duration waited = Clock::now() - start;
    auto nanoseconds =
        std::chrono::duration_cast<std::chrono::nanoseconds>(waited).count();
    if (static_cast<uint64_t>(nanoseconds) >= timeoutNanoseconds)
      return Status(StatusCode::DeadlineExceeded,
                    "the run did not finish within " +
                        std::to_string(timeoutNanoseconds) + " ns");
    if (waited > spinTime)
      std::this_thread::sleep_for(sleepTime);
  }
}

Result<std::vector<double>>
CudaDevice::profile(ProgramHandle handle, uint32_t tokens, uint32_t rows) {
  QUERN_ASSIGN_OR_RETURN(CudaProgram * program,
                         prepareRun(handle, tokens, rows));
  return program->profile();
}
