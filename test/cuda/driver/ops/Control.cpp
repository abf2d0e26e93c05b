//===- Control.cpp - ret, exit, trap, barriers, fences --------------------===//
//
// Branches are read by ptx/KernelParser.cpp, which knows the labels.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/exec/Block.h"
#include "test/cuda/driver/ops/Apply.h"
#include "test/cuda/driver/ops/Groups.h"
#include "test/cuda/driver/ops/LoadStore.h"

using namespace quern::ptx;

static void runNothing(Warp &, const Instruction &) {}

static void runTrap(Warp &, const Instruction &) {
  throw Fault(FaultCode::LaunchFailed, "trap");
}

static void runWarpBarrier(Warp &warp, const Instruction &) {
  warp.block.shared.passWarpSync(warp.index);
}

/// bar.sync a{, b}; barrier.sync{.aligned}; bar.arrive a, b; bar.warp.sync m
static void decodeBarrier(Decoder &decoder, bool aligned) {
  Instruction &instruction = decoder.instruction;
  if (aligned && decoder.take("warp")) {
    decoder.require("sync");
    decoder.addSource(Type::B32);
    instruction.flow = Flow::WarpSync;
    instruction.memberMask = 0;
    return decoder.finish(runWarpBarrier);
  }
  decoder.take("cta");
  instruction.flow = Flow::Barrier;
  instruction.barrier.arrives = decoder.requireOneOf({"sync", "arrive"}) == 1;
  instruction.barrier.aligned = decoder.take("aligned") || aligned;
  decoder.addSource(Type::U32);
  if (const OperandText *count = decoder.peekOperand();
      count || instruction.barrier.arrives) {
    auto threads = count && count->kind == OperandText::Kind::Number
                       ? parseNumber(count->text, count->negative, Type::U32)
                       : std::nullopt;
    if (threads && *threads % 32 != 0)
      decoder.fail("the threads of a barrier are a multiple of 32");
    decoder.addSource(Type::U32);
  }
  decoder.finish(runNothing);
}

static void decodeFence(Decoder &decoder) {
  if (decoder.getBase() == "membar") {
    decoder.requireOneOf({"cta", "gl", "sys"});
  } else {
    decoder.takeOneOf({"sc", "acq_rel"});
    takeScope(decoder);
  }
  decoder.finish(runNothing);
}

bool quern::ptx::decodeControl(Decoder &decoder) {
  std::string_view base = decoder.getBase();
  if (base == "ret" || base == "exit") {
    if (base == "ret")
      decoder.take("uni");
    decoder.instruction.flow = Flow::Exit;
    decoder.finish(runNothing);
  } else if (base == "trap") {
    decoder.finish(runTrap);
  } else if (base == "bar" || base == "barrier") {
    decodeBarrier(decoder, base == "bar");
  } else if (base == "membar" || base == "fence") {
    decodeFence(decoder);
  } else if (base == "nanosleep") {
    decoder.require("u32");
    decoder.addSource(Type::U32);
    decoder.finish(runNothing);
  } else {
    return false;
  }
  return true;
}
