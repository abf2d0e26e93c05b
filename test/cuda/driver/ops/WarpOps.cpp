//===- WarpOps.cpp - shfl, vote, match, redux, activemask -----------------===//

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"

using namespace quern::ptx;

//===----------------------------------------------------------------------===//
// shfl.sync
//===----------------------------------------------------------------------===//

namespace {
enum Mode : uint8_t { Up, Down, Butterfly, Index };
struct Source {
  unsigned lane = 0;
  bool inRange = false;
};
} // namespace

/// Which lane `lane` reads. `c` packs the clamp and the mask of segments.
static Source chooseSource(Mode mode, unsigned lane, uint32_t b, uint32_t c) {
  unsigned segments = c >> 8 & 31, clamp = c & 31, step = b & 31;
  unsigned last = (lane & segments) | (clamp & ~segments);
  unsigned first = lane & segments;
  unsigned from = 0;
  bool inRange = false;
  switch (mode) {
  case Up:
    from = lane - step;
    inRange = static_cast<int>(from) >= static_cast<int>(last);
    break;
  case Down:
    from = lane + step;
    inRange = from <= last;
    break;
  case Butterfly:
    from = lane ^ step;
    inRange = from <= last;
    break;
  case Index:
    from = first | (step & ~segments & 31);
    inRange = from <= last;
    break;
  }
  return {inRange ? from & 31 : lane, inRange};
}

/// What a lane that takes no part would have given is undefined.
static void runShuffle(Warp &warp, const Instruction &i) {
  auto *out = warp.get<uint32_t>(i.destinations[0]);
  auto *a = warp.get<uint32_t>(i.sources[0]);
  auto *b = warp.get<uint32_t>(i.sources[1]);
  auto *c = warp.get<uint32_t>(i.sources[2]);
  uint32_t values[32] = {}, inRange = 0, definedLanes = 0;
  uint32_t valid = warp.mask & warp.defined[i.sources[0].index];
  for (unsigned s = 1; s != i.numSources; ++s)
    if (warp.mask & ~warp.defined[i.sources[s].index])
      throw Fault(FaultCode::LaunchFailed,
                  "read of a register that was never written (source " +
                      std::to_string(s) + ")");
  forLanes(warp.mask, [&](unsigned lane) {
    Source source =
        chooseSource(static_cast<Mode>(i.variant), lane, b[lane], c[lane]);
    values[lane] = a[source.lane];
    inRange |= uint32_t(source.inRange) << lane;
    definedLanes |= (valid >> source.lane & 1) << lane;
  });
  forLanes(warp.mask, [&](unsigned lane) { out[lane] = values[lane]; });
  uint32_t &target = warp.defined[i.destinations[0].index];
  target = (target & ~warp.mask) | definedLanes;
  if (i.numDestinations == 2) {
    warp.setPredicate(i.destinations[1], inRange);
    warp.defined[i.destinations[1].index] |= warp.mask;
  }
}

static void decodeShuffle(Decoder &decoder) {
  decoder.require("sync");
  decoder.instruction.variant =
      static_cast<uint8_t>(decoder.requireOneOf({"up", "down", "bfly", "idx"}));
  decoder.require("b32");
  decoder.addDestinationWithPredicate(Type::B32);
  for (int i = 0; i != 4; ++i)
    decoder.addSource(Type::B32);
  decoder.instruction.memberMask = 3;
  decoder.instruction.movesUndefined = true;
  decoder.finish(runShuffle);
}

//===----------------------------------------------------------------------===//
// vote.sync, match.sync, redux.sync
//===----------------------------------------------------------------------===//

static void runVote(Warp &warp, const Instruction &i) {
  uint32_t votes = warp.getPredicate(i.sources[0]) & warp.mask;
  if (i.variant == 3) {
    auto *out = warp.get<uint32_t>(i.destinations[0]);
    forLanes(warp.mask, [&](unsigned lane) { out[lane] = votes; });
    return;
  }
  bool all = votes == warp.mask, none = votes == 0;
  bool result = i.variant == 0 ? all : i.variant == 1 ? !none : all || none;
  warp.setPredicate(i.destinations[0], result ? UINT32_MAX : 0);
}

