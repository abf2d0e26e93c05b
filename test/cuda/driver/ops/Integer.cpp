//===- Integer.cpp - add, sub, mul, mad, div, rem, min, max, dp4a ---------===//

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"

#include <algorithm>
#include <type_traits>

using namespace quern::ptx;

template <typename T> static void checkDivisor(T b) {
  // The result of hardware is unspecified: no kernel may rely on it.
  if (b == 0)
    throw Fault(FaultCode::LaunchFailed, "integer division by zero");
}

namespace {
// The low bits of a result do not depend on signs.
struct Add {
  template <typename T> T operator()(T a, T b) const {
    return static_cast<T>(uint64_t(a) + uint64_t(b));
  }
};
struct Subtract {
  template <typename T> T operator()(T a, T b) const {
    return static_cast<T>(uint64_t(a) - uint64_t(b));
  }
};
struct AddSaturated { // add.sat.s32
  int32_t operator()(int32_t a, int32_t b) const {
    return static_cast<int32_t>(
        std::clamp<int64_t>(int64_t(a) + b, INT32_MIN, INT32_MAX));
  }
};
struct SubtractSaturated {
  int32_t operator()(int32_t a, int32_t b) const {
    return static_cast<int32_t>(
        std::clamp<int64_t>(int64_t(a) - b, INT32_MIN, INT32_MAX));
  }
};
struct MultiplyLow {
  template <typename T> T operator()(T a, T b) const {
    return static_cast<T>(uint64_t(a) * uint64_t(b));
  }
};
struct MultiplyHigh {
  template <typename T> T operator()(T a, T b) const {
    using Wide =
        std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
    return static_cast<T>(Wide(a) * Wide(b) >> (sizeof(T) * 8));
  }
};
struct MadLow {
  template <typename T> T operator()(T a, T b, T c) const {
    return Add()(MultiplyLow()(a, b), c);
  }
};
struct MadHigh {
  template <typename T> T operator()(T a, T b, T c) const {
    return Add()(MultiplyHigh()(a, b), c);
  }
};
template <typename W> struct MultiplyWide {
  template <typename T> W operator()(T a, T b) const {
    return static_cast<W>(W(a) * W(b));
  }
};
template <typename W> struct MadWide {
  template <typename T> W operator()(T a, T b, W c) const {
    return Add()(static_cast<W>(W(a) * W(b)), c);
  }
};
struct Divide {
  template <typename T> T operator()(T a, T b) const {
    checkDivisor(b);
    if (std::is_signed_v<T> && b == static_cast<T>(-1))
      return Subtract()(T(0), a);
    return static_cast<T>(a / b);
  }
};
struct Remainder {
  template <typename T> T operator()(T a, T b) const {
    checkDivisor(b);
    if (std::is_signed_v<T> && b == static_cast<T>(-1))
      return 0;
    return static_cast<T>(a % b);
  }
};
struct Minimum {
  template <typename T> T operator()(T a, T b) const { return a < b ? a : b; }
};
struct Maximum {
  template <typename T> T operator()(T a, T b) const { return a > b ? a : b; }
};
struct Negate {
  template <typename T> T operator()(T a) const { return Subtract()(T(0), a); }
};
struct Absolute {
  template <typename T> T operator()(T a) const {
    return a < 0 ? Negate()(a) : a;
  }
};
struct SumOfDifferences { // sad
  template <typename T> T operator()(T a, T b, T c) const {
    return Add()(c, a < b ? Subtract()(b, a) : Subtract()(a, b));
  }
};
template <bool SignedA, bool SignedB> struct DotBytes {
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t c) const {
    for (unsigned i = 0; i != 32; i += 8) {
      int x = SignedA ? int8_t(a >> i) : int(a >> i & 255);
      int y = SignedB ? int8_t(b >> i) : int(b >> i & 255);
      c += static_cast<uint32_t>(x * y);
    }
    return c;
  }
};
} // namespace

template <typename Op> static ExecuteFunction makeBinary(Type type) {
  return withInteger(
      type, []<typename T>() -> ExecuteFunction { return applyBinary<Op, T>; });
}
template <typename Op> static ExecuteFunction makeTernary(Type type) {
  return withInteger(type, []<typename T>() -> ExecuteFunction {
    return applyTernary<Op, T>;
  });
}
template <typename Op> static ExecuteFunction makeUnary(Type type) {
  return withInteger(
      type, []<typename T>() -> ExecuteFunction { return applyUnary<Op, T>; });
}

static Type getWide(Type type) {
  switch (type) {
  case Type::U16:
    return Type::U32;
  case Type::S16:
    return Type::S32;
  case Type::U32:
    return Type::U64;
  case Type::S32:
    return Type::S64;
  default:
    return Type::None;
  }
}

