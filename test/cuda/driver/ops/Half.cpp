//===- Half.cpp - f16, bf16 and their pairs -------------------------------===//

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"
#include "test/cuda/driver/ops/Numbers.h"

using namespace quern::ptx;

namespace {
enum : uint8_t { Flushes = 1, Saturates = 2, Rectifies = 4, TakesNaN = 8 };

struct F16Format {
  static float read(uint16_t bits) { return fromF16Bits(bits); }
  static uint16_t write(double value) { return toF16Bits(value); }
  static constexpr uint16_t infinity = 0x7c00, smallestNormal = 0x0400;
};
struct BF16Format {
  static float read(uint16_t bits) { return fromBF16Bits(bits); }
  static uint16_t write(double value) { return toBF16Bits(value); }
  static constexpr uint16_t infinity = 0x7f80, smallestNormal = 0x0080;
};

template <typename Format> struct Value {
  static uint16_t flushBits(uint16_t bits) {
    return (bits & 0x7fff) < Format::smallestNormal ? bits & 0x8000 : bits;
  }
  static float take(const Instruction &i, uint16_t bits) {
    return Format::read(i.variant & Flushes ? flushBits(bits) : bits);
  }
  static uint16_t give(const Instruction &i, double exact) {
    uint16_t bits = Format::write(exact);
    if (i.variant & Flushes)
      bits = flushBits(bits);
    bool isNaN = (bits & 0x7fff) > Format::infinity;
    if (i.variant & Saturates) {
      uint16_t one = Format::write(1);
      bits = isNaN || bits & 0x8000 ? 0 : std::min(bits, one);
    }
    if (i.variant & Rectifies && !isNaN && bits & 0x8000)
      bits = 0;
    return bits;
  }
};

struct Add {
  static double compute(float a, float b) { return addToOdd(a, b); }
};
struct Subtract {
  static double compute(float a, float b) { return addToOdd(a, -b); }
};
struct Multiply {
  static double compute(float a, float b) { return double(a) * b; }
};
struct Fma {
  static double compute(float a, float b, float c) {
    return addToOdd(double(a) * b, c);
  }
};
struct Minimum {
  static double compute(float a, float b) {
    if (a == b)
      return std::signbit(a) ? a : b;
    return a < b ? a : b;
  }
};
struct Maximum {
  static double compute(float a, float b) {
    if (a == b)
      return std::signbit(a) ? b : a;
    return a > b ? a : b;
  }
};

/// One value; arithmetic.
template <typename Format, typename Op> struct Single {
  template <typename... In>
  uint16_t operator()(const Instruction &i, In... in) const {
    return Value<Format>::give(i, Op::compute(Value<Format>::take(i, in)...));
  }
};
/// One value; min and max, where a NaN loses unless .NaN is there.
template <typename Format, typename Op> struct SingleMinMax {
  uint16_t operator()(const Instruction &i, uint16_t a, uint16_t b) const {
    float x = Value<Format>::take(i, a), y = Value<Format>::take(i, b);
    bool anyNaN = x != x || y != y;
    if (anyNaN && (i.variant & TakesNaN || (x != x && y != y)))
      return 0x7fff;
    if (anyNaN)
      return Value<Format>::give(i, x != x ? y : x);
    return Value<Format>::give(i, Op::compute(x, y));
  }
};
struct SignBits {
  static uint16_t negate(uint16_t bits) { return bits ^ 0x8000; }
  static uint16_t absolute(uint16_t bits) { return bits & 0x7fff; }
};
template <typename Format, bool Negates> struct SingleSign {
  uint16_t operator()(const Instruction &i, uint16_t a) const {
    if (i.variant & Flushes)
      a = Value<Format>::flushBits(a);
    if ((a & 0x7fff) > Format::infinity)
      return 0x7fff;
    return Negates ? SignBits::negate(a) : SignBits::absolute(a);
  }
};
/// Two values in a word.
template <typename One> struct Pair {
  template <typename... In>
  uint32_t operator()(const Instruction &i, In... in) const {
    uint32_t low = One()(i, static_cast<uint16_t>(in)...);
    uint32_t high = One()(i, static_cast<uint16_t>(in >> 16)...);
    return low | high << 16;
  }
};
} // namespace

