//===- LoadStore.h - What instructions that access memory share --*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_OPS_LOADSTORE_H
#define QUERN_TEST_CUDA_DRIVER_OPS_LOADSTORE_H

#include "test/cuda/driver/ptx/Decoder.h"

namespace quern::ptx {

/// ".global", ".shared", ...; Generic when there is none.
Space takeSpace(Decoder &decoder);
/// ".cta", ".gpu", ... has to be there.
void takeScope(Decoder &decoder);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_OPS_LOADSTORE_H
