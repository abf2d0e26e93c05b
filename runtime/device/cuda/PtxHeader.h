//===- PtxHeader.h - What a PTX text says of itself --------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_PTXHEADER_H
#define QUERN_RUNTIME_DEVICE_CUDA_PTXHEADER_H

#include "runtime/base/Status.h"

#include <string_view>

namespace quern::cuda {

/// Read before the driver sees the text: the driver trusts the number of
/// parameters that a launch gives.
struct PtxHeader {
  std::string target;         ///< "sm_80", "sm_90a"
  unsigned architecture = 0;  ///< 80, 90
  bool isExact = false;       ///< Runs on that architecture alone.
  size_t numParameters = 0;   ///< Of the entry point.
  bool onlyAddresses = false; ///< All parameters have 64 bits.
};

/// Corrupt: there is no .target or no such .entry.
Result<PtxHeader> readPtxHeader(std::string_view text,
                                std::string_view entryPoint);

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_PTXHEADER_H
