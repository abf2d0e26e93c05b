//===- Matrix.cpp - ldmatrix, mma.sync ------------------------------------===//
//
// A fragment of 16 rows by K holds, in register r of lane l, the elements of
// row l/4 + 8*(r%2) that begin at column E*(l%4) + 4*E*(r/2), where E elements
// fill a register. Sums are made in double (or without rounding in s32) and
// rounded once; hardware rounds differently inside, in an order that is not
// documented.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/exec/Block.h"
#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"
#include "test/cuda/driver/ops/Numbers.h"

#include <algorithm>
#include <cstring>

using namespace quern::ptx;

static void checkWholeWarp(const Warp &warp) {
  if (warp.mask != UINT32_MAX)
    throw Fault(FaultCode::LaunchFailed,
                "a matrix instruction needs all 32 lanes of the warp, found " +
                    std::to_string(std::popcount(warp.mask)));
}

//===----------------------------------------------------------------------===//
// ldmatrix
//===----------------------------------------------------------------------===//

/// Lane 8*m + r holds the address of row r of matrix m.
static void runLoadMatrix(Warp &warp, const Instruction &i) {
  checkWholeWarp(warp);
  uint16_t rows[4][8][8];
  for (unsigned m = 0; m != i.numDestinations; ++m)
    for (unsigned r = 0; r != 8; ++r) {
      unsigned lane = m * 8 + r;
      std::memcpy(rows[m][r],
                  warp.block.access(Space::Shared, warp.getAddress(i, lane), 16,
                                    /*reads=*/true, /*writes=*/false, warp,
                                    lane),
                  16);
    }
  bool transposed = i.variant;
  for (unsigned m = 0; m != i.numDestinations; ++m) {
    auto *out = warp.get<uint32_t>(i.destinations[m]);
    for (unsigned lane = 0; lane != 32; ++lane) {
      unsigned r = lane / 4, c = lane % 4 * 2;
      uint32_t low = transposed ? rows[m][c][r] : rows[m][r][c];
      uint32_t high = transposed ? rows[m][c + 1][r] : rows[m][r][c + 1];
      out[lane] = low | high << 16;
    }
  }
}

static void decodeLoadMatrix(Decoder &decoder) {
  decoder.require("sync");
  decoder.require("aligned");
  decoder.require("m8n8");
  unsigned count = 1U << decoder.requireOneOf({"x1", "x2", "x4"});
  decoder.instruction.variant = decoder.take("trans");
  if (!decoder.take("shared::cta"))
    decoder.require("shared");
  decoder.require("b16");
  if (decoder.addDestinations(Type::B32) != count)
    decoder.fail("ldmatrix writes one register for each matrix");
  decoder.addAddress(Space::Shared);
  decoder.finish(runLoadMatrix);
}

//===----------------------------------------------------------------------===//
// mma.sync
//===----------------------------------------------------------------------===//

namespace {
struct F16Element {
  using Stored = uint16_t;
  using Number = double;
  static double read(uint16_t bits) { return fromF16Bits(bits); }
};
struct BF16Element {
  using Stored = uint16_t;
  using Number = double;
  static double read(uint16_t bits) { return fromBF16Bits(bits); }
};
struct S8Element {
  using Stored = uint8_t;
  using Number = int64_t;
  static int64_t read(uint8_t bits) { return static_cast<int8_t>(bits); }
};
struct U8Element {
  using Stored = uint8_t;
  using Number = int64_t;
  static int64_t read(uint8_t bits) { return bits; }
};
} // namespace

/// Rows of A, or columns of B, in memory order; K <= 32.
template <typename Element>
static void readFragment(Warp &warp, const Operand *registers,
                         unsigned numRegisters, unsigned rowGroups,
                         typename Element::Number (*out)[32]) {
  using Stored = typename Element::Stored;
  constexpr unsigned perRegister = 4 / sizeof(Stored);
  for (unsigned r = 0; r != numRegisters; ++r) {
    auto *words = warp.get<uint32_t>(registers[r]);
    for (unsigned lane = 0; lane != 32; ++lane) {
      unsigned row = lane / 4 + 8 * (r % rowGroups);
      unsigned column =
          perRegister * (lane % 4) + 4 * perRegister * (r / rowGroups);
      for (unsigned e = 0; e != perRegister; ++e)
        out[row][column + e] = Element::read(
            static_cast<Stored>(words[lane] >> e * sizeof(Stored) * 8));
    }
  }
}

