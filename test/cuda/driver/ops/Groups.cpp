//===- Groups.cpp - Which group has an instruction ------------------------===//

#include "test/cuda/driver/ops/Groups.h"

using namespace quern::ptx;

Instruction quern::ptx::decodeInstruction(Decoder &decoder) {
  static constexpr bool (*groups[])(Decoder &) = {
      decodeInteger, decodeCarry,         decodeBits,    decodeFloat,
      decodeHalf,    decodeApproximation, decodeCompare, decodeConvert,
      decodeMove,    decodeLoadStore,     decodeAtomic,  decodeWarp,
      decodeMatrix,  decodeAsyncCopy,     decodeControl};
  for (auto *decode : groups)
    if (decode(decoder))
      return decoder.instruction;
  decoder.fail("unknown instruction '" + std::string(decoder.getMnemonic()) +
               "'");
}
