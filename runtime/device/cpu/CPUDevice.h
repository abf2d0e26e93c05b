//===- CPUDevice.h - Kernels as native code on a team of threads -*- C++
//-*-===//
//
// A run is a function that all threads of a team go through together: of each
// dispatch a thread runs an equal, consecutive share of the workgroups, and all
// wait for each other where the program has a barrier. Shares depend only on
// the grid and the number of threads, and no kernel's result depends on them.
//
// wait() runs the program, on the caller's thread too; submit only notes it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_CPU_CPUDEVICE_H
#define QUERN_RUNTIME_DEVICE_CPU_CPUDEVICE_H

#include "runtime/device/Device.h"
#include "runtime/device/HandleTable.h"
#include "runtime/device/cpu/ElfImage.h"
#include "runtime/device/cpu/ThreadTeam.h"

#include <chrono>
#include <optional>

namespace quern::cpu {

struct CPUOptions {
  unsigned threads = 0; ///< 0: one for each core of the process.
};

class CPUDevice final : public Device {
public:
  explicit CPUDevice(const CPUOptions &options = {});
  ~CPUDevice() override;

  unsigned getNumThreads() const { return team.getSize(); }

  /// Each on a core of its own (ThreadTeam::pin).
  Status pinThreads();

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
    std::byte *data = nullptr;
    uint64_t size = 0;
    bool imported = false;
    MemoryKind kind = MemoryKind::DeviceLocal;
  };
  struct Kernel {
    KernelDescription desc;
    ElfImage image;
  };
  struct Dispatch {
    KernelFunction function = nullptr;
    std::vector<void *> arguments;
    GridDescription grid;
    bool barrierBefore = false;
    std::array<uint32_t, 3> groups = {}; ///< Of the run in flight.
    uint64_t numGroups = 0;
  };
  struct Program {
    ProgramDescription desc;
    std::vector<Dispatch> dispatches;
    bool valid = true;
  };
  struct Run {
    Program *program = nullptr;
    size_t next = 0; ///< Dispatches before are done.
  };

  Status checkIdle() const;
  /// Sets the grids of a program that may run with these counts.
  Result<Program *> prepare(ProgramHandle handle, uint32_t tokens,
                            uint32_t rows);
  /// Thread `index`'s part of the run from dispatch `first` on; thread 0 looks
  /// at the clock.
  void runShare(unsigned index, size_t first,
                std::chrono::steady_clock::time_point deadline);
  void runDispatch(const Dispatch &dispatch, unsigned index) const;

  DeviceInfo info;
  HandleTable<BufferHandle, Buffer> buffers;
  HandleTable<KernelHandle, Kernel> kernels;
  HandleTable<ProgramHandle, Program> programs;
  std::optional<Run> inFlight;
  /// The barrier at which all threads stop, written by thread 0 before it.
  std::atomic<size_t> stopAt = 0;
  ThreadTeam team;
};

} // namespace quern::cpu

#endif // QUERN_RUNTIME_DEVICE_CPU_CPUDEVICE_H
