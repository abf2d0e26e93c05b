//===- Groups.h - The groups of instructions ---------------------*- C++
//-*-===//
//
// Each group reads its instructions and returns true, or returns false for
// those of others, having taken nothing.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_OPS_GROUPS_H
#define QUERN_TEST_CUDA_DRIVER_OPS_GROUPS_H

#include "test/cuda/driver/ptx/Decoder.h"

namespace quern::ptx {

bool decodeInteger(Decoder &decoder);
bool decodeCarry(Decoder &decoder);
bool decodeBits(Decoder &decoder);
bool decodeFloat(Decoder &decoder);
bool decodeHalf(Decoder &decoder);
bool decodeApproximation(Decoder &decoder);
bool decodeCompare(Decoder &decoder);
bool decodeConvert(Decoder &decoder);
bool decodeMove(Decoder &decoder);
bool decodeLoadStore(Decoder &decoder);
bool decodeAtomic(Decoder &decoder);
bool decodeWarp(Decoder &decoder);
bool decodeMatrix(Decoder &decoder);
bool decodeAsyncCopy(Decoder &decoder);
bool decodeControl(Decoder &decoder);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_OPS_GROUPS_H
