//===- CudaMemory.h - Buffers -----------------------------------*- C++ -*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDAMEMORY_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDAMEMORY_H

#include "runtime/device/HandleTable.h"
#include "runtime/device/cuda/CudaContext.h"

namespace quern::cuda {

struct CudaBuffer {
  uint64_t size = 0;
  DevicePointer address = 0;
  std::byte *mapped = nullptr; ///< HostVisible: page-locked host memory.
};
using BufferTable = HandleTable<BufferHandle, CudaBuffer>;

/// Zero-filled.
Result<CudaBuffer> allocateBuffer(CudaContext &context, uint64_t size,
                                  MemoryKind kind);
void freeBuffer(CudaContext &context, const CudaBuffer &buffer);

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDAMEMORY_H
