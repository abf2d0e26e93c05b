//===- Memory.cpp - Allocations, copies, fills ----------------------------===//

#include "test/cuda/driver/api/State.h"

#include <cstdlib>
#include <cstring>

using namespace quern::ptx;

//===----------------------------------------------------------------------===//
// Allocations
//===----------------------------------------------------------------------===//

QUERN_CUDA_API cuMemGetInfo_v2(size_t *freeBytes, size_t *totalBytes) {
  return callApi("cuMemGetInfo_v2", Needs::Context, [&] {
    State &state = State::get();
    *totalBytes = state.options.memoryBytes;
    *freeBytes = state.options.memoryBytes - state.memory->getUsedBytes();
    return Success;
  });
}

QUERN_CUDA_API cuMemAlloc_v2(DevicePointer *address, size_t bytes) {
  return callApi("cuMemAlloc_v2", Needs::Context, [&] {
    require(address && bytes != 0, "nothing to allocate");
    State &state = State::get();
    *address = state.memory->allocate(bytes, state.options.memoryBytes);
    if (*address == 0)
      throw ApiError(OutOfMemory,
                     "no room for " + std::to_string(bytes) + " bytes");
    ++state.counters.deviceAllocations;
    return Success;
  });
}

QUERN_CUDA_API cuMemFree_v2(DevicePointer address) {
  return callApi("cuMemFree_v2", Needs::Context, [&] {
    State &state = State::get();
    if (address == 0)
      return Success;
    state.runAllStreams(/*nonBlocking=*/true); // As hardware does.
    if (!state.memory->free(address))
      throw ApiError(InvalidValue,
                     formatHex(address) + " is not the start of an allocation");
    return Success;
  });
}

QUERN_CUDA_API cuMemHostAlloc(void **data, size_t bytes, unsigned flags) {
  return callApi("cuMemHostAlloc", Needs::Context, [&] {
    require(data && bytes != 0 && (flags & ~7U) == 0, "bad arguments");
    State &state = State::get();
    void *memory = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!memory)
      throw ApiError(OutOfMemory, "no host memory");
    std::memset(memory, 0xa5, bytes); // Not zeros, as page-locked memory.
    state.pinned[memory] = bytes;
    state.memory->addHost(memory, bytes, /*readOnly=*/false);
    ++state.counters.hostAllocations;
    *data = memory;
    return Success;
  });
}

QUERN_CUDA_API cuMemFreeHost(void *data) {
  return callApi("cuMemFreeHost", Needs::Context, [&] {
    State &state = State::get();
    state.runAllStreams(/*nonBlocking=*/true);
    if (state.pinned.erase(data) == 0)
      throw ApiError(InvalidValue, "not from cuMemHostAlloc");
    state.memory->removeHost(data);
    std::free(data);
    return Success;
  });
}

QUERN_CUDA_API cuMemHostRegister_v2(void *data, size_t bytes, unsigned flags) {
  return callApi("cuMemHostRegister_v2", Needs::Context, [&] {
    require(data && bytes != 0 && (flags & ~15U) == 0, "bad arguments");
    State &state = State::get();
    if (state.memory->find(reinterpret_cast<uintptr_t>(data)))
      return HostMemoryAlreadyRegistered;
    state.memory->addHost(data, bytes, /*readOnly=*/(flags & 8) != 0);
    ++state.counters.hostAllocations;
    return Success;
  });
}

QUERN_CUDA_API cuMemHostUnregister(void *data) {
  return callApi("cuMemHostUnregister", Needs::Context, [&] {
    State &state = State::get();
    state.runAllStreams(/*nonBlocking=*/true);
    bool registered =
        !state.pinned.contains(data) && state.memory->removeHost(data);
    return registered ? Success : HostMemoryNotRegistered;
  });
}

QUERN_CUDA_API cuMemHostGetDevicePointer_v2(DevicePointer *address, void *data,
                                            unsigned flags) {
  return callApi("cuMemHostGetDevicePointer_v2", Needs::Context, [&] {
    require(flags == 0, "flags have to be 0");
    *address = reinterpret_cast<uintptr_t>(data);
    Allocation *allocation = State::get().memory->find(*address);
    require(allocation && allocation->isHost, "no page-locked memory");
    return Success;
  });
}

//===----------------------------------------------------------------------===//
// Copies and fills
//===----------------------------------------------------------------------===//

