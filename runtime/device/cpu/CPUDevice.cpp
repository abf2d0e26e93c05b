//===- CPUDevice.cpp - Kernels as native code on a team of threads --------===//

#include "runtime/device/cpu/CPUDevice.h"

#include "runtime/device/DeviceChecks.h"
#include "runtime/device/cpu/CPUInfo.h"

#include <cstring>
#include <sys/mman.h>

using namespace quern;
using namespace quern::cpu;

using Clock = std::chrono::steady_clock;

CPUDevice::CPUDevice(const CPUOptions &options)
    : info(describeCPU()),
      team(options.threads != 0 ? options.threads : countCores()) {}

CPUDevice::~CPUDevice() {
  buffers.forEach([](Buffer &buffer) {
    if (!buffer.imported)
      ::munmap(buffer.data, buffer.size);
  });
}

Status CPUDevice::pinThreads() { return team.pin(listCores()); }

Status CPUDevice::checkIdle() const {
  if (inFlight)
    return invalidArgument("a run is in flight: wait for it first");
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result<BufferHandle> CPUDevice::allocate(uint64_t size, MemoryKind kind) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkAllocation(size, info.limits));
  void *data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return resourceExhausted("can't allocate " + formatBytes(size) +
                             " of host memory");
  return buffers.insert(
      {static_cast<std::byte *>(data), size, /*imported=*/false, kind});
}

Result<BufferHandle> CPUDevice::importHostMemory(const void *data,
                                                 uint64_t size) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkImport(data, size, info.limits));
  Buffer buffer;
  buffer.data = const_cast<std::byte *>(static_cast<const std::byte *>(data));
  buffer.size = size;
  buffer.imported = true;
  return buffers.insert(buffer);
}

Status CPUDevice::upload(BufferHandle handle, uint64_t offset,
                         std::span<const std::byte> data) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  Buffer *buffer = buffers.find(handle);
  if (!buffer)
    return invalidArgument("upload to an unknown or freed buffer");
  if (buffer->imported)
    return invalidArgument("upload to imported memory, which is read-only");
  QUERN_RETURN_IF_ERROR(
      checkCopy(buffer->size, offset, data.size()).withContext("upload"));
  if (!data.empty())
    std::memcpy(buffer->data + offset, data.data(), data.size());
  return Status::ok();
}

Status CPUDevice::download(BufferHandle handle, uint64_t offset,
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

void *CPUDevice::getHostPointer(BufferHandle handle) {
  Buffer *buffer = buffers.find(handle);
  return buffer && buffer->kind == MemoryKind::HostVisible ? buffer->data
                                                           : nullptr;
}

void CPUDevice::free(BufferHandle handle) {
  Buffer *buffer = buffers.find(handle);
  if (!buffer)
    return;
  if (inFlight)
    (void)wait(UINT64_MAX);
  programs.forEach([&](Program &program) {
    for (const DispatchDescription &dispatch : program.desc.dispatches)
      for (const BufferRange &argument : dispatch.arguments)
        program.valid &= argument.buffer != handle;
  });
  if (!buffer->imported)
    ::munmap(buffer->data, buffer->size);
  buffers.erase(handle);
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

Result<KernelHandle> CPUDevice::createKernel(const KernelDescription &desc) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkKernel(desc, info.limits));
  Result<ElfImage> image = ElfImage::load(desc.code);
  if (!image.isOk())
    return std::move(image).takeStatus().withContext("kernel '" + desc.name +
                                                     "'");
  KernelDescription kept = desc;
  kept.code = {}; // The caller's memory.
  return kernels.insert(Kernel{std::move(kept), std::move(*image)});
}

Result<ProgramHandle> CPUDevice::record(const ProgramDescription &desc) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  QUERN_RETURN_IF_ERROR(checkProgram(
      desc, info.limits,
      [&](KernelHandle handle) -> const KernelDescription * {
        const Kernel *kernel = kernels.find(handle);
        return kernel ? &kernel->desc : nullptr;
      },
      [&](BufferHandle handle) -> std::optional<BufferFacts> {
        Buffer *buffer = buffers.find(handle);
        if (!buffer)
          return std::nullopt;
        // Imported memory of any size is one range here.
        return BufferFacts{buffer->size, /*imported=*/false};
      }));
  Program program{desc, {}, true};
  for (const DispatchDescription &from : desc.dispatches) {
    Dispatch to;
    to.function = kernels.find(from.kernel)->image.getEntry();
    for (const BufferRange &range : from.arguments)
      to.arguments.push_back(buffers.find(range.buffer)->data + range.offset);
    to.grid = from.grid;
    to.barrierBefore = from.barrierBefore;
    program.dispatches.push_back(std::move(to));
  }
  return programs.insert(std::move(program));
}