static void decodeVote(Decoder &decoder) {
  decoder.require("sync");
  int mode = decoder.requireOneOf({"all", "any", "uni", "ballot"});
  decoder.instruction.variant = static_cast<uint8_t>(mode);
  decoder.require(mode == 3 ? "b32" : "pred");
  decoder.addDestination(mode == 3 ? Type::B32 : Type::Pred);
  decoder.addPredicateSource();
  decoder.addSource(Type::B32);
  decoder.instruction.memberMask = 1;
  decoder.finish(runVote);
}

/// variant: 1 for match.all.
static void runMatch(Warp &warp, const Instruction &i) {
  uint32_t same[32] = {};
  forLanes(warp.mask, [&](unsigned lane) {
    uint64_t value = warp.getBits(i.sources[0], lane);
    forLanes(warp.mask, [&](unsigned other) {
      same[lane] |= uint32_t(warp.getBits(i.sources[0], other) == value)
                    << other;
    });
  });
  auto *out = warp.get<uint32_t>(i.destinations[0]);
  auto first = static_cast<unsigned>(std::countr_zero(warp.mask));
  bool all = same[first] == warp.mask;
  forLanes(warp.mask, [&](unsigned lane) {
    out[lane] = i.variant == 0 ? same[lane] : all ? warp.mask : 0;
  });
  if (i.numDestinations == 2)
    warp.setPredicate(i.destinations[1], all ? UINT32_MAX : 0);
}

static void decodeMatch(Decoder &decoder) {
  bool all = decoder.requireOneOf({"any", "all"}) == 1;
  decoder.instruction.variant = all;
  decoder.require("sync");
  Type type = decoder.requireType(
      [](Type t) { return t == Type::B32 || t == Type::B64; });
  if (decoder.addDestinationWithPredicate(Type::B32) && !all)
    decoder.fail("match.any has one result");
  decoder.addSource(type);
  decoder.addSource(Type::B32);
  decoder.instruction.memberMask = 1;
  decoder.finish(runMatch);
}

/// variant: add, min, max, and, or, xor.
template <typename T> static void runReduce(Warp &warp, const Instruction &i) {
  auto *a = warp.get<T>(i.sources[0]);
  auto *out = warp.get<T>(i.destinations[0]);
  T result = a[std::countr_zero(warp.mask)];
  forLanes(warp.mask & (warp.mask - 1), [&](unsigned lane) {
    T b = a[lane];
    switch (i.variant) {
    case 0:
      result = static_cast<T>(uint32_t(result) + uint32_t(b));
      break;
    case 1:
      result = std::min(result, b);
      break;
    case 2:
      result = std::max(result, b);
      break;
    case 3:
      result &= b;
      break;
    case 4:
      result |= b;
      break;
    default:
      result ^= b;
    }
  });
  forLanes(warp.mask, [&](unsigned lane) { out[lane] = result; });
}

static void decodeReduce(Decoder &decoder) {
  decoder.require("sync");
  int operation =
      decoder.requireOneOf({"add", "min", "max", "and", "or", "xor"});
  decoder.instruction.variant = static_cast<uint8_t>(operation);
  Type type = decoder.takeType();
  bool fits = operation < 3 ? type == Type::U32 || type == Type::S32
                            : type == Type::B32;
  if (!fits)
    decoder.failUnsupported();
  decoder.addDestination(type);
  decoder.addSource(type);
  decoder.addSource(Type::B32);
  decoder.instruction.memberMask = 1;
  decoder.finish(type == Type::S32 ? runReduce<int32_t> : runReduce<uint32_t>);
}

static void runActiveMask(Warp &warp, const Instruction &i) {
  auto *out = warp.get<uint32_t>(i.destinations[0]);
  forLanes(warp.mask, [&](unsigned lane) { out[lane] = warp.mask; });
}

bool quern::ptx::decodeWarp(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  if (base == "activemask") {
    decoder.require("b32");
    decoder.addDestination(Type::B32);
    decoder.finish(runActiveMask);
    return true;
  }
  if (base != "shfl" && base != "vote" && base != "match" && base != "redux")
    return false;
  decoder.instruction.flow = Flow::WarpSync;
  if (base == "shfl")
    decodeShuffle(decoder);
  else if (base == "vote")
    decodeVote(decoder);
  else if (base == "match")
    decodeMatch(decoder);
  else
    decodeReduce(decoder);
  return true;
}
