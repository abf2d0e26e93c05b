//===- CudaStaging.h - Copies between host and device -----------*- C++ -*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDASTAGING_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDASTAGING_H

#include "runtime/device/cuda/CudaContext.h"

#include <array>
#include <atomic>

namespace quern::cuda {

/// A stream and two page-locked pieces of host memory, one of which is filled
/// while the other travels. For one thread at a time.
class CudaCopier {
public:
  static constexpr size_t pieceBytes = size_t(4) << 20;

  /// With a stream of its own, or the context's.
  static Result<std::unique_ptr<CudaCopier>> create(CudaContext &context,
                                                    bool ownStream);
  ~CudaCopier();

  /// Copies up to pieceBytes, which have left `data` when it returns.
  Code send(DevicePointer to, std::span<const std::byte> data);
  /// Waits until everything that was sent has arrived.
  Code finish();
  /// Up to pieceBytes.
  Code fetch(DevicePointer from, std::span<std::byte> data);

private:
  struct Piece {
    std::byte *data = nullptr;
    Event sent = nullptr;
    bool inUse = false;
  };

  explicit CudaCopier(CudaContext &context) : context(context) {}
  Code waitFor(Piece &piece);

  CudaContext &context;
  Stream stream = nullptr;
  bool ownsStream = false;
  std::array<Piece, 2> pieces;
  size_t turn = 0;
};

/// Copies of any size. Large ones to the device are shared by several threads:
/// one alone copies from a mapped file more slowly than the bus takes it.
class CudaStaging {
public:
  static Result<std::unique_ptr<CudaStaging>> create(CudaContext &context);

  Status upload(DevicePointer to, std::span<const std::byte> data);
  Status download(DevicePointer from, std::span<std::byte> data);

private:
  explicit CudaStaging(CudaContext &context) : context(context) {}
  /// Sends pieces from number `next` on, each taken by one copier.
  Code sendPieces(CudaCopier &copier, DevicePointer to,
                  std::span<const std::byte> data, std::atomic<size_t> &next);
  /// Has so many copiers, if the host has the memory for them, else fewer.
  void addCopiers(size_t count);

  CudaContext &context;
  /// The first copies on the context's stream.
  std::vector<std::unique_ptr<CudaCopier>> copiers;
};

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDASTAGING_H
