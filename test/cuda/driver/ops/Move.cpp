//===- Move.cpp - mov, cvta -----------------------------------------------===//
//
// Moves copy whether a value is defined; so does taking registers apart.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/exec/Block.h"
#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"

using namespace quern::ptx;

static void setDefined(Warp &warp, const Operand &operand, uint32_t lanes) {
  uint32_t &target = warp.defined[operand.index];
  target = (target & ~warp.mask) | (lanes & warp.mask);
}

template <typename T> static void runMove(Warp &warp, const Instruction &i) {
  auto *out = warp.get<T>(i.destinations[0]);
  auto *in = warp.get<T>(i.sources[0]);
  forLanes(warp.mask, [&](unsigned lane) { out[lane] = in[lane]; });
  setDefined(warp, i.destinations[0], warp.defined[i.sources[0].index]);
}

static void runMovePredicate(Warp &warp, const Instruction &i) {
  warp.setPredicate(i.destinations[0], warp.getPredicate(i.sources[0]));
  setDefined(warp, i.destinations[0], warp.defined[i.sources[0].index]);
}

static void runSetPredicate(Warp &warp, const Instruction &i) {
  warp.setPredicate(i.destinations[0], i.variant ? UINT32_MAX : 0);
  setDefined(warp, i.destinations[0], UINT32_MAX);
}

/// mov.b32 d, {a, b}: a is the lowest part.
static void runPack(Warp &warp, const Instruction &i) {
  unsigned width = i.sources[0].size * 8;
  forLanes(warp.mask, [&](unsigned lane) {
    uint64_t bits = 0;
    for (unsigned part = 0; part != i.numSources; ++part)
      bits |= warp.getBits(i.sources[part], lane) << part * width;
    warp.setBits(i.destinations[0], lane, bits);
  });
  uint32_t lanes = UINT32_MAX;
  for (unsigned part = 0; part != i.numSources; ++part)
    lanes &= warp.defined[i.sources[part].index];
  setDefined(warp, i.destinations[0], lanes);
}

static void runUnpack(Warp &warp, const Instruction &i) {
  unsigned width = i.destinations[0].size * 8;
  forLanes(warp.mask, [&](unsigned lane) {
    uint64_t bits = warp.getBits(i.sources[0], lane);
    for (unsigned part = 0; part != i.numDestinations; ++part)
      warp.setBits(i.destinations[part], lane, bits >> part * width);
  });
  for (unsigned part = 0; part != i.numDestinations; ++part)
    setDefined(warp, i.destinations[part], warp.defined[i.sources[0].index]);
}

static uint64_t getWindow(Space space) {
  return space == Space::Shared  ? sharedWindow
         : space == Space::Local ? localWindow
                                 : 0;
}

/// From a space to generic addresses, or back.
template <bool ToSpace>
static void runConvertAddress(Warp &warp, const Instruction &i) {
  auto *out = warp.get<uint64_t>(i.destinations[0]);
  auto *in = warp.get<uint64_t>(i.sources[0]);
  uint64_t window = getWindow(i.space);
  forLanes(warp.mask, [&](unsigned lane) {
    if (ToSpace && window != 0 && in[lane] - window >= windowBytes)
      throw Fault(FaultCode::IllegalAddress,
                  formatHex(in[lane]) + " is not an address of this space",
                  static_cast<int>(lane));
    out[lane] = ToSpace ? in[lane] - window : in[lane] + window;
  });
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static Type getPart(Decoder &decoder, Type whole, size_t count) {
  unsigned size = getSize(whole);
  if (count == 2 && size == 8)
    return Type::B32;
  if ((count == 2 && size == 4) || (count == 4 && size == 8))
    return Type::B16;
  if ((count == 2 && size == 2) || (count == 4 && size == 4))
    return Type::B8;
  decoder.fail("the parts do not fill the whole");
}

static void decodePredicateMove(Decoder &decoder) {
  decoder.addDestination(Type::Pred);
  const OperandText *source = decoder.peekOperand();
  if (source && source->kind == OperandText::Kind::Number) {
    decoder.instruction.variant = decoder.takeInteger() != 0;
    return decoder.finish(runSetPredicate);
  }
  decoder.addPredicateSource();
  decoder.finish(runMovePredicate);
}

static void decodeMov(Decoder &decoder) {
  Type type = decoder.requireType([](Type t) {
    return t == Type::Pred ||
           (getSize(t) > 1 && t != Type::F16x2 && t != Type::BF16x2);
  });
  decoder.instruction.movesUndefined = true;
  if (type == Type::Pred)
    return decodePredicateMove(decoder);
  const OperandText *first = decoder.peekOperand();
  if (first && first->kind == OperandText::Kind::Vector) {
    Type part = getPart(decoder, type, first->elements.size());
    decoder.addDestinations(part);
    decoder.addSource(type);
    return decoder.finish(runUnpack);
  }
  decoder.addDestination(type);
  const OperandText *second = decoder.peekOperand();
  if (second && second->kind == OperandText::Kind::Vector) {
    Type part = getPart(decoder, type, second->elements.size());
    decoder.addSources(part);
    return decoder.finish(runPack);
  }
  decoder.addSource(type);
  decoder.finish(getSize(type) == 2   ? runMove<uint16_t>
                 : getSize(type) == 4 ? runMove<uint32_t>
                                      : runMove<uint64_t>);
}

static void decodeConvertAddress(Decoder &decoder) {
  bool toSpace = decoder.take("to");
  static constexpr Space spaces[] = {Space::Global, Space::Shared, Space::Local,
                                     Space::Constant, Space::Shared};
  decoder.instruction.space = spaces[decoder.requireOneOf(
      {"global", "shared", "local", "const", "shared::cta"})];
  decoder.require("u64");
  decoder.addDestination(Type::U64);
  decoder.addSource(Type::U64);
  decoder.finish(toSpace ? runConvertAddress<true> : runConvertAddress<false>);
}

bool quern::ptx::decodeMove(Decoder &decoder) {
  if (decoder.getBase() == "mov")
    decodeMov(decoder);
  else if (decoder.getBase() == "cvta")
    decodeConvertAddress(decoder);
  else
    return false;
  return true;
}
