//===- AsyncCopy.cpp - cp.async and its groups ----------------------------===//
//
// A copy is made when its thread waits for it, the latest moment that hardware
// may take: until then nobody may touch the bytes it will write.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/exec/Block.h"
#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"

#include <cstring>

using namespace quern::ptx;

/// Sources: shared address, global address, and how many bytes are read, if
/// that is not all of them; the others become zeros.
static void runCopy(Warp &warp, const Instruction &i) {
  uint8_t bytes = i.elementSize;
  forLanes(warp.mask, [&](unsigned lane) {
    AsyncCopy copy{warp.getAddress(i, lane), warp.getAddress(i, lane, 1), bytes,
                   bytes};
    auto at = static_cast<int>(lane);
    if (i.numSources == 3) {
      uint32_t size = warp.get<uint32_t>(i.sources[2])[lane];
      if (size > bytes)
        throw Fault(FaultCode::LaunchFailed,
                    "cp.async reads more than it writes", at);
      copy.sourceBytes = static_cast<uint8_t>(size);
    }
    if (((copy.shared | copy.global) & (bytes - 1U)) != 0)
      throw Fault(
          FaultCode::MisalignedAddress,
          "cp.async of " + std::to_string(bytes) + " bytes is misaligned", at);
    if (copy.sourceBytes != 0)
      warp.block.memory.access(copy.global, copy.sourceBytes, /*reads=*/true,
                               /*writes=*/false, at);
    try {
      warp.block.shared.beginCopy(copy.shared, bytes, warp.getThread(lane));
    } catch (Fault &fault) {
      fault.lane = at;
      throw;
    }
    warp.copies[lane].open.push_back(copy);
  });
}

static void complete(Warp &warp, unsigned lane,
                     const std::vector<AsyncCopy> &copies) {
  for (const AsyncCopy &copy : copies) {
    std::byte *to = warp.block.shared.endCopy(copy.shared, copy.bytes,
                                              warp.getThread(lane));
    std::memset(to, 0, copy.bytes);
    if (copy.sourceBytes != 0)
      std::memcpy(to,
                  warp.block.memory.access(copy.global, copy.sourceBytes,
                                           /*reads=*/true, /*writes=*/false,
                                           static_cast<int>(lane)),
                  copy.sourceBytes);
  }
}

static void runCommit(Warp &warp, const Instruction &) {
  forLanes(warp.mask, [&](unsigned lane) {
    LaneCopies &copies = warp.copies[lane];
    copies.groups.push_back(std::move(copies.open));
    copies.open.clear();
  });
}

static void waitForGroups(Warp &warp, unsigned lane, uint64_t allowed) {
  LaneCopies &copies = warp.copies[lane];
  while (copies.groups.size() > allowed) {
    complete(warp, lane, copies.groups.front());
    copies.groups.pop_front();
  }
}

/// addressOffset: how many of the latest groups may be left.
static void runWait(Warp &warp, const Instruction &i) {
  forLanes(warp.mask, [&](unsigned lane) {
    waitForGroups(warp, lane, static_cast<uint64_t>(i.addressOffset));
  });
}

static void runWaitAll(Warp &warp, const Instruction &) {
  forLanes(warp.mask, [&](unsigned lane) {
    waitForGroups(warp, lane, 0);
    complete(warp, lane, warp.copies[lane].open);
    warp.copies[lane].open.clear();
  });
}

static void decodeCopy(Decoder &decoder) {
  bool cg = decoder.requireOneOf({"ca", "cg"}) == 1;
  if (!decoder.take("shared::cta"))
    decoder.require("shared");
  decoder.require("global");
  decoder.takeOneOf({"L2::64B", "L2::128B", "L2::256B"});
  decoder.addAddress(Space::Shared);
  decoder.addAddress(Space::Global, /*second=*/true);
  uint64_t bytes = decoder.takeInteger();
  if (bytes != 16 && (cg || (bytes != 4 && bytes != 8)))
    decoder.fail("cp.async copies 4, 8 or 16 bytes, .cg 16");
  decoder.instruction.elementSize = static_cast<uint8_t>(bytes);
  if (decoder.peekOperand())
    decoder.addSource(Type::U32);
  decoder.finish(runCopy);
}

bool quern::ptx::decodeAsyncCopy(Decoder &decoder) {
  if (decoder.getBase() != "cp")
    return false;
  decoder.require("async");
  if (decoder.take("commit_group")) {
    decoder.finish(runCommit);
  } else if (decoder.take("wait_all")) {
    decoder.finish(runWaitAll);
  } else if (decoder.take("wait_group")) {
    decoder.instruction.addressOffset =
        static_cast<int64_t>(decoder.takeInteger());
    decoder.finish(runWait);
  } else {
    decodeCopy(decoder);
  }
  return true;
}
