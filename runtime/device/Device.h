//===- Device.h - What the engine needs of a device --------------*- C++
//-*-===//
//
// One interface for Vulkan, CUDA, the CPU and the null device of the tests.
// The engine allocates everything at load time, records each program once and
// then only submits: nothing is allocated, compiled or recorded in a step.
// Every implementation passes test/runtime/device/Conformance.
//
// Not thread-safe: one thread drives a device. One run is in flight at a time:
// from a successful submit until a wait that returns anything but
// DeadlineExceeded. Meanwhile every call except wait and free fails with
// InvalidArgument. After DeviceLost every call fails with DeviceLost.
//
// Kernels and programs live as long as the device. Freeing a buffer invalidates
// the programs that use it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_DEVICE_H
#define QUERN_RUNTIME_DEVICE_DEVICE_H

#include "runtime/base/Status.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// Handles index tables inside the device that made them.
enum class BufferHandle : uint32_t {};
enum class KernelHandle : uint32_t {};
enum class ProgramHandle : uint32_t {};

enum class MemoryKind : uint8_t {
  HostVisible, ///< Mapped and coherent; the step block.
  DeviceLocal, ///< Arena, states and uploaded weights.
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
  uint64_t memoryBytes = 0;           ///< Of the largest device-local heap.
  uint64_t maxAllocationBytes = 0;    ///< Of one buffer.
  uint64_t maxStorageBufferBytes = 0; ///< Range of one storage-buffer binding.
  uint64_t maxTexelElements = 0;      ///< Of one texel view.
  uint32_t bindingAlignment = 1;      ///< Bytes, for offsets of bindings.
  uint32_t maxWorkgroupSize = 0;      ///< Threads of one workgroup.
  std::array<uint32_t, 3> maxWorkgroupShape = {0, 0, 0};
  uint32_t maxWorkgroupMemory = 0;             ///< Bytes.
  std::array<uint32_t, 3> maxGrid = {0, 0, 0}; ///< Workgroups per dimension.
  uint32_t maxStorageArguments = 0; ///< Storage buffers of one kernel.
  uint32_t maxTexelArguments = 0;   ///< Texel views of one kernel.
  uint32_t subgroupSize = 0;        ///< What a kernel gets by default.
  uint32_t minSubgroupSize = 0;     ///< What a kernel may ask for; both equal
  uint32_t maxSubgroupSize = 0;     ///< subgroupSize without that control.
  uint32_t importAlignment = 0;     ///< Bytes; 0: importHostMemory is missing.
};

struct DeviceInfo {
  std::string api;        ///< "vulkan", "null"
  std::string apiVersion; ///< "1.3.230"
  std::string name;       ///< As the driver says, untrusted text.
  std::string driver;
  bool isSoftware = false; ///< A CPU implementation such as lavapipe.
  /// Kernels read host memory as fast as DeviceLocal memory (CPUs, integrated
  /// GPUs). Where false, imported weights work but are read over the bus in
  /// every step: upload them if they fit.
  bool sharesHostMemory = false;
  DeviceLimits limits;
  /// What kernels may use: "storage16", "texel-buffer", ... Each device's
  /// names are listed once, in e.g. runtime/device/vulkan/VulkanFeatures.inc.
  std::vector<std::string> features;

  bool hasFeature(std::string_view name) const {
    return std::find(features.begin(), features.end(), name) != features.end();
  }
};

struct KernelDescription {
  std::string name;
  std::string entryPoint;
  std::span<const std::byte> code; ///< SPIR-V words for Vulkan.
  std::array<uint32_t, 3> workgroupSize = {1, 1, 1};
  std::vector<ArgumentAccess> arguments; ///< Binding i of set 0 is argument i.
  uint32_t subgroupSize = 0;             ///< 0: any.
  uint32_t workgroupMemory = 0;          ///< Bytes the code declares.
};

