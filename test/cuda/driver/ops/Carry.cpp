//===- Carry.cpp - add.cc, addc, sub.cc, subc, mad.cc, madc ---------------===//
//
// The flag is one bit for each lane. subc subtracts the borrow that sub.cc
// left.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"

using namespace quern::ptx;

namespace {
enum Options : uint8_t { ReadsFlag = 1, WritesFlag = 2 };
enum class Operation : uint8_t { Add, Subtract, MadLow, MadHigh };
} // namespace

static void checkFlag(const Warp &warp) {
  uint32_t missing = warp.mask & ~warp.carryDefined;
  if (missing != 0)
    throw Fault(FaultCode::LaunchFailed,
                "read of the carry flag, which was never written",
                std::countr_zero(missing));
}

template <typename T, Operation Op>
static void runCarry(Warp &warp, const Instruction &instruction) {
  using Unsigned = std::make_unsigned_t<T>;
  using Wide =
      std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
  bool reads = instruction.variant & ReadsFlag;
  if (reads)
    checkFlag(warp);
  auto *out = warp.get<Unsigned>(instruction.destinations[0]);
  auto *a = warp.get<T>(instruction.sources[0]);
  auto *b = warp.get<T>(instruction.sources[1]);
  auto *c = warp.get<Unsigned>(instruction.sources[2]);
  uint32_t carries = 0;
  forLanes(warp.mask, [&](unsigned lane) {
    unsigned flag = reads ? warp.carry >> lane & 1 : 0;
    unsigned __int128 result = 0;
    if constexpr (Op == Operation::Subtract) {
      result = (unsigned __int128)Unsigned(a[lane]) - Unsigned(b[lane]) - flag;
    } else if constexpr (Op == Operation::Add) {
      result = (unsigned __int128)Unsigned(a[lane]) + Unsigned(b[lane]) + flag;
    } else {
      Wide product = Wide(a[lane]) * Wide(b[lane]);
      auto part = static_cast<Unsigned>(
          Op == Operation::MadLow ? product : product >> (sizeof(T) * 8));
      result = (unsigned __int128)part + c[lane] + flag;
    }
    out[lane] = static_cast<Unsigned>(result);
    carries |= static_cast<uint32_t>(result >> (sizeof(T) * 8) & 1) << lane;
  });
  if (instruction.variant & WritesFlag) {
    warp.carry = (warp.carry & ~warp.mask) | carries;
    warp.carryDefined |= warp.mask;
  }
}

template <Operation Op> static ExecuteFunction makeCarry(Type type) {
  switch (type) {
  case Type::S32:
    return runCarry<int32_t, Op>;
  case Type::U64:
    return runCarry<uint64_t, Op>;
  case Type::S64:
    return runCarry<int64_t, Op>;
  default:
    return runCarry<uint32_t, Op>;
  }
}

bool quern::ptx::decodeCarry(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  bool reads = base == "addc" || base == "subc" || base == "madc";
  bool writes = decoder.hasModifier("cc");
  bool mad = base == "madc" || base == "mad";
  if (!reads && !(writes && (base == "add" || base == "sub" || mad)))
    return false;
  int part = mad ? decoder.requireOneOf({"lo", "hi"}) : 0;
  if (decoder.take("cc"))
    decoder.instruction.variant |= WritesFlag;
  decoder.instruction.variant |= reads ? ReadsFlag : 0;
  Type type = decoder.requireType(
      [](Type t) { return isInteger(t) && getSize(t) >= 4; });
  decoder.addDestination(type);
  for (int i = 0; i != (mad ? 3 : 2); ++i)
    decoder.addSource(type);
  decoder.finish(mad ? (part == 0 ? makeCarry<Operation::MadLow>(type)
                                  : makeCarry<Operation::MadHigh>(type))
                 : base.starts_with("add")
                     ? makeCarry<Operation::Add>(type)
                     : makeCarry<Operation::Subtract>(type));
  return true;
}
