//===- DeviceSteps.h - Dispatches on device memory, timed -------*- C++ -*-===//
//
// For benchmarks: tensors that stay on the device, programs of dispatches over
// them, and the CPU time of such programs.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_KERNELS_DEVICESTEPS_H
#define QUERN_TEST_KERNELS_DEVICESTEPS_H

#include "codegen/KernelCompiler.h"
#include "runtime/device/Device.h"

#include <map>
#include <string>
#include <vector>

namespace quern::test {

/// A tensor in device memory.
struct DeviceTensor {
  DataType type = DataType::F32;
  std::vector<int64_t> shape;
  BufferRange range;

  /// `count` slices of dimension 0 from `first` on, under another shape.
  DeviceTensor slice(int64_t first, int64_t count,
                     std::vector<int64_t> newShape) const;
};

/// Buffers that live as long as this does.
class DeviceMemory {
public:
  explicit DeviceMemory(Device &device) : device(device) {}
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory &) = delete;
  DeviceMemory &operator=(const DeviceMemory &) = delete;

  Result<DeviceTensor> allocate(DataType type, std::vector<int64_t> shape);
  /// Random numbers in [-scale, scale], the same ones every 8 MiB.
  Result<DeviceTensor> allocateRandom(DataType type, std::vector<int64_t> shape,
                                      double scale);
  Result<DeviceTensor> allocateIntegers(std::vector<int64_t> shape,
                                        const std::vector<int32_t> &values);

private:
  Device &device;
  std::vector<BufferHandle> handles;
};

using KernelConfig = std::map<std::string, ConfigValue>;

/// Compiles each kernel once.
class KernelSet {
public:
  KernelSet(Device &device, const TargetDescription &target)
      : device(device), target(target) {}

  /// Adds a dispatch over `inputs` and `outputs`, in this order, at its full
  /// count. It waits for those before it if `waits` is set.
  Status add(ProgramDescription &program, const std::string &family,
             const KernelConfig &config,
             const std::vector<DeviceTensor> &inputs,
             const std::vector<DeviceTensor> &outputs, bool waits = true);

private:
  struct Entry {
    KernelHandle handle;
    std::array<uint32_t, 3> groups;
  };
  Result<Entry> compile(const KernelRequest &request);

  Device &device;
  const TargetDescription &target;
  KernelCompiler compiler;
  std::map<std::string, Entry> kernels;
};

/// CPU time of one run of a recorded program, user and system, all threads, in
/// seconds.
Result<double> timeProgram(Device &device, ProgramHandle program);

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_DEVICESTEPS_H
