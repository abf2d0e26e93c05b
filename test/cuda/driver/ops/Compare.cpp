//===- Compare.cpp - setp, set, selp, slct --------------------------------===//

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"
#include "test/cuda/driver/ops/Numbers.h"

using namespace quern::ptx;

namespace {
/// In Instruction::variant: the comparison, then what joins it to a predicate.
enum Comparison : uint8_t {
  EQ,
  NE,
  LT,
  LE,
  GT,
  GE,
  EQU,
  NEU,
  LTU,
  LEU,
  GTU,
  GEU,
  NUM,
  NaN
};
constexpr uint8_t joinShift = 4; ///< 0: nothing, 1 and, 2 or, 3 xor.
constexpr uint8_t flushes = 64;

struct F16 {
  uint16_t bits;
  operator float() const { return fromF16Bits(bits); }
};
struct BF16 {
  uint16_t bits;
  operator float() const { return fromBF16Bits(bits); }
};
} // namespace

template <typename T> static bool compare(Comparison comparison, T a, T b) {
  bool unordered = isNaN(a) || isNaN(b);
  switch (comparison) {
  case EQ:
    return a == b;
  case NE:
    return a != b && !unordered;
  case LT:
    return a < b;
  case LE:
    return a <= b;
  case GT:
    return a > b;
  case GE:
    return a >= b;
  case EQU:
    return unordered || a == b;
  case NEU:
    return a != b;
  case LTU:
    return unordered || a < b;
  case LEU:
    return unordered || a <= b;
  case GTU:
    return unordered || a > b;
  case GEU:
    return unordered || a >= b;
  case NUM:
    return !unordered;
  case NaN:
    return unordered;
  }
  return false;
}

/// Lanes for which the comparison holds.
template <typename Stored, typename T>
static uint32_t compareLanes(Warp &warp, const Instruction &i) {
  const Stored *a = warp.get<Stored>(i.sources[0]);
  const Stored *b = warp.get<Stored>(i.sources[1]);
  auto comparison = static_cast<Comparison>(i.variant & 15);
  uint32_t result = 0;
  forLanes(warp.mask, [&](unsigned lane) {
    T x = a[lane], y = b[lane];
    if constexpr (std::is_same_v<T, float>)
      if (i.variant & flushes)
        x = flush(x), y = flush(y);
    result |= uint32_t(compare<T>(comparison, x, y)) << lane;
  });
  return result;
}

static uint32_t join(unsigned how, uint32_t result, uint32_t other) {
  return how == 1 ? result & other : how == 2 ? result | other : result ^ other;
}

template <typename Stored, typename T>
static void runSetPredicate(Warp &warp, const Instruction &i) {
  uint32_t result = compareLanes<Stored, T>(warp, i), inverse = ~result;
  if (unsigned how = i.variant >> joinShift & 3; how != 0) {
    uint32_t other = warp.getPredicate(i.sources[2]);
    result = join(how, result, other);
    inverse = join(how, inverse, other);
  }
  warp.setPredicate(i.destinations[0], result);
  if (i.numDestinations == 2)
    warp.setPredicate(i.destinations[1], inverse);
}

/// set: all ones, or 1.0 for f32, where it holds.
template <typename Stored, typename T>
static void runSet(Warp &warp, const Instruction &i) {
  uint32_t result = compareLanes<Stored, T>(warp, i);
  auto *out = warp.get<uint32_t>(i.destinations[0]);
  uint32_t one = i.elementSize ? 0x3f800000 : UINT32_MAX;
  forLanes(warp.mask,
           [&](unsigned lane) { out[lane] = result >> lane & 1 ? one : 0; });
}

template <typename Make>
static ExecuteFunction withStored(Type type, Make make) {
  switch (type) {
  case Type::F16:
    return make.template operator()<F16, float>();
  case Type::BF16:
    return make.template operator()<BF16, float>();
  case Type::F32:
    return make.template operator()<float, float>();
  case Type::F64:
    return make.template operator()<double, double>();
  default:
    return withInteger(type, [&]<typename T>() -> ExecuteFunction {
      return make.template operator()<T, T>();
    });
  }
}

/// The comparison of an instruction and whether the type has it. lo, ls, hi
/// and hs are unsigned names of lt, le, gt and ge.
static uint8_t takeComparison(Decoder &decoder) {
  int found = decoder.requireOneOf({"eq", "ne", "lt", "le", "gt", "ge", "equ",
                                    "neu", "ltu", "leu", "gtu", "geu", "num",
                                    "nan", "lo", "ls", "hi", "hs"});
  Type type = decoder.getLastType();
  bool isUnsignedName = found > NaN;
  if ((found > GE && !isUnsignedName && !isFloat(type)) ||
      (isUnsignedName && (isFloat(type) || isSigned(type))) ||
      (found > NE && isBits(type)))
    decoder.fail("this comparison is not for this type");
  return static_cast<uint8_t>(isUnsignedName ? found - NaN - 1 + LT : found);
}