template <template <typename> class One, typename... Words>
static ExecuteFunction choose(Type type) {
  constexpr size_t numSources = sizeof...(Words);
  auto make = [&]<typename Format>() -> ExecuteFunction {
    bool pair = getSize(type) == 4;
    if constexpr (numSources == 1)
      return pair ? applyWith<Pair<One<Format>>, uint32_t, uint32_t>
                  : applyWith<One<Format>, uint16_t, uint16_t>;
    else if constexpr (numSources == 2)
      return pair ? applyWith<Pair<One<Format>>, uint32_t, uint32_t, uint32_t>
                  : applyWith<One<Format>, uint16_t, uint16_t, uint16_t>;
    else
      return pair ? applyWith<Pair<One<Format>>, uint32_t, uint32_t, uint32_t,
                              uint32_t>
                  : applyWith<One<Format>, uint16_t, uint16_t, uint16_t,
                              uint16_t>;
  };
  bool bf16 = type == Type::BF16 || type == Type::BF16x2;
  return bf16 ? make.template operator()<BF16Format>()
              : make.template operator()<F16Format>();
}

template <typename Format> using AddOne = Single<Format, Add>;
template <typename Format> using SubtractOne = Single<Format, Subtract>;
template <typename Format> using MultiplyOne = Single<Format, Multiply>;
template <typename Format> using FmaOne = Single<Format, Fma>;
template <typename Format> using MinimumOne = SingleMinMax<Format, Minimum>;
template <typename Format> using MaximumOne = SingleMinMax<Format, Maximum>;
template <typename Format> using NegateOne = SingleSign<Format, true>;
template <typename Format> using AbsoluteOne = SingleSign<Format, false>;

static bool isHalf(Type type) {
  return type == Type::F16 || type == Type::BF16 || type == Type::F16x2 ||
         type == Type::BF16x2;
}

static Type takeOperands(Decoder &decoder, int numSources) {
  Type type = decoder.requireType(isHalf);
  bool bf16 = type == Type::BF16 || type == Type::BF16x2;
  // The grammar has no .ftz and no .sat for bf16.
  if (bf16 && decoder.instruction.variant & (Flushes | Saturates))
    decoder.failUnsupported();
  decoder.addDestination(type);
  for (int i = 0; i != numSources; ++i)
    decoder.addSource(type);
  return type;
}

static void takeOption(Decoder &decoder, std::string_view name, uint8_t bit) {
  if (decoder.take(name))
    decoder.instruction.variant |= bit;
}

bool quern::ptx::decodeHalf(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  if (!isHalf(decoder.getLastType()) || base == "cvt" || base == "mov" ||
      base == "setp" || base == "ex2" || base == "tanh" || base == "mma" ||
      base == "atom" || base == "red")
    return false;
  bool arithmetic = base == "add" || base == "sub" || base == "mul";
  if (arithmetic || base == "fma") {
    if (!decoder.take("rn") && base == "fma")
      decoder.fail("fma needs a rounding mode");
    takeOption(decoder, "ftz", Flushes);
    takeOption(decoder, "sat", Saturates);
    if (base == "fma")
      takeOption(decoder, "relu", Rectifies);
    Type type = takeOperands(decoder, base == "fma" ? 3 : 2);
    decoder.finish(base == "add"   ? choose<AddOne, int, int>(type)
                   : base == "sub" ? choose<SubtractOne, int, int>(type)
                   : base == "mul" ? choose<MultiplyOne, int, int>(type)
                                   : choose<FmaOne, int, int, int>(type));
    return true;
  }
  if (base == "min" || base == "max") {
    takeOption(decoder, "ftz", Flushes);
    takeOption(decoder, "NaN", TakesNaN);
    Type type = takeOperands(decoder, 2);
    decoder.finish(base == "min" ? choose<MinimumOne, int, int>(type)
                                 : choose<MaximumOne, int, int>(type));
    return true;
  }
  if (base == "neg" || base == "abs") {
    takeOption(decoder, "ftz", Flushes);
    Type type = takeOperands(decoder, 1);
    decoder.finish(base == "neg" ? choose<NegateOne, int>(type)
                                 : choose<AbsoluteOne, int>(type));
    return true;
  }
  return false;
}
