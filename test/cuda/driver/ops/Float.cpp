//===- Float.cpp - f32 and f64 arithmetic ---------------------------------===//

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"
#include "test/cuda/driver/ops/Numbers.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

using namespace quern::ptx;

namespace {
/// Options of an instruction, in Instruction::variant.
enum : uint8_t { RoundingBits = 3, Flushes = 4, Saturates = 8, TakesNaN = 16 };
} // namespace

static Rounding getRounding(const Instruction &instruction) {
  return static_cast<Rounding>(instruction.variant & RoundingBits);
}

static float takeIn(const Instruction &instruction, float value) {
  return instruction.variant & Flushes ? flush(value) : value;
}

/// Rounds an exact (or odd) result and applies .ftz and .sat.
static float giveOut(const Instruction &instruction, double exact) {
  float value =
      std::bit_cast<float>(toF32Bits(exact, getRounding(instruction)));
  value = canonical(value);
  if (instruction.variant & Flushes)
    value = flush(value);
  if (instruction.variant & Saturates)
    value = value > 0 ? std::min(value, 1.0f) : 0.0f; // NaN becomes 0.
  return value;
}

namespace {
// f32 without options, fast.
struct AddFast {
  float operator()(float a, float b) const { return canonical(a + b); }
};
struct SubtractFast {
  float operator()(float a, float b) const { return canonical(a - b); }
};
struct MultiplyFast {
  float operator()(float a, float b) const { return canonical(a * b); }
};
struct FmaFast {
  float operator()(float a, float b, float c) const {
    return canonical(std::fma(a, b, c));
  }
};
// f32 with options.
struct Add {
  float operator()(const Instruction &i, float a, float b) const {
    return giveOut(i, addToOdd(takeIn(i, a), takeIn(i, b)));
  }
};
struct Subtract {
  float operator()(const Instruction &i, float a, float b) const {
    return giveOut(i, addToOdd(takeIn(i, a), -takeIn(i, b)));
  }
};
struct Multiply { // Exact in double.
  float operator()(const Instruction &i, float a, float b) const {
    return giveOut(i, double(takeIn(i, a)) * takeIn(i, b));
  }
};
struct Fma {
  float operator()(const Instruction &i, float a, float b, float c) const {
    return giveOut(i,
                   addToOdd(double(takeIn(i, a)) * takeIn(i, b), takeIn(i, c)));
  }
};
struct Divide {
  float operator()(const Instruction &i, float a, float b) const {
    return giveOut(i, divideToOdd(takeIn(i, a), takeIn(i, b)));
  }
};
struct Reciprocal {
  float operator()(const Instruction &i, float a) const {
    return giveOut(i, divideToOdd(1, takeIn(i, a)));
  }
};
struct SquareRoot {
  float operator()(const Instruction &i, float a) const {
    return giveOut(i, sqrtToOdd(takeIn(i, a)));
  }
};
/// min and max: -0 is less than +0; a NaN loses, or wins with .NaN.
template <bool Max> struct MinMax {
  template <typename T> static T choose(T a, T b, bool takesNaN) {
    if (isNaN(a) || isNaN(b)) {
      if (isNaN(a) == isNaN(b))
        return a;
      return isNaN(a) == takesNaN ? a : b;
    }
    if (a == b)
      return std::signbit(a) == Max ? b : a;
    return (a < b) == Max ? b : a;
  }
  float operator()(const Instruction &i, float a, float b) const {
    return canonical(choose(takeIn(i, a), takeIn(i, b), i.variant & TakesNaN));
  }
  double operator()(const Instruction &i, double a, double b) const {
    return choose(a, b, false);
  }
};
struct Absolute {
  float operator()(const Instruction &i, float a) const {
    return canonical(std::fabs(takeIn(i, a)));
  }
};
struct Negate {
  float operator()(const Instruction &i, float a) const {
    return canonical(-takeIn(i, a));
  }
};
struct CopySign { // The sign of a on b.
  template <typename T> T operator()(T a, T b) const {
    return std::copysign(b, a);
  }
};
// f64 to nearest.
struct Add64 {
  double operator()(double a, double b) const { return a + b; }
};
struct Subtract64 {
  double operator()(double a, double b) const { return a - b; }
};
struct Multiply64 {
  double operator()(double a, double b) const { return a * b; }
};
struct Divide64 {
  double operator()(double a, double b) const { return a / b; }
};
struct Fma64 {
  double operator()(double a, double b, double c) const {
    return std::fma(a, b, c);
  }
};
struct Absolute64 {
  double operator()(double a) const { return std::fabs(a); }
};
struct Negate64 {
  double operator()(double a) const { return -a; }
};
struct SquareRoot64 {
  double operator()(double a) const { return std::sqrt(a); }
};
struct Reciprocal64 {
  double operator()(double a) const { return 1 / a; }
};
} // namespace

//===----------------------------------------------------------------------===//
// fma.rn.f32, the inner loop of most kernels
//===----------------------------------------------------------------------===//

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void
runFmaVectors(Warp &warp, const Instruction &instruction) {
  if (warp.mask != UINT32_MAX)
    return apply<FmaFast, float, float, float, float>(warp, instruction);
  float *out = warp.get<float>(instruction.destinations[0]);
  const float *a = warp.get<float>(instruction.sources[0]);
  const float *b = warp.get<float>(instruction.sources[1]);
  const float *c = warp.get<float>(instruction.sources[2]);
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  for (unsigned lane = 0; lane != 32; lane += 8) {
    __m256 value =
        _mm256_fmadd_ps(_mm256_loadu_ps(a + lane), _mm256_loadu_ps(b + lane),
                        _mm256_loadu_ps(c + lane));
    __m256 isNaN = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
    _mm256_storeu_ps(out + lane, _mm256_blendv_ps(value, nan, isNaN));
  }
}
#endif