Result<CPUDevice::Program *>
CPUDevice::prepare(ProgramHandle handle, uint32_t tokens, uint32_t rows) {
  QUERN_RETURN_IF_ERROR(checkIdle());
  Program *program = programs.find(handle);
  if (!program)
    return invalidArgument("unknown program handle");
  if (!program->valid)
    return invalidArgument("program '" + program->desc.name +
                           "' uses a buffer that was freed");
  for (size_t i = 0; i != program->dispatches.size(); ++i) {
    Dispatch &dispatch = program->dispatches[i];
    if (Status status = checkCounts(dispatch.grid, tokens, rows);
        !status.isOk())
      return std::move(status).withContext(describeDispatch(program->desc, i));
    dispatch.groups = computeGrid(dispatch.grid, tokens, rows);
    dispatch.numGroups =
        uint64_t(dispatch.groups[0]) * dispatch.groups[1] * dispatch.groups[2];
  }
  return program;
}

void CPUDevice::runDispatch(const Dispatch &dispatch, unsigned index) const {
  // The product has at most 96 bits.
  unsigned __int128 total = dispatch.numGroups;
  uint64_t begin = uint64_t(total * index / team.getSize());
  uint64_t end = uint64_t(total * (index + 1) / team.getSize());
  if (begin != end)
    dispatch.function(dispatch.arguments.data(), dispatch.groups.data(), begin,
                      end);
}

void CPUDevice::runShare(unsigned index, size_t first,
                         Clock::time_point deadline) {
  const std::vector<Dispatch> &all = inFlight->program->dispatches;
  for (size_t i = first; i != all.size(); ++i) {
    if (all[i].barrierBefore && i != first) {
      if (index == 0 && Clock::now() >= deadline)
        stopAt.store(i, std::memory_order_relaxed);
      team.synchronize();
      if (stopAt.load(std::memory_order_relaxed) == i) {
        if (index == 0)
          inFlight->next = i;
        return;
      }
    }
    runDispatch(all[i], index);
  }
  if (index == 0)
    inFlight->next = all.size();
}

Status CPUDevice::submit(ProgramHandle handle, uint32_t tokens, uint32_t rows) {
  QUERN_ASSIGN_OR_RETURN(Program * program, prepare(handle, tokens, rows));
  inFlight = Run{program, 0};
  return Status::ok();
}

Status CPUDevice::wait(uint64_t timeoutNanoseconds) {
  if (!inFlight)
    return invalidArgument("wait without a run in flight");
  constexpr uint64_t aYear = uint64_t(365) * 86400 * 1000000000;
  Clock::time_point deadline =
      Clock::now() +
      std::chrono::nanoseconds(std::min(timeoutNanoseconds, aYear));
  size_t first = inFlight->next;
  stopAt.store(first, std::memory_order_relaxed); // No barrier of this run.
  team.run([&](unsigned index) { runShare(index, first, deadline); });
  if (inFlight->next != inFlight->program->dispatches.size())
    return Status(StatusCode::DeadlineExceeded,
                  "the run did not finish within " +
                      std::to_string(timeoutNanoseconds) + " ns");
  inFlight.reset();
  return Status::ok();
}

Result<std::vector<double>> CPUDevice::profile(ProgramHandle handle,
                                               uint32_t tokens, uint32_t rows) {
  QUERN_ASSIGN_OR_RETURN(Program * program, prepare(handle, tokens, rows));
  std::vector<double> nanoseconds;
  for (const Dispatch &dispatch : program->dispatches) {
    Clock::time_point begin = Clock::now();
    team.run([&](unsigned index) { runDispatch(dispatch, index); });
    nanoseconds.push_back(
        std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
  }
  return nanoseconds;
}
