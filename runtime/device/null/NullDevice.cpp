//===- NullDevice.cpp - A device of host memory for tests and faults ------===//

#include "runtime/device/null/NullDevice.h"

#include "runtime/device/DeviceChecks.h"

#include <chrono>
#include <cstring>
#include <new>

using namespace quern;

/// Generous where real devices are, and as strict where they are strict.
static DeviceLimits getDefaultLimits(const NullDeviceOptions &options) {
  DeviceLimits limits;
  limits.memoryBytes = options.capacityBytes;
  limits.maxAllocationBytes = uint64_t(1) << 31;
  limits.maxStorageBufferBytes = uint64_t(1) << 27;
  limits.maxTexelElements = uint64_t(1) << 27;
  limits.bindingAlignment = 256;
  limits.maxWorkgroupSize = 1024;
  limits.maxWorkgroupShape = {1024, 1024, 1024};
  limits.maxWorkgroupMemory = 32768;
  limits.maxGrid = {65535, 65535, 65535};
  limits.maxStorageArguments = 16;
  limits.maxTexelArguments = 16;
  limits.subgroupSize = 8;
  limits.minSubgroupSize = 8;
  limits.maxSubgroupSize = 8;
  limits.importAlignment = 4096;
  return limits;
}

NullDevice::NullDevice(NullDeviceOptions opts) : options(std::move(opts)) {
  info.api = "null";
  info.apiVersion = "1";
  info.name = "null device";
  info.driver = "quern";
  info.isSoftware = true;
  info.sharesHostMemory = true;
  info.limits = options.limits ? *options.limits : getDefaultLimits(options);
  if (!options.supportsImport)
    info.limits.importAlignment = 0;
  info.features = options.features;
}

void NullDevice::setKernelFunction(std::string name, KernelFunction function) {
  functions[std::move(name)] = std::move(function);
}

std::byte *NullDevice::getMemory(BufferHandle buffer) {
  Buffer *found = buffers.find(buffer);
  return found ? found->data : nullptr;
}

static Status makeLost() {
  return Status(StatusCode::DeviceLost, "the null device was lost");
}

Status NullDevice::checkIdle() const {
  if (lost)
    return makeLost();
  if (inFlight)
    return invalidArgument("a run is in flight: wait for it first");
  return Status::ok();
}

Status NullDevice::countAllocation(const std::string &what) {
  if (++numAllocations == options.failAllocation)
    return resourceExhausted(what + ": allocation " +
                             std::to_string(numAllocations) +
                             " fails as the test asked");
  return Status::ok();
}

Result<BufferHandle> NullDevice::allocate(uint64_t size, MemoryKind kind) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkAllocation(size, info.limits));
  QUERN_RETURN_IF_ERROR(countAllocation("can't allocate " + formatBytes(size)));
  uint64_t available =
      options.capacityBytes - std::min(allocatedBytes, options.capacityBytes);
  if (size > available)
    return resourceExhausted("can't allocate " + formatBytes(size) + ": " +
                             formatBytes(available) + " of " +
                             formatBytes(options.capacityBytes) + " are free");
  Buffer buffer;
  buffer.owned.reset(new (std::nothrow) std::byte[size]());
  if (!buffer.owned)
    return resourceExhausted("can't allocate " + formatBytes(size) +
                             " of host memory");
  buffer.data = buffer.owned.get();
  buffer.size = size;
  buffer.kind = kind;
  allocatedBytes += size;
  return buffers.insert(std::move(buffer));
}

Result<BufferHandle> NullDevice::importHostMemory(const void *data,
                                                  uint64_t size) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkImport(data, size, info.limits));
  QUERN_RETURN_IF_ERROR(countAllocation("can't import " + formatBytes(size)));
  Buffer buffer;
  buffer.data = const_cast<std::byte *>(static_cast<const std::byte *>(data));
  buffer.size = size;
  return buffers.insert(std::move(buffer));
}

Status NullDevice::upload(BufferHandle handle, uint64_t offset,
                          std::span<const std::byte> data) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  Buffer *buffer = buffers.find(handle);
  if (!buffer)
    return invalidArgument("upload to an unknown or freed buffer");
  if (!buffer->owned)
    return invalidArgument("upload to imported memory, which is read-only");
  QUERN_RETURN_IF_ERROR(
      checkCopy(buffer->size, offset, data.size()).withContext("upload"));
  if (!data.empty())
    std::memcpy(buffer->data + offset, data.data(), data.size());
  return Status::ok();
}

Status NullDevice::download(BufferHandle handle, uint64_t offset,
                            std::span<std::byte> data) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  Buffer *buffer = buffers.find(handle);
  if (!buffer)
    return invalidArgument("download from an unknown or freed buffer");
  QUERN_RETURN_IF_ERROR(
      checkCopy(buffer->size, offset, data.size()).withContext("download"));
  if (!data.empty())
    std::memcpy(data.data(), buffer->data + offset, data.size());
  return Status::ok();
}

void *NullDevice::getHostPointer(BufferHandle handle) {
  Buffer *buffer = buffers.find(handle);
  return buffer && buffer->kind == MemoryKind::HostVisible ? buffer->data
                                                           : nullptr;
}