struct BufferRange {
  BufferHandle buffer;
  uint64_t offset = 0;
  uint64_t size = 0;
};

/// Which run-time count scales a grid dimension.
enum class GridCount : uint8_t { None, Tokens, Rows };

/// `groups` is the grid at the program's full counts and the upper bound of
/// every run: a submit whose counts need more is refused.
struct GridDescription {
  std::array<uint32_t, 3> groups = {1, 1, 1};
  GridCount count = GridCount::None;
  uint8_t axis = 0;
  uint32_t tile = 1;
  uint32_t scale = 1;
};

/// The grid of a step with `tokens` and `rows`: dimension `axis` becomes
/// ceil(count / tile) * scale (saturating), the others stay. The one
/// definition for all devices. Precondition: axis < 3, tile > 0.
inline std::array<uint32_t, 3> computeGrid(const GridDescription &grid,
                                           uint32_t tokens, uint32_t rows) {
  std::array<uint32_t, 3> groups = grid.groups;
  if (grid.count == GridCount::None)
    return groups;
  uint64_t count = grid.count == GridCount::Tokens ? tokens : rows;
  uint64_t scaled = (count + grid.tile - 1) / grid.tile * grid.scale;
  groups[grid.axis] =
      static_cast<uint32_t>(std::min<uint64_t>(scaled, UINT32_MAX));
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

  /// Allocates `size` bytes (> 0), zero-filled. ResourceExhausted names size
  /// and limit.
  virtual Result<BufferHandle> allocate(uint64_t size, MemoryKind kind) = 0;

  /// Makes read-only host memory (a file mapping) readable by kernels without
  /// copying it. `data` is page-aligned and the page that holds the last byte
  /// is mapped to its end. `size` may exceed maxAllocationBytes. Unsupported
  /// where the device can't; the caller then allocates and uploads. The memory
  /// outlives the buffer. Kernels must not write it; upload is refused.
  virtual Result<BufferHandle> importHostMemory(const void *data,
                                                uint64_t size) = 0;

  /// Copy between host memory and a range of a buffer, through a fixed staging
  /// buffer where the device needs one. Blocking; not for the decode loop.
  virtual Status upload(BufferHandle buffer, uint64_t offset,
                        std::span<const std::byte> data) = 0;
  virtual Status download(BufferHandle buffer, uint64_t offset,
                          std::span<std::byte> data) = 0;

  /// The mapping of a HostVisible buffer; null for others.
  virtual void *getHostPointer(BufferHandle buffer) = 0;

  /// Waits for the run in flight, if any, and frees the buffer.
  virtual void free(BufferHandle buffer) = 0;

  /// Compiles a kernel for the device. The code was verified by the loader.
  virtual Result<KernelHandle> createKernel(const KernelDescription &desc) = 0;

  /// Records a program once; it is replayed by submit.
  virtual Result<ProgramHandle> record(const ProgramDescription &desc) = 0;

  /// Starts one run of the program. `tokens` and `rows` scale the grids; a
  /// dispatch whose count is 0 does nothing.
  virtual Status submit(ProgramHandle program, uint32_t tokens,
                        uint32_t rows) = 0;

  /// Waits for the run in flight. DeadlineExceeded after the timeout,
  /// DeviceLost when the device is gone for good.
  virtual Status wait(uint64_t timeoutNanoseconds) = 0;

  /// Runs the program once and returns the nanoseconds of each dispatch.
  /// Slower than submit; for `quern bench`. Unsupported without timestamps.
  virtual Result<std::vector<double>>
  profile(ProgramHandle program, uint32_t tokens, uint32_t rows) = 0;

  /// Ok, or the first complaint of the API's validation layer since the device
  /// was opened. Always Ok when validation is off or absent.
  virtual Status checkDiagnostics() const { return Status::ok(); }
};

} // namespace quern

#endif // QUERN_RUNTIME_DEVICE_DEVICE_H
