//===- CubinHeader.h - What a cubin says of its kernel -----------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUBINHEADER_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUBINHEADER_H

#include "runtime/base/Status.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace quern::cuda {

/// Whether the code is an ELF image and not PTX.
bool isCubin(std::span<const std::byte> code);

/// The bytes that the parameters of an entry point take. Read before the driver
/// sees the image: the driver trusts the parameters that a launch gives.
/// Corrupt: no ELF image for NVIDIA GPUs, or without that entry point.
Result<size_t> readCubinParameterBytes(std::span<const std::byte> code,
                                       std::string_view entryPoint);

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUBINHEADER_H