static ExecuteFunction makeWide(Type type, bool mad) {
  switch (type) {
  case Type::U16:
    return mad ? apply<MadWide<uint32_t>, uint32_t, uint16_t, uint16_t,
                       uint32_t>
               : apply<MultiplyWide<uint32_t>, uint32_t, uint16_t, uint16_t>;
  case Type::S16:
    return mad ? apply<MadWide<int32_t>, int32_t, int16_t, int16_t, int32_t>
               : apply<MultiplyWide<int32_t>, int32_t, int16_t, int16_t>;
  case Type::U32:
    return mad ? apply<MadWide<uint64_t>, uint64_t, uint32_t, uint32_t,
                       uint64_t>
               : apply<MultiplyWide<uint64_t>, uint64_t, uint32_t, uint32_t>;
  default:
    return mad ? apply<MadWide<int64_t>, int64_t, int32_t, int32_t, int64_t>
               : apply<MultiplyWide<int64_t>, int64_t, int32_t, int32_t>;
  }
}

static void decodeMultiply(Decoder &decoder, bool mad) {
  int part = decoder.requireOneOf({"lo", "hi", "wide"});
  Type type = decoder.requireType(is16To64);
  Type result = part == 2 ? getWide(type) : type;
  if (result == Type::None)
    decoder.failUnsupported();
  decoder.addDestination(result);
  decoder.addSource(type);
  decoder.addSource(type);
  if (mad)
    decoder.addSource(result);
  if (part == 2)
    return decoder.finish(makeWide(type, mad));
  if (mad)
    return decoder.finish(part == 0 ? makeTernary<MadLow>(type)
                                    : makeTernary<MadHigh>(type));
  decoder.finish(part == 0 ? makeBinary<MultiplyLow>(type)
                           : makeBinary<MultiplyHigh>(type));
}

static void decodeDotBytes(Decoder &decoder) {
  auto is32 = [](Type type) { return type == Type::U32 || type == Type::S32; };
  bool signedA = isSigned(decoder.requireType(is32));
  bool signedB = isSigned(decoder.requireType(is32));
  decoder.addDestination(Type::U32);
  for (int i = 0; i != 3; ++i)
    decoder.addSource(Type::U32);
  decoder.finish(
      signedA ? (signedB ? applyTernary<DotBytes<true, true>, uint32_t>
                         : applyTernary<DotBytes<true, false>, uint32_t>)
              : (signedB ? applyTernary<DotBytes<false, true>, uint32_t>
                         : applyTernary<DotBytes<false, false>, uint32_t>));
}

static void decodeBinary(Decoder &decoder, bool saturated) {
  std::string_view base = decoder.getBase();
  Type type = decoder.requireType(is16To64);
  decoder.addDestination(type);
  decoder.addSource(type);
  decoder.addSource(type);
  if (saturated) {
    if (type != Type::S32)
      decoder.fail("'.sat' is for .s32");
    return decoder.finish(base == "add"
                              ? applyBinary<AddSaturated, int32_t>
                              : applyBinary<SubtractSaturated, int32_t>);
  }
  decoder.finish(base == "add"   ? makeBinary<Add>(type)
                 : base == "sub" ? makeBinary<Subtract>(type)
                 : base == "div" ? makeBinary<Divide>(type)
                 : base == "rem" ? makeBinary<Remainder>(type)
                 : base == "min" ? makeBinary<Minimum>(type)
                                 : makeBinary<Maximum>(type));
}

bool quern::ptx::decodeInteger(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  if (base == "dp4a") {
    decodeDotBytes(decoder);
    return true;
  }
  Type last = decoder.getLastType();
  if (!isInteger(last) || decoder.hasModifier("cc"))
    return false;
  if (base == "mul" || base == "mad") {
    decodeMultiply(decoder, base == "mad");
    return true;
  }
  if (base == "add" || base == "sub") {
    decodeBinary(decoder, decoder.take("sat"));
    return true;
  }
  if (base == "div" || base == "rem" || base == "min" || base == "max") {
    decodeBinary(decoder, false);
    return true;
  }
  if (base == "abs" || base == "neg") {
    Type type = decoder.requireType(
        [](Type t) { return isSigned(t) && getSize(t) > 1; });
    decoder.addDestination(type);
    decoder.addSource(type);
    decoder.finish(base == "abs" ? makeUnary<Absolute>(type)
                                 : makeUnary<Negate>(type));
    return true;
  }
  if (base == "sad") {
    Type type = decoder.requireType(is16To64);
    decoder.addDestination(type);
    for (int i = 0; i != 3; ++i)
      decoder.addSource(type);
    decoder.finish(makeTernary<SumOfDifferences>(type));
    return true;
  }
  return false;
}
