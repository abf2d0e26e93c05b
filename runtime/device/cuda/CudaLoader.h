//===- CudaLoader.h - libcuda, found at run time -----------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDALOADER_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDALOADER_H

#include "runtime/base/Status.h"
#include "runtime/device/cuda/CudaApi.h"

namespace quern::cuda {

struct CudaFunctions {
#define QUERN_CUDA_FUNCTION(NAME, PARAMETERS) Code(*NAME) PARAMETERS = nullptr;
#include "runtime/device/cuda/CudaFunctions.inc"
  int driverVersion = 0; ///< 13000 for CUDA 13.0.
};

/// Opens the driver's library (libcuda.so.1, or what QUERN_CUDA_LIBRARY names),
/// which stays open, and initialises it. NotFound: there is no driver or no
/// device; Unsupported: the driver is too old.
Result<CudaFunctions> loadCuda();

/// "CUDA_ERROR_OUT_OF_MEMORY: out of memory" or so.
std::string describeCode(const CudaFunctions &functions, Code code);

/// "12.4" of 12040.
std::string formatVersion(int version);

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDALOADER_H