void NullDevice::free(BufferHandle handle) {
  Buffer *buffer = buffers.find(handle);
  if (!buffer)
    return;
  if (inFlight)
    (void)wait(0);
  if (buffer->owned)
    allocatedBytes -= buffer->size;
  programs.forEach([&](Program &program) {
    for (const DispatchDescription &dispatch : program.desc.dispatches)
      for (const BufferRange &argument : dispatch.arguments)
        program.valid &= argument.buffer != handle;
  });
  buffers.erase(handle);
}

Result<KernelHandle> NullDevice::createKernel(const KernelDescription &desc) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkKernel(desc, info.limits));
  QUERN_RETURN_IF_ERROR(
      countAllocation("can't create kernel '" + desc.name + "'"));
  KernelDescription kept = desc;
  kept.code = {}; // The caller's memory; nothing runs it.
  return kernels.insert(std::move(kept));
}

Result<ProgramHandle> NullDevice::record(const ProgramDescription &desc) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkProgram(
      desc, info.limits,
      [&](KernelHandle kernel) { return kernels.find(kernel); },
      [&](BufferHandle handle) -> std::optional<BufferFacts> {
        Buffer *buffer = buffers.find(handle);
        if (!buffer)
          return std::nullopt;
        return BufferFacts{buffer->size, /*imported=*/!buffer->owned};
      }));
  QUERN_RETURN_IF_ERROR(
      countAllocation("can't record program '" + desc.name + "'"));
  return programs.insert(Program{desc, /*valid=*/true});
}

Result<NullDevice::Program *>
NullDevice::checkRun(ProgramHandle handle, uint32_t tokens, uint32_t rows) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  Program *program = programs.find(handle);
  if (!program)
    return invalidArgument("unknown program handle");
  if (!program->valid)
    return invalidArgument("program '" + program->desc.name +
                           "' uses a buffer that was freed");
  for (size_t i = 0; i != program->desc.dispatches.size(); ++i)
    if (Status status =
            checkCounts(program->desc.dispatches[i].grid, tokens, rows);
        !status.isOk())
      return std::move(status).withContext(describeDispatch(program->desc, i));
  return program;
}

void NullDevice::runDispatch(const DispatchDescription &dispatch,
                             uint32_t tokens, uint32_t rows) {
  ++numDispatches;
  const KernelDescription &kernel = *kernels.find(dispatch.kernel);
  auto function = functions.find(kernel.name);
  std::array<uint32_t, 3> grid = computeGrid(dispatch.grid, tokens, rows);
  if (function == functions.end() || grid[0] == 0 || grid[1] == 0 ||
      grid[2] == 0)
    return;
  std::vector<std::span<std::byte>> arguments;
  arguments.reserve(dispatch.arguments.size());
  for (const BufferRange &range : dispatch.arguments)
    arguments.emplace_back(buffers.find(range.buffer)->data + range.offset,
                           range.size);
  function->second({kernel.name, dispatch.label, kernel.workgroupSize, grid,
                    tokens, rows, arguments});
}

void NullDevice::visitInOrder(const Program &program,
                              const std::function<void(size_t)> &visit) const {
  const std::vector<DispatchDescription> &all = program.desc.dispatches;
  for (size_t begin = 0, end; begin != all.size(); begin = end) {
    end = begin + 1;
    while (end != all.size() && !all[end].barrierBefore)
      ++end;
    for (size_t i = begin; i != end; ++i)
      visit(options.reverseBetweenBarriers ? end - 1 - (i - begin) : i);
  }
}

Status NullDevice::submit(ProgramHandle handle, uint32_t tokens,
                          uint32_t rows) {
  Result<Program *> program = checkRun(handle, tokens, rows);
  if (!program.isOk())
    return std::move(program).takeStatus();
  if (++numSubmits == options.loseAtSubmit) {
    lost = true;
    return makeLost();
  }
  inFlight = Run{handle, tokens, rows, numSubmits == options.hangAtSubmit};
  return Status::ok();
}

// Dispatches run here and not in submit: a caller that reads results without
// waiting gets the old ones.
Status NullDevice::wait(uint64_t timeoutNanoseconds) {
  if (lost)
    return makeLost();
  if (!inFlight)
    return invalidArgument("wait without a run in flight");
  if (inFlight->hangs)
    return Status(StatusCode::DeadlineExceeded,
                  "the run did not finish within " +
                      std::to_string(timeoutNanoseconds) + " ns");
  Run run = *inFlight;
  inFlight.reset();
  if (numSubmits == options.loseAtWait) {
    lost = true;
    return makeLost();
  }
  const Program &program = *programs.find(run.program);
  visitInOrder(program, [&](size_t i) {
    runDispatch(program.desc.dispatches[i], run.tokens, run.rows);
  });
  return Status::ok();
}

Result<std::vector<double>>
NullDevice::profile(ProgramHandle handle, uint32_t tokens, uint32_t rows) {
  QUERN_ASSIGN_OR_RETURN(Program * program, checkRun(handle, tokens, rows));
  std::vector<double> nanoseconds(program->desc.dispatches.size());
  visitInOrder(*program, [&](size_t i) {
    auto begin = std::chrono::steady_clock::now();
    runDispatch(program->desc.dispatches[i], tokens, rows);
    nanoseconds[i] = std::chrono::duration<double, std::nano>(
                         std::chrono::steady_clock::now() - begin)
                         .count();
  });
  return nanoseconds;
}
