//===- Atomic.cpp - atom, red ---------------------------------------------===//

#include "test/cuda/driver/exec/Block.h"
#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"
#include "test/cuda/driver/ops/LoadStore.h"
#include "test/cuda/driver/ops/Numbers.h"

#include <cstring>

using namespace quern::ptx;

namespace {
enum Operation : uint8_t {
  AddOp,
  MinOp,
  MaxOp,
  AndOp,
  OrOp,
  XorOp,
  ExchangeOp,
  CompareOp,
  IncrementOp,
  DecrementOp
};
} // namespace

template <typename T> static T addValues(T a, T b, bool flushes) {
  if constexpr (std::is_same_v<T, float>) {
    if (flushes)
      return canonical(flush(flush(a) + flush(b)));
    return canonical(a + b);
  } else if constexpr (std::is_floating_point_v<T>) {
    return a + b;
  } else {
    return static_cast<T>(uint64_t(a) + uint64_t(b));
  }
}

/// What the memory holds afterwards.
template <typename T>
static T combine(Operation operation, T old, T b, T c, bool flushes) {
  if constexpr (!std::is_floating_point_v<T>) {
    switch (operation) {
    case MinOp:
      return std::min(old, b);
    case MaxOp:
      return std::max(old, b);
    case AndOp:
      return static_cast<T>(old & b);
    case OrOp:
      return static_cast<T>(old | b);
    case XorOp:
      return static_cast<T>(old ^ b);
    case ExchangeOp:
      return b;
    case CompareOp:
      return old == b ? c : old;
    case IncrementOp:
      return old >= b ? T(0) : static_cast<T>(old + 1);
    case DecrementOp:
      return old == 0 || old > b ? b : static_cast<T>(old - 1);
    case AddOp:
      break;
    }
  }
  return addValues(old, b, flushes);
}

/// Sources: address, b, and c of cas. With a destination, the old value.
template <typename T> static void runAtomic(Warp &warp, const Instruction &i) {
  auto *b = warp.get<T>(i.sources[1]);
  auto *c = warp.get<T>(i.sources[i.numSources - 1]);
  forLanes(warp.mask, [&](unsigned lane) {
    std::byte *place = warp.block.access(
        i.space, warp.getAddress(i, lane), sizeof(T), /*reads=*/true,
        /*writes=*/true, warp, lane, /*atomic=*/true);
    T old;
    std::memcpy(&old, place, sizeof(T));
    // add.f32 on global memory flushes subnormal numbers.
    T result = combine<T>(static_cast<Operation>(i.variant), old, b[lane],
                          c[lane], i.space != Space::Shared);
    std::memcpy(place, &result, sizeof(T));
    if (i.numDestinations != 0)
      warp.get<T>(i.destinations[0])[lane] = old;
  });
}

static ExecuteFunction chooseAtomic(Type type) {
  switch (type) {
  case Type::F32:
    return runAtomic<float>;
  case Type::F64:
    return runAtomic<double>;
  default:
    return withInteger(
        type, []<typename T>() -> ExecuteFunction { return runAtomic<T>; });
  }
}

static bool isAllowed(Operation operation, Type type) {
  if (getSize(type) < 4 || type == Type::F16x2 || type == Type::BF16x2)
    return false;
  switch (operation) {
  case AddOp:
    return !isBits(type) && type != Type::S64;
  case MinOp:
  case MaxOp:
    return isInteger(type);
  case IncrementOp:
  case DecrementOp:
    return type == Type::U32;
  default:
    return isBits(type);
  }
}

bool quern::ptx::decodeAtomic(Decoder &decoder) {
  bool returns = decoder.getBase() == "atom";
  if (!returns && decoder.getBase() != "red")
    return false;
  bool ordered =
      decoder.takeOneOf({"relaxed", "acquire", "release", "acq_rel"}) >= 0;
  if (ordered)
    takeScope(decoder);
  else
    decoder.takeOneOf({"cta", "cluster", "gpu", "sys"});
  Space space = takeSpace(decoder);
  if (space == Space::Local || space == Space::Constant)
    decoder.fail("atomics are for .global and .shared");
  decoder.instruction.space = space;
  auto operation = static_cast<Operation>(decoder.requireOneOf(
      {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"}));
  if (!returns && (operation == ExchangeOp || operation == CompareOp))
    decoder.fail("red has no such operation");
  Type type = decoder.takeType();
  if (type == Type::None || !isAllowed(operation, type))
    decoder.failUnsupported();
  decoder.instruction.variant = operation;
  if (returns)
    decoder.addDestination(type);
  decoder.addAddress(space);
  decoder.addSource(type);
  if (operation == CompareOp)
    decoder.addSource(type);
  decoder.finish(chooseAtomic(type));
  return true;
}
