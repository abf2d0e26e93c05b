//===- CudaStaging.cpp - Copies between host and device -------------------===//

#include "runtime/device/cuda/CudaStaging.h"

#include <algorithm>
#include <cstring>
#include <thread>

using namespace quern;
using namespace quern::cuda;

/// More threads than these do not make the bus faster.
static constexpr size_t maxCopiers = 4;
/// A copier should be worth its thread.
static constexpr size_t leastPieces = 2;

//===----------------------------------------------------------------------===//
// One thread
//===----------------------------------------------------------------------===//

Result<std::unique_ptr<CudaCopier>> CudaCopier::create(CudaContext &context,
                                                       bool ownStream) {
  const CudaFunctions &f = context.functions;
  std::unique_ptr<CudaCopier> copier(new CudaCopier(context));
  copier->stream = context.stream;
  if (ownStream) {
    QUERN_RETURN_IF_ERROR(
        context.check(f.cuStreamCreate(&copier->stream, streamNonBlocking),
                      "can't create a stream"));
    copier->ownsStream = true;
  }
  for (Piece &piece : copier->pieces) {
    void *data = nullptr;
    QUERN_RETURN_IF_ERROR(context.check(f.cuMemHostAlloc(&data, pieceBytes, 0),
                                        "can't allocate page-locked host "
                                        "memory"));
    piece.data = static_cast<std::byte *>(data);
    constexpr unsigned disableTiming = 2;
    QUERN_RETURN_IF_ERROR(context.check(
        f.cuEventCreate(&piece.sent, disableTiming), "can't create an event"));
  }
  return copier;
}

CudaCopier::~CudaCopier() {
  for (Piece &piece : pieces) {
    if (piece.sent)
      context.functions.cuEventDestroy_v2(piece.sent);
    if (piece.data)
      context.functions.cuMemFreeHost(piece.data);
  }
  if (ownsStream)
    context.functions.cuStreamDestroy_v2(stream);
}

Code CudaCopier::waitFor(Piece &piece) {
  if (!piece.inUse)
    return Success;
  piece.inUse = false;
  return context.functions.cuEventSynchronize(piece.sent);
}

Code CudaCopier::send(DevicePointer to, std::span<const std::byte> data) {
  const CudaFunctions &f = context.functions;
  Piece &piece = pieces[turn++ % pieces.size()];
  if (Code code = waitFor(piece); code != Success)
    return code;
  std::memcpy(piece.data, data.data(), data.size());
  Code code = f.cuMemcpyHtoDAsync_v2(to, piece.data, data.size(), stream);
  if (code == Success)
    code = f.cuEventRecord(piece.sent, stream);
  piece.inUse = code == Success;
  return code;
}

Code CudaCopier::finish() {
  Code first = Success;
  for (Piece &piece : pieces)
    if (Code code = waitFor(piece); first == Success)
      first = code;
  return first;
}

Code CudaCopier::fetch(DevicePointer from, std::span<std::byte> data) {
  const CudaFunctions &f = context.functions;
  std::byte *piece = pieces[0].data;
  Code code = f.cuMemcpyDtoHAsync_v2(piece, from, data.size(), stream);
  if (code == Success)
    code = f.cuStreamSynchronize(stream);
  if (code == Success)
    std::memcpy(data.data(), piece, data.size());
  return code;
}

//===----------------------------------------------------------------------===//
// All of them
//===----------------------------------------------------------------------===//

Result<std::unique_ptr<CudaStaging>> CudaStaging::create(CudaContext &context) {
  std::unique_ptr<CudaStaging> staging(new CudaStaging(context));
  QUERN_ASSIGN_OR_RETURN(staging->copiers.emplace_back(),
                         CudaCopier::create(context, /*ownStream=*/false));
  return staging;
}

void CudaStaging::addCopiers(size_t count) {
  while (copiers.size() < count) {
    auto copier = CudaCopier::create(context, /*ownStream=*/true);
    if (!copier.isOk())
      return;
    copiers.push_back(std::move(*copier));
  }
}

Code CudaStaging::sendPieces(CudaCopier &copier, DevicePointer to,
                             std::span<const std::byte> data,
                             std::atomic<size_t> &next) {
  Code code = Success;
  while (code == Success) {
    size_t begin = next++ * CudaCopier::pieceBytes;
    if (begin >= data.size())
      break;
    size_t bytes = std::min(data.size() - begin, CudaCopier::pieceBytes);
    code = copier.send(to + begin, data.subspan(begin, bytes));
  }
  Code last = copier.finish();
  return code == Success ? last : code;
}

Status CudaStaging::upload(DevicePointer to, std::span<const std::byte> data) {
  size_t threads = std::min<size_t>(
      {data.size() / CudaCopier::pieceBytes / leastPieces, maxCopiers,
       std::max(1U, std::thread::hardware_concurrency())});
  // Whatever filled the memory did it on the context's stream.
  if (threads > 1) {
    addCopiers(threads);
    QUERN_RETURN_IF_ERROR(
        context.check(context.functions.cuStreamSynchronize(context.stream),
                      "can't copy to the GPU"));
  }
  std::vector<Code> codes(std::clamp<size_t>(threads, 1, copiers.size()),
                          Success);
  std::atomic<size_t> next = 0;
  std::vector<std::thread> others;
  for (size_t i = 1; i != codes.size(); ++i)
    others.emplace_back([&, i] {
      codes[i] = context.makeCurrent();
      if (codes[i] == Success)
        codes[i] = sendPieces(*copiers[i], to, data, next);
    });
  codes[0] = sendPieces(*copiers[0], to, data, next);
  for (std::thread &other : others)
    other.join();
  for (Code code : codes)
    QUERN_RETURN_IF_ERROR(context.check(code, "can't copy to the GPU"));
  return Status::ok();
}

Status CudaStaging::download(DevicePointer from, std::span<std::byte> data) {
  while (!data.empty()) {
    size_t bytes = std::min(data.size(), CudaCopier::pieceBytes);
    QUERN_RETURN_IF_ERROR(context.check(
        copiers[0]->fetch(from, data.first(bytes)), "can't copy from the GPU"));
    from += bytes;
    data = data.subspan(bytes);
  }
  return Status::ok();
}
