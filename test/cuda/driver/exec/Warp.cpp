//===- Warp.cpp - 32 lanes that run in step -------------------------------===//

#include "test/cuda/driver/exec/Warp.h"

#include "test/cuda/driver/exec/Block.h"

#include <algorithm>
#include <cstring>

using namespace quern::ptx;

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

Warp::Warp(Block &block, unsigned index) : block(block), index(index) {
  const Kernel &kernel = block.launch.kernel;
  file.resize(kernel.fileBytes + 64);
  defined.resize(kernel.numRegisters);
  for (const Kernel::Constant &constant : kernel.constants)
    for (unsigned lane = 0; lane != 32; ++lane)
      setBits(constant.place, lane, constant.bits);
}

uint64_t Warp::getBits(const Operand &operand, unsigned lane) {
  switch (operand.size) {
  case 1:
    return get<uint8_t>(operand)[lane];
  case 2:
    return get<uint16_t>(operand)[lane];
  case 4:
    return get<uint32_t>(operand)[lane];
  default:
    return get<uint64_t>(operand)[lane];
  }
}

void Warp::setBits(const Operand &operand, unsigned lane, uint64_t bits) {
  switch (operand.size) {
  case 1:
    get<uint8_t>(operand)[lane] = static_cast<uint8_t>(bits);
    break;
  case 2:
    get<uint16_t>(operand)[lane] = static_cast<uint16_t>(bits);
    break;
  case 4:
    get<uint32_t>(operand)[lane] = static_cast<uint32_t>(bits);
    break;
  default:
    get<uint64_t>(operand)[lane] = bits;
  }
}

uint64_t Warp::getAddress(const Instruction &instruction, unsigned lane,
                          unsigned source) {
  int64_t offset =
      source == 0 ? instruction.addressOffset : instruction.addressOffset2;
  return getBits(instruction.sources[source], lane) +
         static_cast<uint64_t>(offset);
}

static uint32_t computeSpecial(Special special, const Launch &launch,
                               const Block &block, unsigned warp,
                               unsigned lane) {
  const auto &[nx, ny, nz] = launch.threads;
  unsigned thread = warp * 32 + lane;
  switch (special) {
  case Special::TidX:
    return thread % nx;
  case Special::TidY:
    return thread / nx % ny;
  case Special::TidZ:
    return thread / nx / ny;
  case Special::NtidX:
    return nx;
  case Special::NtidY:
    return ny;
  case Special::NtidZ:
    return nz;
  case Special::CtaidX:
    return block.index[0];
  case Special::CtaidY:
    return block.index[1];
  case Special::CtaidZ:
    return block.index[2];
  case Special::NctaidX:
    return launch.grid[0];
  case Special::NctaidY:
    return launch.grid[1];
  case Special::NctaidZ:
    return launch.grid[2];
  case Special::LaneId:
    return lane;
  case Special::WarpId:
    return warp;
  case Special::NumWarps:
    return (launch.countThreads() + 31) / 32;
  case Special::LaneMaskEq:
    return 1U << lane;
  case Special::LaneMaskLt:
    return (1U << lane) - 1;
  case Special::LaneMaskLe:
    return (2U << lane) - 1;
  case Special::LaneMaskGt:
    return ~((2U << lane) - 1);
  case Special::LaneMaskGe:
    return ~((1U << lane) - 1);
  case Special::DynamicSharedSize:
    return launch.dynamicSharedBytes;
  }
  return 0;
}

void Warp::fillSpecials() {
  for (const auto &[place, special] : block.launch.kernel.specials) {
    for (unsigned lane = 0; lane != 32; ++lane)
      get<uint32_t>(place)[lane] =
          computeSpecial(special, block.launch, block, index, lane);
    defined[place.index] = UINT32_MAX;
  }
}

