//===- NullDevice.h - A device of host memory for tests and faults -*- C++
//-*-===//
//
// Runs no device code. Memory is real host memory, so upload, download and the
// step block work; programs are checked exactly as on a real device (see
// runtime/device/DeviceChecks.h) and their dispatches call the host functions
// that a test provides by kernel name. Options inject the faults that a real
// device shows rarely.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_NULL_NULLDEVICE_H
#define QUERN_RUNTIME_DEVICE_NULL_NULLDEVICE_H

#include "runtime/device/Device.h"
#include "runtime/device/HandleTable.h"

#include <functional>
#include <map>
#include <optional>

namespace quern {

/// All `n-th` counts start at 1; 0 means never.
struct NullDeviceOptions {
  /// Sum of live allocations, bytes. Imports are free.
  uint64_t capacityBytes = uint64_t(1) << 40;
  /// The n-th call of allocate, importHostMemory, createKernel or record
  /// fails with ResourceExhausted (these are the calls that allocate).
  uint64_t failAllocation = 0;
  /// The n-th submit returns DeviceLost.
  uint64_t loseAtSubmit = 0;
  /// The wait after the n-th submit returns DeviceLost.
  uint64_t loseAtWait = 0;
  /// The n-th submit never finishes: wait returns DeadlineExceeded at once,
  /// whatever its timeout.
  uint64_t hangAtSubmit = 0;
  bool supportsImport = true;
  /// Runs the dispatches between two barriers in reverse order, which makes a
  /// missing barrier visible.
  bool reverseBetweenBarriers = false;
  /// Replaces the default limits.
  std::optional<DeviceLimits> limits;
  std::vector<std::string> features = {"storage16", "storage8",
                                       "subgroup-arithmetic",
                                       "subgroup-shuffle", "texel-buffer"};
};

class NullDevice final : public Device {
public:
  /// One dispatch as its host function sees it.
  struct KernelCall {
    const std::string &kernel; ///< KernelDescription::name.
    const std::string &label;  ///< DispatchDescription::label.
    std::array<uint32_t, 3> workgroupSize;
    std::array<uint32_t, 3> grid; ///< Workgroups of this run.
    uint32_t tokens, rows;        ///< As submitted.
    /// The bytes of each argument. Arguments in imported memory must not be
    /// written.
    std::span<const std::span<std::byte>> arguments;

    /// Argument `i` as elements of type T; a partial last element is cut.
    template <typename T> std::span<T> get(size_t i) const {
      return {reinterpret_cast<T *>(arguments[i].data()),
              arguments[i].size() / sizeof(T)};
    }
  };
  using KernelFunction = std::function<void(const KernelCall &)>;

  explicit NullDevice(NullDeviceOptions options = {});

  /// Dispatches of kernels with this name call `function`; kernels without a
  /// function are counted only. May be called before or after createKernel.
  void setKernelFunction(std::string name, KernelFunction function);

  /// The memory of a live buffer of any kind (imported ones included), or
  /// null; what getHostPointer hides for DeviceLocal buffers.
  std::byte *getMemory(BufferHandle buffer);

  uint64_t getNumSubmits() const { return numSubmits; }
  uint64_t getNumDispatches() const { return numDispatches; }
  uint64_t getNumAllocations() const { return numAllocations; }
  uint64_t getAllocatedBytes() const { return allocatedBytes; }
  uint64_t getNumLiveBuffers() const { return buffers.getNumLive(); }

  const DeviceInfo &getInfo() const override { return info; }
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
  struct Buffer {
    std::unique_ptr<std::byte[]> owned; ///< Null for imported memory.
    std::byte *data = nullptr;
    uint64_t size = 0;
    MemoryKind kind = MemoryKind::DeviceLocal;
  };
  struct Program {
    ProgramDescription desc;
    bool valid = true; ///< False once one of its buffers was freed.
  };
  struct Run {
    ProgramHandle program;
    uint32_t tokens, rows;
    bool hangs;
  };

  Status checkIdle() const;
  Status countAllocation(const std::string &what);
  Result<Program *> checkRun(ProgramHandle program, uint32_t tokens,
                             uint32_t rows);
  void runDispatch(const DispatchDescription &dispatch, uint32_t tokens,
                   uint32_t rows);
  /// Calls `visit` with the index of each dispatch in the order of a run.
  void visitInOrder(const Program &program,
                    const std::function<void(size_t)> &visit) const;

  NullDeviceOptions options;
  DeviceInfo info;
  HandleTable<BufferHandle, Buffer> buffers;
  HandleTable<KernelHandle, KernelDescription> kernels;
  HandleTable<ProgramHandle, Program> programs;
  std::map<std::string, KernelFunction, std::less<>> functions;
  std::optional<Run> inFlight;
  bool lost = false;
  uint64_t numSubmits = 0, numDispatches = 0, numAllocations = 0;
  uint64_t allocatedBytes = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_DEVICE_NULL_NULLDEVICE_H
