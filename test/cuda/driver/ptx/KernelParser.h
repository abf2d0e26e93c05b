//===- KernelParser.h - Reading one .entry -----------------------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_PTX_KERNELPARSER_H
#define QUERN_TEST_CUDA_DRIVER_PTX_KERNELPARSER_H

#include "test/cuda/driver/ptx/Decoder.h"
#include "test/cuda/driver/ptx/TokenStream.h"

namespace quern::ptx {

using Globals = std::map<std::string, Symbol, std::less<>>;

/// Reads a kernel from its name to the brace that ends it. `sharedBytes` is
/// what the variables of the module take of shared memory.
std::unique_ptr<Kernel> parseKernel(TokenStream &tokens, const Globals &globals,
                                    uint32_t sharedBytes);

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_PTX_KERNELPARSER_H
