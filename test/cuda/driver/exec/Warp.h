//===- Warp.h - 32 lanes that run in step ------------------------*- C++
//-*-===//
//
// Lanes that took different ways form groups; the group that is furthest
// behind runs, and groups that meet go on together. An instruction that needs
// lanes of other groups (shfl.sync, bar.sync, mma.sync) waits for them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_EXEC_WARP_H
#define QUERN_TEST_CUDA_DRIVER_EXEC_WARP_H

#include "test/cuda/driver/exec/Fault.h"
#include "test/cuda/driver/ptx/Module.h"

#include <bit>
#include <deque>

namespace quern::ptx {

class Block;

/// A copy of cp.async that was issued and not waited for.
struct AsyncCopy {
  uint64_t shared = 0, global = 0;
  uint8_t bytes = 0, sourceBytes = 0;
};

struct LaneCopies {
  std::vector<AsyncCopy> open;               ///< Not committed.
  std::deque<std::vector<AsyncCopy>> groups; ///< Oldest first.
};

class Warp {
public:
  Warp(Block &block, unsigned index);
  Warp(const Warp &) = delete;

  /// Starts with `lanes` (a mask) at the first instruction.
  void start(uint32_t lanes);
  /// Runs until every group waits or has ended.
  void run();
  bool isDone() const { return groups.empty(); }
  /// Whether a group can go on.
  bool isReady() const;
  /// Lets the lanes that wait at a barrier go on.
  void release(unsigned barrier);
  /// "line 12: bar.sync 0", for what waits.
  std::string describeWaiting() const;

  /// The values of an operand, one for each lane.
  template <typename T> T *get(const Operand &operand) {
    return reinterpret_cast<T *>(file.data() + operand.offset);
  }
  uint32_t getPredicate(const Operand &operand) {
    uint32_t bits = *get<uint32_t>(operand);
    return operand.negated ? ~bits : bits;
  }
  /// Sets the predicate of the active lanes.
  void setPredicate(const Operand &operand, uint32_t bits) {
    uint32_t &word = *get<uint32_t>(operand);
    word = (word & ~mask) | (bits & mask);
  }
  /// Zero-extended.
  uint64_t getBits(const Operand &operand, unsigned lane);
  void setBits(const Operand &operand, unsigned lane, uint64_t bits);
  /// Of a source address register (32 or 64 bits) plus the offset.
  uint64_t getAddress(const Instruction &instruction, unsigned lane,
                      unsigned source = 0);

  unsigned getThread(unsigned lane) const { return index * 32 + lane; }

  uint32_t mask = 0; ///< Lanes that execute the current instruction.
  uint32_t live = 0; ///< Lanes that have not exited.
  Block &block;
  const unsigned index;
  std::vector<uint32_t> defined; ///< Lanes, for each place in the file.
  std::array<LaneCopies, 32> copies;
  const Instruction *current = nullptr;
  uint64_t numExecuted = 0;
  uint32_t carry = 0, carryDefined = 0; ///< Lanes of the flag of add.cc.

private:
  enum class State : uint8_t { Ready, AtSync, AtBarrier };
  struct Group {
    uint32_t pc = 0, mask = 0;
    State state = State::Ready;
    unsigned barrier = 0;
  };

  void fillSpecials();
  bool step(Group &group);
  void checkDefined(const Instruction &instruction, uint32_t lanes) const;
  void executeOne(const Instruction &instruction, uint32_t lanes);
  bool arriveAtBarrier(Group &group, const Instruction &instruction);
  void joinWaiting(Group &group);
  bool waitForLanes(Group &group, const Instruction &instruction,
                    uint32_t lanes);
  void park(const Group &group, State state, unsigned barrier = 0);

  std::vector<std::byte> file;
  std::vector<Group> groups;
  uint32_t nextPc = UINT32_MAX; ///< The lowest of the groups that don't run.
};

/// Calls `body(lane)` for the lanes of a mask.
template <typename Body> inline void forLanes(uint32_t mask, Body body) {
  if (mask == UINT32_MAX) {
    for (unsigned lane = 0; lane != 32; ++lane)
      body(lane);
    return;
  }
  for (; mask != 0; mask &= mask - 1)
    body(static_cast<unsigned>(std::countr_zero(mask)));
}

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_EXEC_WARP_H