void Warp::start(uint32_t lanes) {
  live = lanes;
  groups.assign(1, {0, lanes, State::Ready, 0});
  std::fill(defined.begin(), defined.end(), 0);
  for (const Kernel::Constant &constant : block.launch.kernel.constants)
    defined[constant.place.index] = UINT32_MAX;
  fillSpecials();
  numExecuted = 0;
  carryDefined = 0;
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

bool Warp::isReady() const {
  return std::any_of(groups.begin(), groups.end(), [](const Group &group) {
    return group.state == State::Ready;
  });
}

void Warp::release(unsigned barrier) {
  for (Group &group : groups)
    if (group.state == State::AtBarrier && group.barrier == barrier)
      group.state = State::Ready;
}

std::string Warp::describeWaiting() const {
  std::string text;
  for (const Group &group : groups) {
    uint32_t pc = group.pc - (group.state == State::AtBarrier);
    unsigned line = block.launch.kernel.instructions[pc].line;
    text += (text.empty() ? "" : ", ") +
            std::to_string(std::popcount(group.mask)) + " lanes at line " +
            std::to_string(line) + " (" + block.launch.module.getLine(line) +
            ")";
  }
  return "warp " + std::to_string(index) + ": " + text;
}

void Warp::run() {
  for (;;) {
    size_t chosen = SIZE_MAX;
    for (size_t i = 0; i != groups.size(); ++i)
      if (groups[i].state == State::Ready &&
          (chosen == SIZE_MAX || groups[i].pc < groups[chosen].pc))
        chosen = i;
    if (chosen == SIZE_MAX)
      return;
    Group group = groups[chosen];
    groups.erase(groups.begin() + static_cast<ptrdiff_t>(chosen));
    nextPc = UINT32_MAX;
    for (size_t i = groups.size(); i-- != 0;) {
      if (groups[i].state == State::AtBarrier)
        continue;
      if (groups[i].pc == group.pc) {
        group.mask |= groups[i].mask;
        groups.erase(groups.begin() + static_cast<ptrdiff_t>(i));
        continue;
      }
      // Lanes that wait for others are joined when these get there.
      if (groups[i].state == State::Ready || groups[i].pc > group.pc)
        nextPc = std::min(nextPc, groups[i].pc);
    }
    while (step(group))
      if (group.pc >= nextPc) {
        park(group, State::Ready);
        break;
      }
  }
}

void Warp::park(const Group &group, State state, unsigned barrier) {
  groups.push_back({group.pc, group.mask, state, barrier});
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

void Warp::checkDefined(const Instruction &instruction, uint32_t lanes) const {
  for (unsigned i = 0; i != instruction.numSources; ++i) {
    uint32_t missing = lanes & ~defined[instruction.sources[i].index];
    if (missing != 0)
      throw Fault(FaultCode::LaunchFailed,
                  "read of a register that was never written (source " +
                      std::to_string(i) + ")",
                  std::countr_zero(missing));
  }
}

void Warp::executeOne(const Instruction &instruction, uint32_t lanes) {
  mask = lanes;
  if (instruction.movesUndefined)
    return instruction.execute(*this, instruction);
  checkDefined(instruction, lanes);
  instruction.execute(*this, instruction);
  for (unsigned i = 0; i != instruction.numDestinations; ++i)
    defined[instruction.destinations[i].index] |= lanes;
}

/// Lanes that wait at the instruction that a group has come to.
void Warp::joinWaiting(Group &group) {
  for (size_t i = groups.size(); i-- != 0;) {
    if (groups[i].state != State::AtSync || groups[i].pc != group.pc)
      continue;
    group.mask |= groups[i].mask;
    groups.erase(groups.begin() + static_cast<ptrdiff_t>(i));
  }
}

bool Warp::waitForLanes(Group &group, const Instruction &instruction,
                        uint32_t lanes) {
  uint32_t needed = live;
  if (instruction.memberMask >= 0) {
    const uint32_t *members =
        get<uint32_t>(instruction.sources[instruction.memberMask]);
    mask = lanes;
    checkDefined(instruction, lanes);
    needed = members[std::countr_zero(lanes)];
    forLanes(lanes, [&](unsigned lane) {
      if (members[lane] != needed)
        throw Fault(FaultCode::LaunchFailed,
                    "lanes that meet have different member masks",
                    static_cast<int>(lane));
      if ((needed >> lane & 1) == 0)
        throw Fault(FaultCode::LaunchFailed,
                    "a lane is not in its own member mask",
                    static_cast<int>(lane));
    });
    needed &= live;
  }
  if ((needed & ~lanes) == 0)
    return false;
  // Whether anyone can still come is seen when nothing else can run.
  park(group, State::AtSync);
  return true;
}

bool Warp::arriveAtBarrier(Group &group, const Instruction &instruction) {
  checkDefined(instruction, group.mask);
  auto first = static_cast<unsigned>(std::countr_zero(group.mask));
  auto value = [&](unsigned source) {
    return source < instruction.numSources
               ? static_cast<unsigned>(
                     getBits(instruction.sources[source], first))
               : 0;
  };
  unsigned barrier = value(0);
  bool passes = block.arrive(*this, group.mask, barrier, value(1),
                             !instruction.barrier.arrives);
  ++group.pc;
  if (passes || instruction.barrier.arrives)
    return true;
  park(group, State::AtBarrier, barrier);
  return false;
}

bool Warp::step(Group &group) {
  const Instruction &instruction = block.launch.kernel.instructions[group.pc];
  current = &instruction;
  if (++numExecuted > block.launch.options.maxInstructions)
    throw Fault(FaultCode::LaunchTimeout, "the kernel does not end");
  uint32_t lanes = group.mask;
  if (instruction.hasGuard) {
    mask = lanes;
    uint32_t missing = lanes & ~defined[instruction.guard.index];
    if (missing != 0)
      throw Fault(FaultCode::LaunchFailed,
                  "read of a predicate that was never written",
                  std::countr_zero(missing));
    lanes &= getPredicate(instruction.guard);
    if (lanes == 0) {
      ++group.pc;
      return true;
    }
  }
  switch (instruction.flow) {
  case Flow::Next:
    executeOne(instruction, lanes);
    ++group.pc;
    return true;
  case Flow::Branch:
    if (lanes != group.mask) {
      groups.push_back({instruction.target, lanes, State::Ready, 0});
      nextPc = std::min(nextPc, instruction.target);
      group.mask &= ~lanes;
      ++group.pc;
    } else {
      group.pc = instruction.target;
    }
    return true;
  case Flow::Exit:
    live &= ~lanes;
    group.mask &= ~lanes;
    ++group.pc;
    return group.mask != 0;
  case Flow::Barrier:
  case Flow::WarpSync:
    break;
  }
  if (lanes != group.mask) { // The rest goes on and may be waited for.
    groups.push_back({group.pc + 1, group.mask & ~lanes, State::Ready, 0});
    nextPc = std::min(nextPc, group.pc + 1);
    group.mask = lanes;
  }
  bool isBarrier = instruction.flow == Flow::Barrier;
  joinWaiting(group);
  lanes = group.mask;
  if ((!isBarrier || instruction.barrier.aligned) &&
      waitForLanes(group, instruction, lanes))
    return false;
  mask = lanes;
  if (isBarrier)
    return arriveAtBarrier(group, instruction);
  executeOne(instruction, lanes);
  ++group.pc;
  return true;
}
