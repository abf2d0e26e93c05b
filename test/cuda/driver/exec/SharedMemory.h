//===- SharedMemory.h - Shared memory that finds races -----------*- C++
//-*-===//
//
// For each byte: who wrote it last, who has read it since, and in which epoch.
// An epoch ends with each barrier of the block. Two accesses of different
// threads, one of which is a write, are ordered if a barrier lies between them
// that both warps passed, or, inside a warp, bar.warp.sync.
//
// Limits: of the readers of a byte only those of the latest epoch are kept, so
// a race with an older reader that a barrier of part of the block did not
// order is not found.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_EXEC_SHAREDMEMORY_H
#define QUERN_TEST_CUDA_DRIVER_EXEC_SHAREDMEMORY_H

#include "test/cuda/driver/exec/Fault.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern::ptx {

class SharedMemory {
public:
  enum class Access : uint8_t { Read, Write, Atomic };

  /// Makes all bytes unwritten.
  void reset(uint32_t bytes, unsigned numWarps);
  uint32_t getSize() const { return static_cast<uint32_t>(data.size()); }

  /// Checks an access of one thread and notes it. Throws Fault.
  std::byte *access(uint64_t address, unsigned size, Access access,
                    unsigned thread);

  /// Bytes that a cp.async will write: nobody may touch them until then.
  void beginCopy(uint64_t address, unsigned size, unsigned thread);
  std::byte *endCopy(uint64_t address, unsigned size, unsigned thread);

  /// A barrier that these warps (a mask) have passed.
  void passBarrier(uint32_t warps);
  void passWarpSync(unsigned warp) { ++warpSyncs[warp]; }

private:
  static constexpr uint16_t none = 0xffff, many = 0xfffe;

  struct Cell {
    uint32_t writeEpoch = 0, readEpoch = 0;
    uint32_t readers = 0; ///< Warps.
    uint16_t writer = none, reader = none;
    uint16_t writeSync = 0, readSync = 0;
    bool atomic = false, pending = false;
  };

  bool isOrdered(uint16_t thread, uint32_t accessEpoch, uint16_t sync,
                 unsigned byThread) const;
  void checkWriter(const Cell &cell, uint64_t byte, unsigned thread,
                   const char *what) const;
  void checkReaders(const Cell &cell, uint64_t byte, unsigned thread) const;
  void noteRead(Cell &cell, unsigned thread);
  void noteWrite(Cell &cell, unsigned thread, bool atomic);

  std::vector<std::byte> data;
  std::vector<Cell> cells;
  uint32_t epoch = 1;
  /// lastSync[w][v]: the epoch that began with the last barrier that orders
  /// what v did before it in front of what w does now.
  std::array<std::array<uint32_t, 32>, 32> lastSync = {};
  std::array<uint16_t, 32> warpSyncs = {};
};

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_EXEC_SHAREDMEMORY_H