static ExecuteFunction chooseFma() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return runFmaVectors;
#endif
  return apply<FmaFast, float, float, float, float>;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static bool isF32OrF64(Type type) {
  return type == Type::F32 || type == Type::F64;
}

static void takeOption(Decoder &decoder, std::string_view name, uint8_t bit) {
  if (decoder.take(name))
    decoder.instruction.variant |= bit;
}

static void takeRounding(Decoder &decoder, bool required) {
  int mode = decoder.takeOneOf({"rn", "rz", "rm", "rp"});
  if (mode < 0 && required)
    decoder.fail("'" + std::string(decoder.getMnemonic()) +
                 "' needs a rounding mode");
  decoder.instruction.variant |= static_cast<uint8_t>(std::max(mode, 0));
}

static Type takeOperands(Decoder &decoder, int numSources) {
  Type type = decoder.requireType(isF32OrF64);
  uint8_t options = decoder.instruction.variant;
  if (type == Type::F64 && options != 0)
    decoder.failUnsupported(); // No .ftz, .sat; only to nearest.
  decoder.addDestination(type);
  for (int i = 0; i != numSources; ++i)
    decoder.addSource(type);
  return type;
}

/// add, sub, mul, fma: {.rnd}{.ftz}{.sat}
template <typename Fast, typename Full, typename F64>
static void decodeBasic(Decoder &decoder, bool roundingRequired) {
  takeRounding(decoder, roundingRequired);
  takeOption(decoder, "ftz", Flushes);
  takeOption(decoder, "sat", Saturates);
  Type type = takeOperands(decoder, 2);
  if (type == Type::F64)
    return decoder.finish(apply<F64, double, double, double>);
  decoder.finish(decoder.instruction.variant == 0
                     ? apply<Fast, float, float, float>
                     : applyWith<Full, float, float, float>);
}

static void decodeFma(Decoder &decoder) {
  takeRounding(decoder, true);
  takeOption(decoder, "ftz", Flushes);
  takeOption(decoder, "sat", Saturates);
  Type type = takeOperands(decoder, 3);
  if (type == Type::F64)
    return decoder.finish(apply<Fma64, double, double, double, double>);
  decoder.finish(decoder.instruction.variant == 0
                     ? chooseFma()
                     : applyWith<Fma, float, float, float, float>);
}

template <typename Full, typename F64>
static void decodeUnary(Decoder &decoder, bool rounds) {
  if (rounds)
    takeRounding(decoder, true);
  takeOption(decoder, "ftz", Flushes);
  Type type = takeOperands(decoder, 1);
  decoder.finish(type == Type::F64 ? apply<F64, double, double>
                                   : applyWith<Full, float, float>);
}

template <bool Max> static void decodeMinMax(Decoder &decoder) {
  takeOption(decoder, "ftz", Flushes);
  takeOption(decoder, "NaN", TakesNaN);
  Type type = takeOperands(decoder, 2);
  decoder.finish(type == Type::F64
                     ? applyWith<MinMax<Max>, double, double, double>
                     : applyWith<MinMax<Max>, float, float, float>);
}

static void decodeDivide(Decoder &decoder) {
  takeRounding(decoder, true);
  takeOption(decoder, "ftz", Flushes);
  Type type = takeOperands(decoder, 2);
  decoder.finish(type == Type::F64 ? apply<Divide64, double, double, double>
                                   : applyWith<Divide, float, float, float>);
}

bool quern::ptx::decodeFloat(Decoder &decoder) {
  if (!isF32OrF64(decoder.getLastType()) || decoder.hasModifier("approx") ||
      decoder.hasModifier("full"))
    return false;
  std::string_view base = decoder.getBase();
  if (base == "add")
    decodeBasic<AddFast, Add, Add64>(decoder, false);
  else if (base == "sub")
    decodeBasic<SubtractFast, Subtract, Subtract64>(decoder, false);
  else if (base == "mul")
    decodeBasic<MultiplyFast, Multiply, Multiply64>(decoder, false);
  else if (base == "fma" || base == "mad")
    decodeFma(decoder);
  else if (base == "div")
    decodeDivide(decoder);
  else if (base == "rcp")
    decodeUnary<Reciprocal, Reciprocal64>(decoder, true);
  else if (base == "sqrt")
    decodeUnary<SquareRoot, SquareRoot64>(decoder, true);
  else if (base == "abs")
    decodeUnary<Absolute, Absolute64>(decoder, false);
  else if (base == "neg")
    decodeUnary<Negate, Negate64>(decoder, false);
  else if (base == "min")
    decodeMinMax<false>(decoder);
  else if (base == "max")
    decodeMinMax<true>(decoder);
  else if (base == "copysign") {
    Type type = takeOperands(decoder, 2);
    decoder.finish(type == Type::F64 ? applyBinary<CopySign, double>
                                     : applyBinary<CopySign, float>);
  } else {
    return false;
  }
  return true;
}
