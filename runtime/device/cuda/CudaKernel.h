//===- CudaKernel.h - Kernels from PTX and cubins ----------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDAKERNEL_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDAKERNEL_H

#include "runtime/device/HandleTable.h"
#include "runtime/device/cuda/CudaContext.h"

namespace quern::cuda {

struct CudaKernel {
  KernelDescription desc; ///< Without the code.
  Module module = nullptr;
  Function function = nullptr;
};
using KernelTable = HandleTable<KernelHandle, CudaKernel>;

/// From the image of a cubin, or from PTX, which the driver compiles for the
/// device (and keeps the result in its own cache). Each argument is one
/// parameter, the address of its first byte.
Result<CudaKernel> createKernel(CudaContext &context,
                                const KernelDescription &desc);

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDAKERNEL_H
