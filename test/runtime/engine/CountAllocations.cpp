//===- CountAllocations.cpp - How often operator new is called ------------===//

#include "test/runtime/engine/CountAllocations.h"

#include <cstdlib>
#include <new>

using namespace quern;
using namespace quern::test;

static thread_local uint64_t count = 0;
static thread_local uint64_t failAt = 0;
static thread_local int paused = 0;

void *operator new(size_t size) {
  if (paused == 0 && ++count == failAt)
    throw std::bad_alloc();
  if (void *memory = std::malloc(size ? size : 1))
    return memory;
  throw std::bad_alloc();
}
void *operator new[](size_t size) { return operator new(size); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, size_t) noexcept { std::free(memory); }

uint64_t quern::test::countAllocations() { return count; }
void quern::test::failAllocation(uint64_t n) { failAt = n ? count + n : 0; }

namespace {
struct Pause {
  Pause() { ++paused; }
  ~Pause() { --paused; }
};
} // namespace

UncountedDevice::~UncountedDevice() {
  Pause pause;
  device.reset();
}
Result<BufferHandle> UncountedDevice::allocate(uint64_t size, MemoryKind kind) {
  Pause pause;
  return device->allocate(size, kind);
}
Result<BufferHandle> UncountedDevice::importHostMemory(const void *data,
                                                       uint64_t size) {
  Pause pause;
  return device->importHostMemory(data, size);
}
Status UncountedDevice::upload(BufferHandle buffer, uint64_t offset,
                               std::span<const std::byte> data) {
  Pause pause;
  return device->upload(buffer, offset, data);
}
Status UncountedDevice::download(BufferHandle buffer, uint64_t offset,
                                 std::span<std::byte> data) {
  Pause pause;
  return device->download(buffer, offset, data);
}
void *UncountedDevice::getHostPointer(BufferHandle buffer) {
  return device->getHostPointer(buffer);
}
void UncountedDevice::free(BufferHandle buffer) {
  Pause pause;
  device->free(buffer);
}
Result<KernelHandle>
UncountedDevice::createKernel(const KernelDescription &desc) {
  Pause pause;
  return device->createKernel(desc);
}
Result<ProgramHandle> UncountedDevice::record(const ProgramDescription &desc) {
  Pause pause;
  return device->record(desc);
}
Status UncountedDevice::submit(ProgramHandle program, uint32_t tokens,
                               uint32_t rows) {
  Pause pause;
  return device->submit(program, tokens, rows);
}
Status UncountedDevice::wait(uint64_t timeoutNanoseconds) {
  Pause pause;
  return device->wait(timeoutNanoseconds);
}
Result<std::vector<double>> UncountedDevice::profile(ProgramHandle program,
                                                     uint32_t tokens,
                                                     uint32_t rows) {
  Pause pause;
  return device->profile(program, tokens, rows);
}
