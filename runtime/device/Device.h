//===- Device.h - What the engine needs of a device --------------*- C++ -*-===//
//
// One interface for Vulkan, CUDA, the CPU and the null device of the tests.
// The engine allocates everything at load time, records each program once and
// then only submits: nothing is allocated, compiled or recorded in a step.
// Every implementation passes test/runtime/device/Conformance.
//
// Not thread-safe: one thread drives a device.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_DEVICE_H
#define QUERN_RUNTIME_DEVICE_DEVICE_H

#include "runtime/base/Status.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quern {

/// Handles index tables inside the device that made them.
enum class BufferHandle : uint32_t {};
enum class KernelHandle : uint32_t {};
enum class ProgramHandle : uint32_t {};

enum class MemoryKind : uint8_t {
  HostVisible, ///< Mapped and coherent; the step block.
  DeviceLocal, ///< Arena and states. Zero-filled on allocation.
};

/// How a kernel declares an argument. Texel views are read-only.
enum class ArgumentAccess : uint8_t {
  StorageBuffer,
  TexelUint4,
  TexelFloat4,
  TexelUint1,
  TexelFloat1,
};

struct DeviceLimits {
  uint64_t memoryBytes = 0;          ///< Of the largest device-local heap.
  uint64_t maxAllocationBytes = 0;   ///< Of one buffer.
  uint64_t maxStorageBufferBytes = 0; ///< Range of one storage-buffer binding.
  uint64_t maxTexelElements = 0;     ///< Of one texel view.
  uint32_t bindingAlignment = 1;     ///< Bytes, for offsets of bindings.
  uint32_t maxWorkgroupSize = 0;
  uint32_t maxWorkgroupMemory = 0;
  std::array<uint32_t, 3> maxGrid = {0, 0, 0};
  uint32_t subgroupSize = 0;
};

struct DeviceInfo {
  std::string api;        ///< "vulkan", "null"
  std::string apiVersion; ///< "1.3.230"
  std::string name;       ///< As the driver says, untrusted text.
  std::string driver;
  bool isSoftware = false; ///< A CPU implementation such as lavapipe.
  DeviceLimits limits;
  std::vector<std::string> features; ///< "storage16", "texel-buffer", ...
};

struct KernelDescription {
  std::string name;
  std::string entryPoint;
  std::span<const std::byte> code; ///< SPIR-V words for Vulkan.
  std::array<uint32_t, 3> workgroupSize = {1, 1, 1};
  std::vector<ArgumentAccess> arguments; ///< Binding i of set 0 is argument i.
  uint32_t subgroupSize = 0;             ///< 0: any.
};

struct BufferRange {
  BufferHandle buffer;
  uint64_t offset = 0;
  uint64_t size = 0;
};

/// Which run-time count scales a grid dimension.
enum class GridCount : uint8_t { None, Tokens, Rows };

struct GridDescription {
  std::array<uint32_t, 3> groups = {1, 1, 1};
  GridCount count = GridCount::None;
  uint8_t axis = 0;
  uint32_t tile = 1;
  uint32_t scale = 1;
};

/// The grid of a step with `tokens` and `rows`: dimension `axis` becomes
/// ceil(count / tile) * scale, the others stay. The one definition for all
/// devices.
inline std::array<uint32_t, 3> computeGrid(const GridDescription &grid,
                                           uint32_t tokens, uint32_t rows) {
  std::array<uint32_t, 3> groups = grid.groups;
  if (grid.count == GridCount::None)
    return groups;
  uint32_t count = grid.count == GridCount::Tokens ? tokens : rows;
  groups[grid.axis] = (count + grid.tile - 1) / grid.tile * grid.scale;
  return groups;
}

struct DispatchDescription {
  KernelHandle kernel;
  std::vector<BufferRange> arguments;
  GridDescription grid;
  bool barrierBefore = false;
  std::string label;
};

struct ProgramDescription {
  std::string name;
  std::vector<DispatchDescription> dispatches;
};

class Device {
public:
  virtual ~Device() = default;

  virtual const DeviceInfo &getInfo() const = 0;

  /// Allocates `size` bytes (> 0). ResourceExhausted names size and limit.
  virtual Result<BufferHandle> allocate(uint64_t size, MemoryKind kind) = 0;

  /// Makes read-only host memory (a file mapping, page-aligned) readable by
  /// kernels without copying it. Unsupported where the device can't; the
  /// caller then allocates and uploads. The memory outlives the buffer.
  virtual Result<BufferHandle> importHostMemory(const void *data,
                                                uint64_t size) = 0;

  virtual Status upload(BufferHandle buffer, uint64_t offset,
                        std::span<const std::byte> data) = 0;
  virtual Status download(BufferHandle buffer, uint64_t offset,
                          std::span<std::byte> data) = 0;

  /// The mapping of a HostVisible buffer; null for others.
  virtual void *getHostPointer(BufferHandle buffer) = 0;

  virtual void free(BufferHandle buffer) = 0;

  /// Compiles a kernel for the device. The code was verified by the loader.
  virtual Result<KernelHandle> createKernel(const KernelDescription &desc) = 0;

  /// Records a program once; it is replayed by submit.
  virtual Result<ProgramHandle> record(const ProgramDescription &desc) = 0;

  /// Starts one run of the program. `tokens` and `rows` scale the grids. One
  /// run is in flight at a time.
  virtual Status submit(ProgramHandle program, uint32_t tokens,
                        uint32_t rows) = 0;

  /// Waits for the run in flight. DeadlineExceeded after the timeout,
  /// DeviceLost when the device is gone for good.
  virtual Status wait(uint64_t timeoutNanoseconds) = 0;

  /// Runs the program once and returns the nanoseconds of each dispatch.
  /// Slower than submit; for `quern bench`. Unsupported without timestamps.
  virtual Result<std::vector<double>> profile(ProgramHandle program,
                                              uint32_t tokens,
                                              uint32_t rows) = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_DEVICE_DEVICE_H
