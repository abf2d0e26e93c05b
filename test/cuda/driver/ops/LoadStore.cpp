//===- LoadStore.cpp - ld, st, prefetch -----------------------------------===//

#include "test/cuda/driver/ops/LoadStore.h"

#include "test/cuda/driver/exec/Block.h"
#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"

#include <cstring>

using namespace quern::ptx;

static uint64_t readValue(const std::byte *from, unsigned size, bool isSigned) {
  uint64_t bits = 0;
  std::memcpy(&bits, from, size); // Little endian.
  if (isSigned && size < 8)
    bits = static_cast<uint64_t>(
        static_cast<int64_t>(bits << (64 - size * 8)) >> (64 - size * 8));
  return bits;
}

static void runLoad(Warp &warp, const Instruction &i) {
  unsigned size = i.elementSize, count = i.numDestinations;
  forLanes(warp.mask, [&](unsigned lane) {
    const std::byte *from =
        warp.block.access(i.space, warp.getAddress(i, lane), size * count,
                          /*reads=*/true, /*writes=*/false, warp, lane);
    for (unsigned k = 0; k != count; ++k)
      warp.setBits(i.destinations[k], lane,
                   readValue(from + k * size, size, i.signExtends));
  });
}

static void runStore(Warp &warp, const Instruction &i) {
  unsigned size = i.elementSize, count = i.numSources - 1U;
  forLanes(warp.mask, [&](unsigned lane) {
    std::byte *to =
        warp.block.access(i.space, warp.getAddress(i, lane), size * count,
                          /*reads=*/false, /*writes=*/true, warp, lane);
    for (unsigned k = 0; k != count; ++k) {
      uint64_t bits = warp.getBits(i.sources[1 + k], lane);
      std::memcpy(to + k * size, &bits, size);
    }
  });
}

static void runLoadParameter(Warp &warp, const Instruction &i) {
  unsigned size = i.elementSize;
  const std::byte *from = warp.block.launch.parameters.data() + i.addressOffset;
  for (unsigned k = 0; k != i.numDestinations; ++k) {
    uint64_t bits = readValue(from + k * size, size, i.signExtends);
    forLanes(warp.mask, [&](unsigned lane) {
      warp.setBits(i.destinations[k], lane, bits);
    });
  }
}

static void runNothing(Warp &, const Instruction &) {}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

Space quern::ptx::takeSpace(Decoder &decoder) {
  static constexpr Space spaces[] = {Space::Global, Space::Shared, Space::Local,
                                     Space::Constant, Space::Shared};
  int found =
      decoder.takeOneOf({"global", "shared", "local", "const", "shared::cta"});
  return found < 0 ? Space::Generic : spaces[found];
}

void quern::ptx::takeScope(Decoder &decoder) {
  decoder.requireOneOf({"cta", "cluster", "gpu", "sys"});
}

/// .weak, .volatile, .relaxed.gpu, .acquire.sys, ... Warps run one after the
/// other, so all orders hold.
static void takeOrder(Decoder &decoder, std::string_view strong) {
  if (decoder.take("weak") || decoder.take("volatile"))
    return;
  if (decoder.take("relaxed") || decoder.take(strong))
    takeScope(decoder);
}

/// How caches may treat an access: no meaning here.
static void takeCacheHints(Decoder &decoder) {
  decoder.takeOneOf({"L1::evict_normal", "L1::evict_unchanged",
                     "L1::evict_first", "L1::evict_last", "L1::no_allocate"});
  decoder.takeOneOf({"L2::64B", "L2::128B", "L2::256B"});
}

static unsigned takeVector(Decoder &decoder) {
  int vector = decoder.takeOneOf({"v2", "v4", "v8"});
  return vector < 0 ? 1 : 2U << vector;
}

static Type takeAccessType(Decoder &decoder, unsigned count) {
  Type type = decoder.requireType([](Type t) {
    return getSize(t) != 0 && t != Type::F16x2 && t != Type::BF16x2 &&
           t != Type::F16 && t != Type::BF16;
  });
  if (getSize(type) * count > (count == 8 ? 32U : 16U))
    decoder.fail("the vector is too wide");
  decoder.instruction.elementSize = static_cast<uint8_t>(getSize(type));
  decoder.instruction.signExtends = isSigned(type);
  return type;
}

static void decodeLoadParameter(Decoder &decoder) {
  unsigned count = takeVector(decoder);
  Type type = takeAccessType(decoder, count);
  if (decoder.addDestinations(type, /*wider=*/true) != count)
    decoder.fail("the number of registers is not that of the vector");
  const OperandText &address = decoder.takeOperand();
  const Symbol *symbol = address.kind == OperandText::Kind::Address
                             ? decoder.builder.find(address.text)
                             : nullptr;
  if (!symbol || symbol->kind != Symbol::Kind::Parameter)
    decoder.fail("ld.param reads a parameter by its name");
  int64_t start = static_cast<int64_t>(symbol->address) + address.offset;
  unsigned bytes = getSize(type) * count;
  if (address.offset < 0 ||
      start + bytes > decoder.builder.kernel.parameterBytes)
    decoder.fail("the parameters end before this");
  if (start % bytes != 0)
    decoder.fail("misaligned access to a parameter");
  decoder.instruction.addressOffset = start;
  decoder.finish(runLoadParameter);
}

static void decodeLoad(Decoder &decoder) {
  takeOrder(decoder, "acquire");
  if (decoder.take("param") || decoder.take("param::entry"))
    return decodeLoadParameter(decoder);
  Space space = takeSpace(decoder);
  decoder.instruction.space = space;
  decoder.takeOneOf({"ca", "cg", "cs", "lu", "cv"});
  if (decoder.take("nc") && space != Space::Global)
    decoder.fail("'.nc' is for .global");
  takeCacheHints(decoder);
  unsigned count = takeVector(decoder);
  Type type = takeAccessType(decoder, count);
  if (decoder.addDestinations(type, /*wider=*/true) != count)
    decoder.fail("the number of registers is not that of the vector");
  decoder.addAddress(space);
  decoder.finish(runLoad);
}

static void decodeStore(Decoder &decoder) {
  takeOrder(decoder, "release");
  Space space = takeSpace(decoder);
  if (space == Space::Constant)
    decoder.fail("constants can't be written");
  decoder.instruction.space = space;
  decoder.takeOneOf({"wb", "cg", "cs", "wt"});
  takeCacheHints(decoder);
  unsigned count = takeVector(decoder);
  Type type = takeAccessType(decoder, count);
  decoder.addAddress(space);
  if (decoder.addSources(type, /*wider=*/true) != count)
    decoder.fail("the number of registers is not that of the vector");
  decoder.finish(runStore);
}

static void decodePrefetch(Decoder &decoder) {
  Space space = takeSpace(decoder);
  decoder.requireOneOf({"L1", "L2"});
  decoder.addAddress(space);
  decoder.finish(runNothing);
}

bool quern::ptx::decodeLoadStore(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  if (base == "ld")
    decodeLoad(decoder);
  else if (base == "st")
    decodeStore(decoder);
  else if (base == "prefetch")
    decodePrefetch(decoder);
  else
    return false;
  return true;
}
