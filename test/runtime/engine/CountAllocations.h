//===- CountAllocations.h - How often operator new is called ----*- C++ -*-===//
//
// Linking CountAllocations.cpp replaces the global operator new by one that
// counts and can fail.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_RUNTIME_ENGINE_COUNTALLOCATIONS_H
#define QUERN_TEST_RUNTIME_ENGINE_COUNTALLOCATIONS_H

#include "runtime/device/Device.h"

#include <memory>

namespace quern::test {

/// Calls of operator new in this thread that were not inside of an
/// UncountedDevice.
uint64_t countAllocations();

/// The n-th counted call from now throws bad_alloc; 0: none does.
void failAllocation(uint64_t n);

/// Forwards to another device; what that allocates (the null device does) is
/// neither counted nor fails.
class UncountedDevice final : public Device {
public:
  explicit UncountedDevice(std::unique_ptr<Device> device)
      : device(std::move(device)) {}
  ~UncountedDevice() override;

  const DeviceInfo &getInfo() const override { return device->getInfo(); }
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
  std::unique_ptr<Device> device;
};

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_ENGINE_COUNTALLOCATIONS_H