/// elementSize: registers of A; C and D are f32 or s32 (4 registers) or f16
/// (2 registers).
template <typename ElementA, typename ElementB>
static void runMultiply(Warp &warp, const Instruction &i) {
  checkWholeWarp(warp);
  using Number = typename ElementA::Number;
  constexpr bool integer = std::is_same_v<Number, int64_t>;
  unsigned registersA = i.elementSize, registersB = registersA / 2;
  unsigned depth = registersA * 8 / sizeof(typename ElementA::Stored);
  Number a[16][32], b[8][32];
  readFragment<ElementA>(warp, &i.sources[0], registersA, 2, a);
  readFragment<ElementB>(warp, &i.sources[registersA], registersB, 1, b);
  const Operand *c = &i.sources[registersA + registersB];
  bool halves = i.numDestinations == 2;
  for (unsigned lane = 0; lane != 32; ++lane)
    for (unsigned element = 0; element != 4; ++element) {
      unsigned row = lane / 4 + 8 * (element / 2);
      unsigned column = lane % 4 * 2 + element % 2;
      Number sum = 0;
      for (unsigned k = 0; k != depth; ++k)
        sum += a[row][k] * b[column][k];
      if (halves) {
        unsigned shift = 16 * (element % 2);
        uint32_t old = warp.get<uint32_t>(c[element / 2])[lane];
        auto addend = fromF16Bits(static_cast<uint16_t>(old >> shift));
        uint32_t bits = toF16Bits(static_cast<double>(sum) + addend);
        auto &out = warp.get<uint32_t>(i.destinations[element / 2])[lane];
        out = (out & ~(0xffffU << shift)) | bits << shift;
      } else if constexpr (integer) {
        int64_t total = sum + warp.get<int32_t>(c[element])[lane];
        if (i.variant) // .satfinite
          total = std::clamp<int64_t>(total, INT32_MIN, INT32_MAX);
        warp.get<int32_t>(i.destinations[element])[lane] =
            static_cast<int32_t>(total);
      } else {
        double total = sum + double(warp.get<float>(c[element])[lane]);
        warp.get<uint32_t>(i.destinations[element])[lane] = toF32Bits(total);
      }
    }
}

static ExecuteFunction chooseMultiply(Type a, Type b) {
  if (a == Type::F16 && b == Type::F16)
    return runMultiply<F16Element, F16Element>;
  if (a == Type::BF16 && b == Type::BF16)
    return runMultiply<BF16Element, BF16Element>;
  if (a == Type::S8)
    return b == Type::S8   ? runMultiply<S8Element, S8Element>
           : b == Type::U8 ? runMultiply<S8Element, U8Element>
                           : nullptr;
  if (a == Type::U8)
    return b == Type::S8   ? runMultiply<U8Element, S8Element>
           : b == Type::U8 ? runMultiply<U8Element, U8Element>
                           : nullptr;
  return nullptr;
}

static void decodeMultiply(Decoder &decoder) {
  decoder.require("sync");
  decoder.require("aligned");
  static constexpr unsigned depths[] = {8, 16, 32};
  unsigned depth =
      depths[decoder.requireOneOf({"m16n8k8", "m16n8k16", "m16n8k32"})];
  decoder.require("row");
  decoder.require("col");
  decoder.instruction.variant = decoder.take("satfinite");
  Type d = decoder.takeType(), a = decoder.takeType(), b = decoder.takeType(),
       c = decoder.takeType();
  ExecuteFunction function = chooseMultiply(a, b);
  bool integer = getSize(a) == 1;
  bool accumulators =
      integer ? d == Type::S32
              : d == Type::F32 || (d == Type::F16 && a == Type::F16);
  // Two or four registers of A: depths 8 and 16 for 16 bits, 16 and 32 for 8.
  unsigned registersA = depth * getSize(a) / 8;
  if (!function || c != d || !accumulators ||
      (registersA != 2 && registersA != 4) ||
      (decoder.instruction.variant && !integer))
    decoder.failUnsupported();
  decoder.instruction.elementSize = static_cast<uint8_t>(registersA);
  unsigned registersC = d == Type::F16 ? 2 : 4;
  Type word = Type::B32;
  if (decoder.addDestinations(word) != registersC ||
      decoder.addSources(word) != registersA ||
      decoder.addSources(word) != registersA / 2 ||
      decoder.addSources(word) != registersC)
    decoder.fail("wrong number of registers in a fragment");
  decoder.finish(function);
}

bool quern::ptx::decodeMatrix(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  if (base != "ldmatrix" && base != "mma")
    return false;
  decoder.instruction.flow = Flow::WarpSync;
  if (base == "ldmatrix")
    decodeLoadMatrix(decoder);
  else
    decodeMultiply(decoder);
  return true;
}
