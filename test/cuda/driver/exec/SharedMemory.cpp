//===- SharedMemory.cpp - Shared memory that finds races ------------------===//

#include "test/cuda/driver/exec/SharedMemory.h"

#include <algorithm>

using namespace quern::ptx;

void SharedMemory::reset(uint32_t bytes, unsigned numWarps) {
  data.resize(bytes);
  // What nobody wrote is no number, even where checks are blind.
  std::fill(data.begin(), data.end(), std::byte(0xff));
  cells.assign(bytes, Cell());
  epoch = 1;
  for (auto &row : lastSync)
    row.fill(0);
  warpSyncs.fill(0);
}

void SharedMemory::passBarrier(uint32_t warps) {
  ++epoch;
  std::array<uint32_t, 32> joined = {};
  for (unsigned w = 0; w != 32; ++w)
    if (warps >> w & 1)
      for (unsigned v = 0; v != 32; ++v)
        joined[v] = std::max(joined[v], lastSync[w][v]);
  for (unsigned v = 0; v != 32; ++v)
    if (warps >> v & 1)
      joined[v] = epoch;
  for (unsigned w = 0; w != 32; ++w)
    if (warps >> w & 1)
      lastSync[w] = joined;
}

bool SharedMemory::isOrdered(uint16_t thread, uint32_t accessEpoch,
                             uint16_t sync, unsigned byThread) const {
  if (thread == byThread)
    return true;
  unsigned warp = thread / 32, byWarp = byThread / 32;
  if (lastSync[byWarp][warp] > accessEpoch)
    return true;
  return warp == byWarp && sync != warpSyncs[warp];
}

static std::string describeByte(uint64_t byte) {
  return "shared memory at byte " + std::to_string(byte);
}

static std::string name(unsigned thread) {
  return "thread " + std::to_string(thread);
}

void SharedMemory::checkWriter(const Cell &cell, uint64_t byte, unsigned thread,
                               const char *what) const {
  if (cell.pending)
    throw Fault(FaultCode::LaunchFailed,
                std::string(what) + " of " + describeByte(byte) +
                    ", which a cp.async of " + name(cell.writer) +
                    " has not delivered: cp.async.wait_group is missing");
  if (cell.writer == none ||
      isOrdered(cell.writer, cell.writeEpoch, cell.writeSync, thread))
    return;
  throw Fault(FaultCode::LaunchFailed,
              "data race: " + std::string(what) + " of " + describeByte(byte) +
                  " by " + name(thread) + " of the block and a write by " +
                  name(cell.writer) + " without a barrier between them");
}

void SharedMemory::checkReaders(const Cell &cell, uint64_t byte,
                                unsigned thread) const {
  auto fail = [&](const std::string &reader) {
    throw Fault(FaultCode::LaunchFailed,
                "data race: write of " + describeByte(byte) + " by " +
                    name(thread) + " of the block and a read by " + reader +
                    " without a barrier between them");
  };
  if (cell.reader == none)
    return;
  if (cell.reader != many) {
    if (!isOrdered(cell.reader, cell.readEpoch, cell.readSync, thread))
      fail(name(cell.reader));
    return;
  }
  for (unsigned warp = 0; warp != 32; ++warp) {
    if ((cell.readers >> warp & 1) == 0)
      continue;
    // Any thread of the warp but the writer stands for those that read.
    auto other = static_cast<uint16_t>(warp * 32 + (thread == warp * 32));
    if (!isOrdered(other, cell.readEpoch, cell.readSync, thread))
      fail("threads of warp " + std::to_string(warp));
  }
}

void SharedMemory::noteRead(Cell &cell, unsigned thread) {
  unsigned warp = thread / 32;
  bool fresh = cell.reader == none || cell.readEpoch != epoch;
  if (!fresh && cell.reader != thread) {
    // A warp that has synchronised since forgets its own earlier reads.
    fresh = cell.readers == 1U << warp && cell.readSync != warpSyncs[warp];
    if (!fresh)
      cell.reader = many;
  }
  if (fresh) {
    cell.reader = static_cast<uint16_t>(thread);
    cell.readers = 0;
  }
  cell.readers |= 1U << warp;
  cell.readEpoch = epoch;
  cell.readSync = warpSyncs[warp];
}

void SharedMemory::noteWrite(Cell &cell, unsigned thread, bool atomic) {
  cell.writer = static_cast<uint16_t>(thread);
  cell.writeEpoch = epoch;
  cell.writeSync = warpSyncs[thread / 32];
  cell.atomic = atomic;
  cell.reader = none;
  cell.readers = 0;
}

std::byte *SharedMemory::access(uint64_t address, unsigned size, Access access,
                                unsigned thread) {
  if (address > data.size() || size > data.size() - address)
    throw Fault(FaultCode::IllegalAddress,
                std::string(access == Access::Read ? "read" : "write") +
                    " of " + std::to_string(size) + " bytes at byte " +
                    std::to_string(address) + " of shared memory of " +
                    std::to_string(data.size()) + " bytes is out of bounds");
  for (uint64_t byte = address; byte != address + size; ++byte) {
    Cell &cell = cells[byte];
    bool orderedAtomics = access == Access::Atomic && cell.atomic;
    if (cell.pending || !orderedAtomics)
      checkWriter(cell, byte, thread,
                  access == Access::Read ? "read" : "write");
    if (access != Access::Write && cell.writer == none)
      throw Fault(FaultCode::LaunchFailed, "read of " + describeByte(byte) +
                                               ", which was never written");
    if (access == Access::Read) {
      noteRead(cell, thread);
      continue;
    }
    checkReaders(cell, byte, thread);
    noteWrite(cell, thread, access == Access::Atomic);
  }
  return data.data() + address;
}

void SharedMemory::beginCopy(uint64_t address, unsigned size, unsigned thread) {
  access(address, size, Access::Write, thread);
  for (uint64_t byte = address; byte != address + size; ++byte)
    cells[byte].pending = true;
}

std::byte *SharedMemory::endCopy(uint64_t address, unsigned size,
                                 unsigned thread) {
  for (uint64_t byte = address; byte != address + size; ++byte) {
    cells[byte].pending = false;
    noteWrite(cells[byte], thread, /*atomic=*/false);
  }
  return data.data() + address;
}
