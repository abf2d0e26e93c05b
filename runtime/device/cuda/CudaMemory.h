//===- CudaMemory.h - Buffers and copies -------------------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDAMEMORY_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDAMEMORY_H

#include "runtime/device/HandleTable.h"
#include "runtime/device/cuda/CudaContext.h"

#include <array>

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

/// Copies through two page-locked pieces of host memory, one of which is filled
/// while the other travels.
class CudaStaging {
public:
  static Result<std::unique_ptr<CudaStaging>> create(CudaContext &context);
  ~CudaStaging();

  Status upload(DevicePointer to, std::span<const std::byte> data);
  Status download(DevicePointer from, std::span<std::byte> data);

private:
  struct Piece {
    std::byte *data = nullptr;
    Event sent = nullptr;
    bool inUse = false;
  };
  static constexpr size_t pieceBytes = size_t(4) << 20;

  explicit CudaStaging(CudaContext &context) : context(context) {}
  Status waitFor(Piece &piece);

  CudaContext &context;
  std::array<Piece, 2> pieces;
};

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDAMEMORY_H