static bool isCompared(Type type) {
  return getSize(type) > 1 && type != Type::F16x2 && type != Type::BF16x2;
}

static Type takeComparedType(Decoder &decoder) {
  bool ftz = decoder.take("ftz");
  Type type = decoder.requireType(isCompared);
  if (ftz && type != Type::F32)
    decoder.failUnsupported();
  decoder.instruction.variant |= ftz ? flushes : 0;
  return type;
}

static void decodeSetPredicate(Decoder &decoder) {
  decoder.instruction.variant = takeComparison(decoder);
  int how = decoder.takeOneOf({"and", "or", "xor"}) + 1;
  decoder.instruction.variant |= static_cast<uint8_t>(how << joinShift);
  Type type = takeComparedType(decoder);
  decoder.addDestinationWithPredicate(Type::Pred);
  decoder.addSource(type);
  decoder.addSource(type);
  if (how != 0)
    decoder.addPredicateSource();
  decoder.finish(
      withStored(type, []<typename Stored, typename T>() -> ExecuteFunction {
        return runSetPredicate<Stored, T>;
      }));
}

static void decodeSet(Decoder &decoder) {
  decoder.instruction.variant = takeComparison(decoder);
  if (decoder.take("ftz"))
    decoder.instruction.variant |= flushes;
  Type result = decoder.requireType([](Type t) {
    return t == Type::U32 || t == Type::S32 || t == Type::F32;
  });
  Type type = decoder.requireType(isCompared);
  decoder.instruction.elementSize = result == Type::F32;
  decoder.addDestination(result);
  decoder.addSource(type);
  decoder.addSource(type);
  decoder.finish(
      withStored(type, []<typename Stored, typename T>() -> ExecuteFunction {
        return runSet<Stored, T>;
      }));
}

/// selp copies an undefined value only where it chooses it.
template <typename T> static void runSelect(Warp &warp, const Instruction &i) {
  auto *out = warp.get<T>(i.destinations[0]);
  auto *a = warp.get<T>(i.sources[0]), *b = warp.get<T>(i.sources[1]);
  uint32_t missing = warp.mask & ~warp.defined[i.sources[2].index];
  if (missing != 0)
    throw Fault(FaultCode::LaunchFailed,
                "read of a predicate that was never written",
                std::countr_zero(missing));
  uint32_t choice = warp.getPredicate(i.sources[2]);
  uint32_t definedLanes = (warp.defined[i.sources[0].index] & choice) |
                          (warp.defined[i.sources[1].index] & ~choice);
  forLanes(warp.mask, [&](unsigned lane) {
    out[lane] = choice >> lane & 1 ? a[lane] : b[lane];
  });
  uint32_t &target = warp.defined[i.destinations[0].index];
  target = (target & ~warp.mask) | (definedLanes & warp.mask);
}

template <typename T, typename C>
static void runSelectBySign(Warp &warp, const Instruction &i) {
  auto *out = warp.get<T>(i.destinations[0]);
  auto *a = warp.get<T>(i.sources[0]), *b = warp.get<T>(i.sources[1]);
  auto *c = warp.get<C>(i.sources[2]);
  forLanes(warp.mask, [&](unsigned lane) {
    out[lane] = c[lane] >= 0 ? a[lane] : b[lane];
  });
}

static void decodeSelect(Decoder &decoder) {
  Type type = decoder.requireType([](Type t) {
    return isCompared(t) && t != Type::F16 && t != Type::BF16;
  });
  decoder.addDestination(type);
  decoder.addSource(type);
  decoder.addSource(type);
  decoder.addPredicateSource();
  decoder.instruction.movesUndefined = true;
  decoder.finish(getSize(type) == 2   ? runSelect<uint16_t>
                 : getSize(type) == 4 ? runSelect<uint32_t>
                                      : runSelect<uint64_t>);
}

static void decodeSelectBySign(Decoder &decoder) {
  if (decoder.take("ftz"))
    decoder.failUnsupported();
  Type type = decoder.requireType(
      [](Type t) { return isCompared(t) && getSize(t) >= 4; });
  Type condition = decoder.requireType(
      [](Type t) { return t == Type::S32 || t == Type::F32; });
  decoder.addDestination(type);
  decoder.addSource(type);
  decoder.addSource(type);
  decoder.addSource(condition);
  bool wide = getSize(type) == 8;
  decoder.finish(condition == Type::F32
                     ? (wide ? runSelectBySign<uint64_t, float>
                             : runSelectBySign<uint32_t, float>)
                     : (wide ? runSelectBySign<uint64_t, int32_t>
                             : runSelectBySign<uint32_t, int32_t>));
}

bool quern::ptx::decodeCompare(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  if (base == "setp")
    decodeSetPredicate(decoder);
  else if (base == "set")
    decodeSet(decoder);
  else if (base == "selp")
    decodeSelect(decoder);
  else if (base == "slct")
    decodeSelectBySign(decoder);
  else
    return false;
  return true;
}
