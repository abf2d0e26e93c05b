//===- Convert.cpp - cvt --------------------------------------------------===//
//
// One value at a time: the source becomes an integer of 128 bits or a double
// (exact, or with an odd last bit), the result is rounded once.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"
#include "test/cuda/driver/ops/Numbers.h"

#include <algorithm>

using namespace quern::ptx;

namespace {
/// Instruction::variant: the rounding mode and these.
enum : uint8_t {
  RoundingBits = 3,
  Flushes = 4,
  Saturates = 8,
  Rectifies = 16,
  ToIntegral = 32,
  SaturatesFinite = 64
};
} // namespace

static Rounding getRounding(const Instruction &i) {
  return static_cast<Rounding>(i.variant & RoundingBits);
}

/// `bits` of an integer type, extended.
static __int128 readInteger(Type type, uint64_t bits) {
  unsigned width = getSize(type) * 8;
  if (width < 64)
    bits &= (uint64_t(1) << width) - 1;
  if (!isSigned(type))
    return bits;
  return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
}

static double readFloat(Type type, uint64_t bits, bool flushes) {
  switch (type) {
  case Type::F16:
    return fromF16Bits(static_cast<uint16_t>(bits));
  case Type::BF16:
    return fromBF16Bits(static_cast<uint16_t>(bits));
  case Type::F32: {
    auto value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    return flushes ? flush(value) : value;
  }
  default:
    return std::bit_cast<double>(bits);
  }
}

static double roundToIntegral(double value, Rounding mode) {
  switch (mode) {
  case Rounding::Nearest:
    return std::nearbyint(value);
  case Rounding::Zero:
    return std::trunc(value);
  case Rounding::Down:
    return std::floor(value);
  case Rounding::Up:
    return std::ceil(value);
  }
  return value;
}

static __int128 getLimit(Type type, bool upper) {
  unsigned width = getSize(type) * 8;
  __int128 half = __int128(1) << (width - 1);
  if (isSigned(type))
    return upper ? half - 1 : -half;
  return upper ? 2 * half - 1 : 0;
}

static uint64_t writeFloat(const Instruction &i, Type type, double value) {
  bool isNaN = value != value;
  if (i.variant & Saturates)
    value = value > 0 ? std::min(value, 1.0) : 0;
  if (i.variant & Rectifies && !isNaN)
    value = value > 0 ? value : 0;
  uint64_t bits = 0;
  if (type == Type::F16)
    bits = toF16Bits(value, getRounding(i));
  else if (type == Type::BF16)
    bits = toBF16Bits(value, getRounding(i));
  else if (type == Type::F32)
    bits = toF32Bits(value, getRounding(i));
  else
    bits = std::bit_cast<uint64_t>(value);
  if (type == Type::F32 && i.variant & Flushes)
    bits = std::bit_cast<uint32_t>(
        flush(std::bit_cast<float>(static_cast<uint32_t>(bits))));
  uint64_t infinity = type == Type::F16 ? 0x7c00 : 0x7f80;
  if (i.variant & SaturatesFinite && !isNaN && (bits & 0x7fff) == infinity)
    --bits;
  return bits;
}

static uint64_t convertValue(const Instruction &i, Type to, Type from,
                             uint64_t bits) {
  if (isFloat(from)) {
    double value = readFloat(from, bits, i.variant & Flushes);
    if (isFloat(to)) {
      if (i.variant & ToIntegral)
        value = roundToIntegral(value, getRounding(i));
      return writeFloat(i, to, value);
    }
    if (value != value)
      return 0;
    value = roundToIntegral(value, getRounding(i));
    // Beyond the range, what is nearest. Both limits are exact in a double or
    // one past it.
    auto low = static_cast<double>(getLimit(to, false));
    auto high = static_cast<double>(getLimit(to, true));
    if (value <= low)
      return static_cast<uint64_t>(getLimit(to, false));
    if (value >= high)
      return static_cast<uint64_t>(getLimit(to, true));
    return static_cast<uint64_t>(static_cast<__int128>(value));
  }
  __int128 value = readInteger(from, bits);
  if (isFloat(to)) {
    // Two halves are exact; their sum keeps what rounding needs.
    __int128 high = value >> 32 << 32;
    double sum =
        addToOdd(static_cast<double>(high), static_cast<double>(value - high));
    if (to == Type::F64)
      sum = static_cast<double>(value);
    return writeFloat(i, to, sum);
  }
  if (i.variant & Saturates)
    value = std::clamp(value, getLimit(to, false), getLimit(to, true));
  // Sign or zero extension to the width of the register.
  return static_cast<uint64_t>(readInteger(to, static_cast<uint64_t>(value)));
}

template <Type To, Type From>
static void runConvert(Warp &warp, const Instruction &i) {
  forLanes(warp.mask, [&](unsigned lane) {
    warp.setBits(i.destinations[0], lane,
                 convertValue(i, To, From, warp.getBits(i.sources[0], lane)));
  });
}

/// f32 from bf16: a shift.
static void runWidenBF16(Warp &warp, const Instruction &i) {
  auto *out = warp.get<uint32_t>(i.destinations[0]);
  auto *in = warp.get<uint16_t>(i.sources[0]);
  forLanes(warp.mask, [&](unsigned lane) {
    bool isNaN = (in[lane] & 0x7fff) > 0x7f80;
    out[lane] = isNaN ? 0x7fffffff : uint32_t(in[lane]) << 16;
  });
}

