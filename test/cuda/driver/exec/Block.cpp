//===- Block.cpp - One thread block ---------------------------------------===//

#include "test/cuda/driver/exec/Block.h"

#include <algorithm>
#include <cstring>
#include <numeric>

using namespace quern::ptx;

Block::Block(Launch &launch, DeviceMemory &memory)
    : launch(launch), memory(memory), random(launch.options.shuffleSeed) {
  unsigned numWarps = (launch.countThreads() + 31) / 32;
  for (unsigned i = 0; i != numWarps; ++i)
    warps.push_back(std::make_unique<Warp>(*this, i));
  local.resize(size_t(launch.kernel.localBytes) * launch.countThreads());
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

std::byte *Block::accessLocal(uint64_t address, unsigned size, bool reads,
                              bool writes, unsigned thread) {
  uint32_t bytes = launch.kernel.localBytes;
  if (address > bytes || size > bytes - address)
    throw Fault(FaultCode::IllegalAddress,
                "access of " + std::to_string(size) + " bytes at byte " +
                    std::to_string(address) + " of local memory of " +
                    std::to_string(bytes) + " bytes is out of bounds");
  size_t place = size_t(thread) * bytes + address;
  uint8_t *written = localWritten.data() + place;
  if (reads && std::find(written, written + size, 0) != written + size)
    throw Fault(FaultCode::LaunchFailed,
                "read of local memory that was never written: byte " +
                    std::to_string(address));
  if (writes)
    std::memset(written, 1, size);
  return local.data() + place;
}

std::byte *Block::access(Space space, uint64_t address, unsigned size,
                         bool reads, bool writes, const Warp &warp,
                         unsigned lane, bool atomic) {
  if (space == Space::Generic) {
    space = Space::Global;
    if (address - sharedWindow < windowBytes)
      space = Space::Shared, address -= sharedWindow;
    else if (address - localWindow < windowBytes)
      space = Space::Local, address -= localWindow;
  }
  try {
    if ((address & (size - 1)) != 0)
      throw Fault(FaultCode::MisalignedAddress,
                  "access of " + std::to_string(size) + " bytes at " +
                      formatHex(address) + " is misaligned");
    unsigned thread = warp.getThread(lane);
    if (space == Space::Local)
      return accessLocal(address, size, reads, writes, thread);
    if (space == Space::Shared)
      return shared.access(address, size,
                           atomic   ? SharedMemory::Access::Atomic
                           : writes ? SharedMemory::Access::Write
                                    : SharedMemory::Access::Read,
                           thread);
    return memory.access(address, size, reads, writes, static_cast<int>(lane));
  } catch (Fault &fault) {
    fault.lane = static_cast<int>(lane);
    throw;
  }
}

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

bool Block::arrive(Warp &warp, uint32_t lanes, unsigned id, unsigned count,
                   bool waits) {
  if (id >= barriers.size())
    throw Fault(FaultCode::LaunchFailed,
                "there is no barrier " + std::to_string(id));
  if (count % 32 != 0)
    throw Fault(FaultCode::LaunchFailed,
                "a barrier of " + std::to_string(count) +
                    " threads, which is not a multiple of 32");
  Barrier &barrier = barriers[id];
  unsigned expected = count == 0 ? launch.countThreads() : count;
  if (barrier.arrived != 0 && barrier.expected != expected)
    throw Fault(FaultCode::LaunchFailed,
                "barrier " + std::to_string(id) + " is one of " +
                    std::to_string(barrier.expected) +
                    " threads for some and of " + std::to_string(expected) +
                    " for others");
  barrier.expected = expected;
  // A block whose size is no multiple of 32 fills its last warp.
  unsigned arrived = static_cast<unsigned>(std::popcount(lanes));
  if (count != 0 && (warp.index + 1) * 32 > launch.countThreads())
    arrived = 32;
  barrier.arrived += arrived;
  barrier.warps |= 1U << warp.index;
  if (waits)
    barrier.waiting |= 1U << warp.index;
  if (barrier.arrived < expected)
    return false;
  if (barrier.arrived > expected)
    throw Fault(FaultCode::LaunchFailed,
                "more threads than expected came to barrier " +
                    std::to_string(id));
  shared.passBarrier(barrier.warps);
  for (auto &other : warps)
    if (barrier.waiting >> other->index & 1)
      other->release(id);
  barrier = Barrier();
  return true;
}

void Block::failDeadlock() {
  std::string text;
  for (const auto &warp : warps)
    if (!warp->isDone())
      text += "; " + warp->describeWaiting();
  unsigned exited = 0;
  for (const auto &warp : warps)
    exited += warp->isDone() ? 1 : 0;
  throw Fault(FaultCode::LaunchFailed,
              "divergent barrier: threads wait for others that never come" +
                  text + "; " + std::to_string(exited) + " of " +
                  std::to_string(warps.size()) + " warps have ended");
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static std::string formatTriple(const std::array<uint32_t, 3> &triple) {
  return "(" + std::to_string(triple[0]) + ", " + std::to_string(triple[1]) +
         ", " + std::to_string(triple[2]) + ")";
}

void Block::failWith(const Fault &fault, const Warp &warp) {
  auto lane = static_cast<unsigned>(
      fault.lane >= 0 ? fault.lane
                      : (warp.mask ? std::countr_zero(warp.mask) : 0));
  unsigned thread = warp.getThread(lane);
  const auto &[nx, ny, nz] = launch.threads;
  unsigned line = warp.current ? warp.current->line : 0;
  throw Fault(
      fault.code,
      "kernel '" + launch.kernel.name + "', PTX line " + std::to_string(line) +
          ", block " + formatTriple(index) + ", thread " +
          formatTriple({thread % nx, thread / nx % ny, thread / nx / ny}) +
          ": " + fault.what() + ", in: " + launch.module.getLine(line),
      fault.lane);
}

void Block::runWarps() {
  std::vector<size_t> order(warps.size());
  std::iota(order.begin(), order.end(), 0);
  for (;;) {
    if (launch.options.shuffleSeed != 0)
      std::shuffle(order.begin(), order.end(), random);
    bool progress = false, done = true;
    for (size_t i : order) {
      Warp &warp = *warps[i];
      if (warp.isReady()) {
        progress = true;
        try {
          warp.run();
        } catch (const Fault &fault) {
          failWith(fault, warp);
        }
      }
      done &= warp.isDone();
    }
    if (done)
      return;
    if (progress)
      continue;
    auto waiting = std::find_if(warps.begin(), warps.end(),
                                [](auto &warp) { return !warp->isDone(); });
    try {
      failDeadlock();
    } catch (const Fault &fault) {
      failWith(fault, **waiting);
    }
  }
}

void Block::run(std::array<uint32_t, 3> blockIndex) {
  index = blockIndex;
  barriers.fill(Barrier());
  shared.reset(launch.kernel.staticSharedBytes + launch.dynamicSharedBytes,
               static_cast<unsigned>(warps.size()));
  localWritten.assign(local.size(), 0);
  unsigned threads = launch.countThreads();
  for (auto &warp : warps) {
    unsigned lanes = std::min(threads - warp->index * 32, 32U);
    warp->start(lanes == 32 ? UINT32_MAX : (1U << lanes) - 1);
    for (LaneCopies &copies : warp->copies)
      copies = LaneCopies();
  }
  runWarps();
  for (auto &warp : warps)
    launch.numInstructions += warp->numExecuted;
}

void quern::ptx::runLaunch(Launch &launch, DeviceMemory &memory) {
  Block block(launch, memory);
  uint64_t count = uint64_t(launch.grid[0]) * launch.grid[1] * launch.grid[2];
  std::vector<uint64_t> order;
  if (launch.options.shuffleSeed != 0) {
    order.resize(count);
    std::iota(order.begin(), order.end(), 0);
    std::mt19937_64 random(launch.options.shuffleSeed);
    std::shuffle(order.begin(), order.end(), random);
  }
  for (uint64_t i = 0; i != count; ++i) {
    uint64_t index = order.empty() ? i : order[i];
    block.run({static_cast<uint32_t>(index % launch.grid[0]),
               static_cast<uint32_t>(index / launch.grid[0] % launch.grid[1]),
               static_cast<uint32_t>(index / launch.grid[0] / launch.grid[1])});
  }
}
