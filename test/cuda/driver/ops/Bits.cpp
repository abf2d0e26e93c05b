//===- Bits.cpp - Logic, shifts, fields, permutations ---------------------===//

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"

#include <algorithm>

using namespace quern::ptx;

namespace {
struct And {
  template <typename T> T operator()(T a, T b) const {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <typename T> T operator()(T a, T b) const {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <typename T> T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};
struct Not {
  template <typename T> T operator()(T a) const { return static_cast<T>(~a); }
};
struct LogicalNot { // cnot
  template <typename T> T operator()(T a) const { return a == 0; }
};
// Shifts by more than the width give what shifting bit by bit would.
struct ShiftLeft {
  template <typename T> T operator()(T a, uint32_t count) const {
    return count >= sizeof(T) * 8 ? T(0) : static_cast<T>(uint64_t(a) << count);
  }
};
struct ShiftRight {
  template <typename T> T operator()(T a, uint32_t count) const {
    return static_cast<T>(a >> std::min<uint32_t>(count, sizeof(T) * 8 - 1) >>
                          (count >= sizeof(T) * 8));
  }
};
template <bool Left, bool Wrap> struct Funnel { // shf
  uint32_t operator()(uint32_t low, uint32_t high, uint32_t count) const {
    count = Wrap ? count & 31 : std::min(count, 32U);
    uint64_t both = uint64_t(high) << 32 | low;
    return static_cast<uint32_t>(Left ? both << count >> 32 : both >> count);
  }
};
struct ThreeInputs { // lop3
  uint32_t operator()(uint32_t a, uint32_t b, uint32_t c,
                      uint32_t table) const {
    uint32_t result = 0;
    for (unsigned i = 0; i != 8; ++i)
      if (table >> i & 1)
        result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    return result;
  }
};
struct ExtractField { // bfe
  template <typename T> T operator()(T a, uint32_t pos, uint32_t len) const {
    constexpr unsigned width = sizeof(T) * 8;
    pos &= 255;
    len &= 255;
    using Unsigned = std::make_unsigned_t<T>;
    unsigned signBit = std::min(pos + len - 1, width - 1);
    bool sign =
        std::is_signed_v<T> && len != 0 && (Unsigned(a) >> signBit & 1) != 0;
    Unsigned result = sign ? ~Unsigned(0) : 0;
    for (unsigned i = 0; i != std::min(len, width) && pos + i < width; ++i) {
      Unsigned bit = Unsigned(a) >> (pos + i) & 1;
      result = (result & ~(Unsigned(1) << i)) | bit << i;
    }
    return static_cast<T>(result);
  }
};
struct InsertField { // bfi: a into b
  template <typename T>
  T operator()(T a, T b, uint32_t pos, uint32_t len) const {
    constexpr unsigned width = sizeof(T) * 8;
    pos &= 255;
    len &= 255;
    for (unsigned i = 0; i != len && pos + i < width; ++i)
      b = static_cast<T>((b & ~(T(1) << (pos + i))) | (a >> i & 1)
                                                          << (pos + i));
    return b;
  }
};
struct PopulationCount {
  template <typename T> uint32_t operator()(T a) const {
    return static_cast<uint32_t>(std::popcount(a));
  }
};
struct LeadingZeros {
  template <typename T> uint32_t operator()(T a) const {
    return static_cast<uint32_t>(std::countl_zero(a));
  }
};
struct ReverseBits {
  template <typename T> T operator()(T a) const {
    T result = 0;
    for (unsigned i = 0; i != sizeof(T) * 8; ++i)
      result |= (a >> i & 1) << (sizeof(T) * 8 - 1 - i);
    return result;
  }
};
template <bool ShiftAmount> struct FindHighest { // bfind
  template <typename T> uint32_t operator()(T a) const {
    using Unsigned = std::make_unsigned_t<T>;
    auto bits = static_cast<Unsigned>(std::is_signed_v<T> && a < 0 ? ~a : a);
    if (bits == 0)
      return UINT32_MAX;
    auto zeros = static_cast<uint32_t>(std::countl_zero(bits));
    return ShiftAmount ? zeros : sizeof(T) * 8 - 1 - zeros;
  }
};

/// prmt: bytes of {b, a} chosen by the nibbles of a selector.
enum class Permutation : uint8_t { Generic, F4E, B4E, RC8, ECL, ECR, RC16 };
struct Permute {
  uint32_t operator()(const Instruction &instruction, uint32_t a, uint32_t b,
                      uint32_t selector) const {
    uint32_t result = 0;
    for (unsigned i = 0; i != 4; ++i) {
      unsigned choice =
          choose(static_cast<Permutation>(instruction.variant), i, selector);
      uint64_t both = uint64_t(b) << 32 | a;
      auto byte = static_cast<uint32_t>(both >> (choice & 7) * 8 & 255);
      if (choice & 8) // The sign of the byte, eight times.
        byte = byte & 128 ? 255 : 0;
      result |= byte << i * 8;
    }
    return result;
  }

private:
  static unsigned choose(Permutation mode, unsigned i, uint32_t selector) {
    unsigned s = selector & 3;
    switch (mode) {
    case Permutation::Generic:
      return selector >> i * 4 & 15;
    case Permutation::F4E:
      return s + i;
    case Permutation::B4E:
      return (s - i) & 7;
    case Permutation::RC8:
      return s;
    case Permutation::ECL:
      return std::max(i, s);
    case Permutation::ECR:
      return std::min(i, s);
    case Permutation::RC16:
      return (s & 1) * 2 + (i & 1);
    }
    return 0;
  }
};
} // namespace

template <unsigned Op>
static void runPredicates(Warp &warp, const Instruction &i) {
  uint32_t a = warp.getPredicate(i.sources[0]);
  uint32_t b = Op == 3 ? 0 : warp.getPredicate(i.sources[1]);
  warp.setPredicate(i.destinations[0], Op == 0   ? a & b
                                       : Op == 1 ? a | b
                                       : Op == 2 ? a ^ b
                                                 : ~a);
}

static bool isLogicType(Type type) {
  return type == Type::Pred || (isBits(type) && getSize(type) > 1);
}
static bool is32Or64Bits(Type type) {
  return type == Type::B32 || type == Type::B64;
}
static bool is32Or64Integer(Type type) {
  return isInteger(type) && getSize(type) >= 4;
}

static void decodeLogic(Decoder &decoder, unsigned op) {
  Type type = decoder.requireType(isLogicType);
  decoder.addDestination(type);
  for (unsigned i = 0; i != (op == 3 ? 1 : 2); ++i)
    type == Type::Pred ? decoder.addPredicateSource() : decoder.addSource(type);
  static constexpr ExecuteFunction predicates[] = {
      runPredicates<0>, runPredicates<1>, runPredicates<2>, runPredicates<3>};
  if (type == Type::Pred)
    return decoder.finish(predicates[op]);
  decoder.finish(withInteger(type, [&]<typename T>() -> ExecuteFunction {
    switch (op) {
    case 0:
      return applyBinary<And, T>;
    case 1:
      return applyBinary<Or, T>;
    case 2:
      return applyBinary<Xor, T>;
    default:
      return applyUnary<Not, T>;
    }
  }));
}

static void decodeShift(Decoder &decoder, bool left) {
  Type type = decoder.requireType(
      [](Type t) { return getSize(t) > 1 && (isBits(t) || isInteger(t)); });
  if (left && !isBits(type))
    decoder.fail("shl takes .b types");
  decoder.addDestination(type);
  decoder.addSource(type);
  decoder.addSource(Type::U32);
  decoder.finish(withInteger(type, [&]<typename T>() -> ExecuteFunction {
    return left ? apply<ShiftLeft, T, T, uint32_t>
                : apply<ShiftRight, T, T, uint32_t>;
  }));
}

static void decodeFunnel(Decoder &decoder) {
  bool left = decoder.requireOneOf({"r", "l"}) == 1;
  bool wrap = decoder.requireOneOf({"clamp", "wrap"}) == 1;
  decoder.require("b32");
  decoder.addDestination(Type::B32);
  for (int i = 0; i != 3; ++i)
    decoder.addSource(Type::B32);
  decoder.finish(left ? (wrap ? applyTernary<Funnel<true, true>, uint32_t>
                              : applyTernary<Funnel<true, false>, uint32_t>)
                      : (wrap ? applyTernary<Funnel<false, true>, uint32_t>
                              : applyTernary<Funnel<false, false>, uint32_t>));
}

static void decodeField(Decoder &decoder, bool insert) {
  Type type = decoder.requireType(insert ? is32Or64Bits : is32Or64Integer);
  decoder.addDestination(type);
  decoder.addSource(type);
  if (insert)
    decoder.addSource(type);
  decoder.addSource(Type::U32);
  decoder.addSource(Type::U32);
  decoder.finish(withInteger(type, [&]<typename T>() -> ExecuteFunction {
    return insert ? apply<InsertField, T, T, T, uint32_t, uint32_t>
                  : apply<ExtractField, T, T, uint32_t, uint32_t>;
  }));
}

static void decodeCount(Decoder &decoder, std::string_view base) {
  bool find = base == "bfind";
  bool amount = find && decoder.take("shiftamt");
  Type type = decoder.requireType(find ? is32Or64Integer : is32Or64Bits);
  decoder.addDestination(base == "brev" ? type : Type::U32);
  decoder.addSource(type);
  decoder.finish(withInteger(type, [&]<typename T>() -> ExecuteFunction {
    if (find)
      return amount ? apply<FindHighest<true>, uint32_t, T>
                    : apply<FindHighest<false>, uint32_t, T>;
    using Unsigned = std::make_unsigned_t<T>;
    if (base == "popc")
      return apply<PopulationCount, uint32_t, Unsigned>;
    if (base == "clz")
      return apply<LeadingZeros, uint32_t, Unsigned>;
    return apply<ReverseBits, Unsigned, Unsigned>;
  }));
}

static void decodePermute(Decoder &decoder) {
  decoder.require("b32");
  decoder.instruction.variant = static_cast<uint8_t>(
      decoder.takeOneOf({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}) + 1);
  decoder.addDestination(Type::B32);
  for (int i = 0; i != 3; ++i)
    decoder.addSource(Type::B32);
  decoder.finish(applyWith<Permute, uint32_t, uint32_t, uint32_t, uint32_t>);
}

bool quern::ptx::decodeBits(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  static constexpr std::string_view logic[] = {"and", "or", "xor", "not"};
  for (unsigned i = 0; i != 4; ++i)
    if (base == logic[i]) {
      decodeLogic(decoder, i);
      return true;
    }
  if (base == "shl" || base == "shr") {
    decodeShift(decoder, base == "shl");
  } else if (base == "shf") {
    decodeFunnel(decoder);
  } else if (base == "bfe" || base == "bfi") {
    decodeField(decoder, base == "bfi");
  } else if (base == "popc" || base == "clz" || base == "brev" ||
             base == "bfind") {
    decodeCount(decoder, base);
  } else if (base == "prmt") {
    decodePermute(decoder);
  } else if (base == "cnot") {
    Type type =
        decoder.requireType([](Type t) { return isBits(t) && getSize(t) > 1; });
    decoder.addDestination(type);
    decoder.addSource(type);
    decoder.finish(withInteger(type, []<typename T>() -> ExecuteFunction {
      return applyUnary<LogicalNot, T>;
    }));
  } else if (base == "lop3") {
    decoder.require("b32");
    decoder.addDestination(Type::B32);
    for (int i = 0; i != 4; ++i)
      decoder.addSource(Type::B32);
    decoder.finish(
        apply<ThreeInputs, uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>);
  } else {
    return false;
  }
  return true;
}
