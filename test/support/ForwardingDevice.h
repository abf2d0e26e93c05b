//===- ForwardingDevice.h - A device in front of another --------*- C++ -*-===//
#ifndef QUERN_TEST_SUPPORT_FORWARDINGDEVICE_H
#define QUERN_TEST_SUPPORT_FORWARDINGDEVICE_H

#include "runtime/device/Device.h"

#include <memory>

namespace quern::test {

/// Nothing to do around a call of the device behind.
struct NoGuard {
  NoGuard() {}
};

/// Hands every call on to the device behind it, inside a Guard; derived classes
/// override what they change.
template <typename Guard = NoGuard> class ForwardingDevice : public Device {
public:
  explicit ForwardingDevice(std::unique_ptr<Device> inner)
      : inner(std::move(inner)) {}
  ~ForwardingDevice() override {
    Guard guard;
    inner.reset();
  }

  const DeviceInfo &getInfo() const override { return inner->getInfo(); }
  Result<BufferHandle> allocate(uint64_t size, MemoryKind kind) override {
    Guard guard;
    return inner->allocate(size, kind);
  }
  Result<BufferHandle> importHostMemory(const void *data,
                                        uint64_t size) override {
    Guard guard;
    return inner->importHostMemory(data, size);
  }
  Status upload(BufferHandle buffer, uint64_t offset,
                std::span<const std::byte> data) override {
    Guard guard;
    return inner->upload(buffer, offset, data);
  }
  Status download(BufferHandle buffer, uint64_t offset,
                  std::span<std::byte> data) override {
    Guard guard;
    return inner->download(buffer, offset, data);
  }
  void *getHostPointer(BufferHandle buffer) override {
    return inner->getHostPointer(buffer);
  }
  void free(BufferHandle buffer) override {
    Guard guard;
    inner->free(buffer);
  }
  Result<KernelHandle> createKernel(const KernelDescription &desc) override {
    Guard guard;
    return inner->createKernel(desc);
  }
  Result<ProgramHandle> record(const ProgramDescription &desc) override {
    Guard guard;
    return inner->record(desc);
  }
  Status submit(ProgramHandle program, uint32_t tokens,
                uint32_t rows) override {
    Guard guard;
    return inner->submit(program, tokens, rows);
  }
  Status wait(uint64_t timeoutNanoseconds) override {
    Guard guard;
    return inner->wait(timeoutNanoseconds);
  }
  Result<std::vector<double>> profile(ProgramHandle program, uint32_t tokens,
                                      uint32_t rows) override {
    Guard guard;
    return inner->profile(program, tokens, rows);
  }
  Status checkDiagnostics() const override { return inner->checkDiagnostics(); }

private:
  std::unique_ptr<Device> inner;
};

} // namespace quern::test

#endif // QUERN_TEST_SUPPORT_FORWARDINGDEVICE_H
