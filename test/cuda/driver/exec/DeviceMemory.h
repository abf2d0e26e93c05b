//===- DeviceMemory.h - Allocations and what was written in them -*- C++
//-*-===//
//
// Device addresses are numbers that the host can't dereference, are never
// given out twice, and lie 64 KiB apart, so that an access out of bounds or
// after a free never hits another allocation. Page-locked host memory is known
// under the host's own addresses.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_EXEC_DEVICEMEMORY_H
#define QUERN_TEST_CUDA_DRIVER_EXEC_DEVICEMEMORY_H

#include "test/cuda/driver/exec/Fault.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace quern::ptx {

struct Allocation {
  uint64_t address = 0, size = 0;
  std::byte *data = nullptr;
  bool isHost = false;
  bool readOnly = false;
  bool isConstant = false; ///< A .const variable.
  /// Which bytes were written; empty once all were, and for host memory.
  std::vector<uint8_t> written;

  bool contains(uint64_t at, uint64_t bytes) const {
    return at >= address && bytes <= size && at - address <= size - bytes;
  }
  std::byte *at(uint64_t where) const { return data + (where - address); }
};

class DeviceMemory {
public:
  DeviceMemory() = default;
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory &) = delete;

  /// 0 when `limit` would be passed.
  uint64_t allocate(uint64_t size, uint64_t limit);
  bool free(uint64_t address);
  void addHost(void *data, uint64_t size, bool readOnly);
  bool removeHost(void *data);

  /// Where `size` bytes at `address` lie. Throws Fault outside of allocations,
  /// in freed ones, when reading what was never written, and when writing what
  /// is read-only. `reads` and `writes` may both be set.
  std::byte *access(uint64_t address, uint64_t size, bool reads, bool writes,
                    int lane = -1);
  /// Fills as the API's memset does.
  void markWritten(uint64_t address, uint64_t size);
  Allocation *find(uint64_t address);

  uint64_t getUsedBytes() const { return usedBytes; }
  uint64_t getNumLive() const { return allocations.size(); }

private:
  [[noreturn]] void failOutside(uint64_t address, uint64_t size, bool writes,
                                int lane);
  void checkWritten(Allocation &allocation, uint64_t address, uint64_t size,
                    int lane);

  std::map<uint64_t, Allocation> allocations;
  std::map<uint64_t, uint64_t> freed; ///< Address to size.
  Allocation *last = nullptr;         ///< Of the last access.
  uint64_t nextAddress = uint64_t(0xA) << 48;
  uint64_t usedBytes = 0;
};

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_EXEC_DEVICEMEMORY_H