/// cvt.f16x2.f32 d, a, b: a is the upper half.
template <Type Half>
static void runConvertPair(Warp &warp, const Instruction &i) {
  auto *out = warp.get<uint32_t>(i.destinations[0]);
  auto *a = warp.get<float>(i.sources[0]), *b = warp.get<float>(i.sources[1]);
  forLanes(warp.mask, [&](unsigned lane) {
    auto high = static_cast<uint32_t>(writeFloat(i, Half, a[lane]));
    auto low = static_cast<uint32_t>(writeFloat(i, Half, b[lane]));
    out[lane] = high << 16 | low;
  });
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

template <Type To> static ExecuteFunction chooseFrom(Type from) {
  switch (from) {
  case Type::U8:
    return runConvert<To, Type::U8>;
  case Type::U16:
    return runConvert<To, Type::U16>;
  case Type::U32:
    return runConvert<To, Type::U32>;
  case Type::U64:
    return runConvert<To, Type::U64>;
  case Type::S8:
    return runConvert<To, Type::S8>;
  case Type::S16:
    return runConvert<To, Type::S16>;
  case Type::S32:
    return runConvert<To, Type::S32>;
  case Type::S64:
    return runConvert<To, Type::S64>;
  case Type::F16:
    return runConvert<To, Type::F16>;
  case Type::BF16:
    return runConvert<To, Type::BF16>;
  case Type::F32:
    return runConvert<To, Type::F32>;
  case Type::F64:
    return runConvert<To, Type::F64>;
  default:
    return nullptr;
  }
}

static ExecuteFunction chooseConvert(Type to, Type from) {
  if (to == Type::F32 && from == Type::BF16)
    return runWidenBF16;
  switch (to) {
  case Type::U8:
    return chooseFrom<Type::U8>(from);
  case Type::U16:
    return chooseFrom<Type::U16>(from);
  case Type::U32:
    return chooseFrom<Type::U32>(from);
  case Type::U64:
    return chooseFrom<Type::U64>(from);
  case Type::S8:
    return chooseFrom<Type::S8>(from);
  case Type::S16:
    return chooseFrom<Type::S16>(from);
  case Type::S32:
    return chooseFrom<Type::S32>(from);
  case Type::S64:
    return chooseFrom<Type::S64>(from);
  case Type::F16:
    return chooseFrom<Type::F16>(from);
  case Type::BF16:
    return chooseFrom<Type::BF16>(from);
  case Type::F32:
    return chooseFrom<Type::F32>(from);
  case Type::F64:
    return chooseFrom<Type::F64>(from);
  default:
    return nullptr;
  }
}

static bool isConverted(Type type) {
  return isInteger(type) || (isFloat(type) && type <= Type::F64);
}

static void decodePair(Decoder &decoder, Type to, bool hasRounding) {
  if (!hasRounding)
    decoder.fail("this conversion needs a rounding mode");
  decoder.require("f32");
  decoder.addDestination(to);
  decoder.addSource(Type::F32);
  decoder.addSource(Type::F32);
  decoder.finish(to == Type::F16x2 ? runConvertPair<Type::F16>
                                   : runConvertPair<Type::BF16>);
}

/// Which rounding a conversion has to name: 'f' of floats, 'i' to integers,
/// '-' none, 'o' to integers if wanted.
static char getRoundingKind(Type to, Type from) {
  if (isFloat(from) && isInteger(to))
    return 'i';
  if (isInteger(from))
    return isFloat(to) ? 'f' : '-';
  if (to == from)
    return 'o';
  return getSize(to) < getSize(from) ? 'f' : '-';
}

bool quern::ptx::decodeConvert(Decoder &decoder) {
  if (decoder.getBase() != "cvt")
    return false;
  Instruction &instruction = decoder.instruction;
  int floatMode = decoder.takeOneOf({"rn", "rz", "rm", "rp"});
  int integerMode =
      floatMode >= 0 ? -1 : decoder.takeOneOf({"rni", "rzi", "rmi", "rpi"});
  instruction.variant =
      static_cast<uint8_t>(std::max({floatMode, integerMode, 0}));
  auto option = [&](std::string_view name, uint8_t bit) {
    if (decoder.take(name))
      instruction.variant |= bit;
  };
  option("ftz", Flushes);
  option("relu", Rectifies);
  option("satfinite", SaturatesFinite);
  option("sat", Saturates);
  Type to = decoder.takeType();
  if (to == Type::F16x2 || to == Type::BF16x2) {
    if (floatMode > 1 || instruction.variant & Saturates)
      decoder.failUnsupported();
    decodePair(decoder, to, floatMode >= 0);
    return true;
  }
  if (!isConverted(to))
    decoder.failUnsupported();
  Type from = decoder.requireType(isConverted);
  char kind = getRoundingKind(to, from);
  bool wrong = (kind == 'f' && floatMode < 0) ||
               (kind == 'i' && integerMode < 0) ||
               (kind == 'o' && floatMode >= 0) ||
               (kind == '-' && (floatMode >= 0 || integerMode >= 0));
  if (wrong)
    decoder.fail("'" + std::string(decoder.getMnemonic()) +
                 "' needs another rounding mode, or none");
  bool halfFromF32 = from == Type::F32 && getSize(to) == 2 && isFloat(to);
  if (instruction.variant & (Rectifies | SaturatesFinite) && !halfFromF32)
    decoder.failUnsupported();
  if (kind == 'o' && integerMode >= 0)
    instruction.variant |= ToIntegral;
  decoder.addDestination(to, /*wider=*/isInteger(to));
  decoder.addSource(from, /*wider=*/isInteger(from));
  decoder.finish(chooseConvert(to, from));
  return true;
}
