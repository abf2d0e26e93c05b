//===- Block.h - One thread block and the launch it belongs to ---*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_EXEC_BLOCK_H
#define QUERN_TEST_CUDA_DRIVER_EXEC_BLOCK_H

#include "test/cuda/driver/exec/DeviceMemory.h"
#include "test/cuda/driver/exec/SharedMemory.h"
#include "test/cuda/driver/exec/Warp.h"

#include <random>

namespace quern::ptx {

/// Where shared and local memory lie in generic addresses.
inline constexpr uint64_t sharedWindow = uint64_t(1) << 48;
inline constexpr uint64_t localWindow = uint64_t(2) << 48;
inline constexpr uint64_t windowBytes = uint64_t(1) << 32;

struct LaunchOptions {
  /// 0: warps and blocks in order; else a seed that shuffles them.
  uint64_t shuffleSeed = 0;
  /// Instructions of one warp after which a launch is given up.
  uint64_t maxInstructions = uint64_t(1) << 34;
};

struct Launch {
  const Module &module;
  const Kernel &kernel;
  std::array<uint32_t, 3> grid, threads;
  uint32_t dynamicSharedBytes = 0;
  std::vector<std::byte> parameters;
  LaunchOptions options;
  uint64_t numInstructions = 0; ///< Counted: of all warps.

  unsigned countThreads() const { return threads[0] * threads[1] * threads[2]; }
};

/// Runs all blocks. Throws Fault with a text that names the kernel, the line,
/// the block and the thread.
void runLaunch(Launch &launch, DeviceMemory &memory);

class Block {
public:
  Block(Launch &launch, DeviceMemory &memory);

  void run(std::array<uint32_t, 3> blockIndex);

  /// Where a lane's access goes, after all checks. Throws Fault.
  std::byte *access(Space space, uint64_t address, unsigned size, bool reads,
                    bool writes, const Warp &warp, unsigned lane,
                    bool atomic = false);
  /// Notes lanes at a barrier; true when that lets them all pass. `count` 0:
  /// all threads of the block.
  bool arrive(Warp &warp, uint32_t lanes, unsigned barrier, unsigned count,
              bool waits);

  Launch &launch;
  DeviceMemory &memory;
  SharedMemory shared;
  std::array<uint32_t, 3> index = {0, 0, 0};

private:
  struct Barrier {
    unsigned expected = 0, arrived = 0;
    uint32_t warps = 0;   ///< That take part.
    uint32_t waiting = 0; ///< Warps of which lanes wait.
  };

  void runWarps();
  [[noreturn]] void failDeadlock();
  [[noreturn]] void failWith(const Fault &fault, const Warp &warp);
  std::byte *accessLocal(uint64_t address, unsigned size, bool reads,
                         bool writes, unsigned thread);

  std::vector<std::unique_ptr<Warp>> warps;
  std::array<Barrier, 16> barriers;
  std::vector<std::byte> local;
  std::vector<uint8_t> localWritten;
  std::mt19937_64 random;
};

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_EXEC_BLOCK_H
