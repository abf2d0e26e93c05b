//===- Approximation.cpp - ex2, lg2, rcp, rsqrt, sqrt, sin, cos, tanh -----===//
//
// Computed in double and rounded to the format, which is closer than hardware
// comes. The bounds are those of the PTX ISA: relative, or absolute for sin,
// cos and lg2 near 1.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/ops/Approximation.h"

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"
#include "test/cuda/driver/ops/Numbers.h"

using namespace quern::ptx;

static Approximation chosen = Approximation::Exact;

void quern::ptx::setApproximation(Approximation approximation) {
  chosen = approximation;
}

/// `exact`, moved by as much as the bound allows.
static double move(double exact, double bound, bool absolute = false) {
  if (chosen == Approximation::Exact || !std::isfinite(exact))
    return exact;
  double by = absolute ? bound : std::fabs(exact) * bound;
  return chosen == Approximation::Low ? exact - by : exact + by;
}

namespace {
constexpr uint8_t flushes = 1;

struct Exp2 {
  static double compute(double a) { return move(std::exp2(a), 0x1p-22); }
};
struct Log2 {
  static double compute(double a) {
    bool nearOne = a > 0.5 && a < 2;
    return move(std::log2(a), 0x1p-22, nearOne);
  }
};
struct Reciprocal {
  static double compute(double a) { return move(1 / a, 0x1p-23); }
};
struct SquareRoot {
  static double compute(double a) { return move(std::sqrt(a), 0x1p-23); }
};
struct ReciprocalRoot {
  static double compute(double a) {
    // 1.19e-7 is 2^-23; the ISA allows 2^-22.9.
    return move(1 / std::sqrt(a), 1.279e-7);
  }
};
struct Sine {
  static double compute(double a) {
    double bound = std::fabs(a) <= 6.2831854 ? 0x1.6ap-21 : 0x1.38p-15;
    return a == 0 ? a : move(std::sin(a), bound, true);
  }
};
struct Cosine {
  static double compute(double a) {
    double bound = std::fabs(a) <= 6.2831854 ? 0x1.6ap-21 : 0x1.38p-15;
    return move(std::cos(a), bound, true);
  }
};
struct Tanh {
  static double compute(double a) { return move(std::tanh(a), 0x1p-11); }
};

template <typename Op> struct OnF32 {
  float operator()(const Instruction &i, float a) const {
    bool ftz = i.variant & flushes;
    float value = static_cast<float>(Op::compute(ftz ? flush(a) : a));
    return canonical(ftz ? flush(value) : value);
  }
};
struct DivideF32 { // 2 ulp
  float operator()(const Instruction &i, float a, float b) const {
    bool ftz = i.variant & flushes;
    double quotient = ftz ? double(flush(a)) / flush(b) : double(a) / b;
    float value = static_cast<float>(move(quotient, 0x1p-22));
    return canonical(ftz ? flush(value) : value);
  }
};

template <bool BF16, bool IsTanh> struct OnHalf {
  uint16_t operator()(const Instruction &, uint16_t a) const {
    double x = BF16 ? fromBF16Bits(a) : fromF16Bits(a);
    // Bounds of the ISA: 2^-9.9 and 2^-7 for ex2, 2^-10.987 and 2^-8 for tanh.
    double bound =
        BF16 ? (IsTanh ? 0x1p-8 : 0x1p-7) : (IsTanh ? 4.92e-4 : 1.04e-3);
    double y = move(IsTanh ? std::tanh(x) : std::exp2(x), bound);
    return BF16 ? toBF16Bits(y) : toF16Bits(y);
  }
};
template <typename One> struct OnPair {
  uint32_t operator()(const Instruction &i, uint32_t a) const {
    uint32_t high = One()(i, static_cast<uint16_t>(a >> 16));
    return high << 16 | One()(i, static_cast<uint16_t>(a));
  }
};
} // namespace

template <bool IsTanh> static ExecuteFunction chooseHalf(Type type) {
  switch (type) {
  case Type::F16:
    return applyWith<OnHalf<false, IsTanh>, uint16_t, uint16_t>;
  case Type::BF16:
    return applyWith<OnHalf<true, IsTanh>, uint16_t, uint16_t>;
  case Type::F16x2:
    return applyWith<OnPair<OnHalf<false, IsTanh>>, uint32_t, uint32_t>;
  default:
    return applyWith<OnPair<OnHalf<true, IsTanh>>, uint32_t, uint32_t>;
  }
}

static ExecuteFunction chooseF32(std::string_view base) {
  struct Row {
    std::string_view base;
    ExecuteFunction function;
  };
  static constexpr Row rows[] = {
      {"ex2", applyWith<OnF32<Exp2>, float, float>},
      {"lg2", applyWith<OnF32<Log2>, float, float>},
      {"rcp", applyWith<OnF32<Reciprocal>, float, float>},
      {"sqrt", applyWith<OnF32<SquareRoot>, float, float>},
      {"rsqrt", applyWith<OnF32<ReciprocalRoot>, float, float>},
      {"sin", applyWith<OnF32<Sine>, float, float>},
      {"cos", applyWith<OnF32<Cosine>, float, float>},
      {"tanh", applyWith<OnF32<Tanh>, float, float>},
      {"div", applyWith<DivideF32, float, float, float>}};
  for (const Row &row : rows)
    if (row.base == base)
      return row.function;
  return nullptr;
}

bool quern::ptx::decodeApproximation(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  ExecuteFunction function = chooseF32(base);
  if (!function)
    return false;
  bool full = base == "div" && decoder.take("full");
  if (!full)
    decoder.require("approx");
  bool ftz = decoder.take("ftz");
  decoder.instruction.variant = ftz ? flushes : 0;
  Type type = decoder.takeType();
  bool isHalf = isFloat(type) && type != Type::F32 && type != Type::F64;
  if (isHalf && (base == "ex2" || base == "tanh")) {
    bool bf16 = type == Type::BF16 || type == Type::BF16x2;
    if (ftz != (bf16 && base == "ex2"))
      decoder.failUnsupported();
    function =
        base == "tanh" ? chooseHalf<true>(type) : chooseHalf<false>(type);
  } else if (type != Type::F32 || (base == "tanh" && ftz)) {
    decoder.failUnsupported();
  }
  decoder.addDestination(type);
  decoder.addSource(type);
  if (base == "div")
    decoder.addSource(type);
  decoder.finish(function);
  return true;
}