static void copyToDevice(uint64_t to, const void *from, size_t bytes) {
  State &state = State::get();
  if (bytes == 0)
    return;
  std::memcpy(state.memory->access(to, bytes, false, true), from, bytes);
  state.memory->markWritten(to, bytes);
  state.counters.hostToDeviceBytes += bytes;
}

static void copyToHost(void *to, uint64_t from, size_t bytes) {
  State &state = State::get();
  if (bytes == 0)
    return;
  std::memcpy(to, state.memory->access(from, bytes, true, false), bytes);
  state.counters.deviceToHostBytes += bytes;
}

static void copyOnDevice(uint64_t to, uint64_t from, size_t bytes) {
  State &state = State::get();
  if (bytes == 0)
    return;
  const std::byte *source = state.memory->access(from, bytes, true, false);
  std::memmove(state.memory->access(to, bytes, false, true), source, bytes);
  state.memory->markWritten(to, bytes);
}

static void fill(uint64_t to, uint32_t pattern, unsigned width, size_t count) {
  State &state = State::get();
  if (count == 0)
    return;
  if (to % width != 0)
    throw Fault(FaultCode::MisalignedAddress, "misaligned fill");
  std::byte *data = state.memory->access(to, count * width, false, true);
  if (width == 1)
    std::memset(data, static_cast<int>(pattern), count);
  else
    for (size_t i = 0; i != count; ++i)
      std::memcpy(data + i * width, &pattern, width);
  state.memory->markWritten(to, count * width);
}

/// Blocking calls are ordered behind the streams that are not non-blocking.
template <typename Work> static Result runNow(const char *name, Work work) {
  return callApi(name, Needs::Context, [&] {
    ++State::get().counters.synchronisations;
    State::get().runAllStreams(/*nonBlocking=*/false);
    work();
    return Success;
  });
}

template <typename Work>
static Result enqueue(const char *name, void *stream, Work work) {
  return callApi(name, Needs::Context, [&] {
    State::get().findStream(stream).queue.push_back(work);
    return Success;
  });
}

QUERN_CUDA_API cuMemcpyHtoD_v2(DevicePointer to, const void *from,
                               size_t bytes) {
  return runNow("cuMemcpyHtoD_v2", [&] { copyToDevice(to, from, bytes); });
}
QUERN_CUDA_API cuMemcpyDtoH_v2(void *to, DevicePointer from, size_t bytes) {
  return runNow("cuMemcpyDtoH_v2", [&] { copyToHost(to, from, bytes); });
}
QUERN_CUDA_API cuMemcpyDtoD_v2(DevicePointer to, DevicePointer from,
                               size_t bytes) {
  return runNow("cuMemcpyDtoD_v2", [&] { copyOnDevice(to, from, bytes); });
}
QUERN_CUDA_API cuMemsetD8_v2(DevicePointer to, unsigned char value,
                             size_t count) {
  return runNow("cuMemsetD8_v2", [&] { fill(to, value, 1, count); });
}
QUERN_CUDA_API cuMemsetD32_v2(DevicePointer to, unsigned value, size_t count) {
  return runNow("cuMemsetD32_v2", [&] { fill(to, value, 4, count); });
}
QUERN_CUDA_API cuMemcpyHtoDAsync_v2(DevicePointer to, const void *from,
                                    size_t bytes, void *stream) {
  return enqueue("cuMemcpyHtoDAsync_v2", stream,
                 [=] { copyToDevice(to, from, bytes); });
}
QUERN_CUDA_API cuMemcpyDtoHAsync_v2(void *to, DevicePointer from, size_t bytes,
                                    void *stream) {
  return enqueue("cuMemcpyDtoHAsync_v2", stream,
                 [=] { copyToHost(to, from, bytes); });
}
QUERN_CUDA_API cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from,
                                    size_t bytes, void *stream) {
  return enqueue("cuMemcpyDtoDAsync_v2", stream,
                 [=] { copyOnDevice(to, from, bytes); });
}
QUERN_CUDA_API cuMemsetD8Async(DevicePointer to, unsigned char value,
                               size_t count, void *stream) {
  return enqueue("cuMemsetD8Async", stream, [=] { fill(to, value, 1, count); });
}
QUERN_CUDA_API cuMemsetD32Async(DevicePointer to, unsigned value, size_t count,
                                void *stream) {
  return enqueue("cuMemsetD32Async", stream,
                 [=] { fill(to, value, 4, count); });
}
