//===- CudaMemory.cpp - Buffers and copies --------------------------------===//

#include "runtime/device/cuda/CudaMemory.h"

#include "runtime/base/FormatBytes.h"

#include <cstring>

using namespace quern;
using namespace quern::cuda;

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

/// "1.2 GiB (... bytes) of device memory: 0.3 GiB of 8 GiB are free".
static std::string describeShortage(CudaContext &context, uint64_t size) {
  size_t freeBytes = 0, totalBytes = 0;
  std::string text = "can't allocate " + formatBytes(size) +
                     " of memory of the GPU '" + context.physical.info.name +
                     "'";
  if (context.functions.cuMemGetInfo_v2(&freeBytes, &totalBytes) == Success)
    text += ", " + formatBytes(freeBytes) + " of " + formatBytes(totalBytes) +
            " are free: end other programs that use it, or compile the model "
            "with a smaller --context or --quantize";
  return text;
}

static Result<CudaBuffer> allocateHost(CudaContext &context, uint64_t size) {
  CudaBuffer buffer;
  buffer.size = size;
  void *data = nullptr;
  QUERN_RETURN_IF_ERROR(context.check(
      context.functions.cuMemHostAlloc(&data, size, hostAllocDeviceMap),
      "can't allocate " + formatBytes(size) + " of page-locked host memory"));
  buffer.mapped = static_cast<std::byte *>(data);
  std::memset(data, 0, size);
  Status status = context.check(
      context.functions.cuMemHostGetDevicePointer_v2(&buffer.address, data, 0),
      "can't map page-locked host memory");
  if (status.isOk())
    return buffer;
  freeBuffer(context, buffer);
  return status;
}

Result<CudaBuffer> cuda::allocateBuffer(CudaContext &context, uint64_t size,
                                        MemoryKind kind) {
  if (kind == MemoryKind::HostVisible)
    return allocateHost(context, size);
  CudaBuffer buffer;
  buffer.size = size;
  Code code = context.functions.cuMemAlloc_v2(&buffer.address, size);
  if (code == OutOfMemory)
    return resourceExhausted(describeShortage(context, size));
  QUERN_RETURN_IF_ERROR(
      context.check(code, "can't allocate " + formatBytes(size)));
  Status status = context.check(context.functions.cuMemsetD8Async(
                                    buffer.address, 0, size, context.stream),
                                "can't fill device memory");
  if (status.isOk())
    return buffer;
  freeBuffer(context, buffer);
  return status;
}

void cuda::freeBuffer(CudaContext &context, const CudaBuffer &buffer) {
  if (buffer.mapped)
    context.functions.cuMemFreeHost(buffer.mapped);
  else
    context.functions.cuMemFree_v2(buffer.address);
}

//===----------------------------------------------------------------------===//
// Staging
//===----------------------------------------------------------------------===//

Result<std::unique_ptr<CudaStaging>> CudaStaging::create(CudaContext &context) {
  std::unique_ptr<CudaStaging> staging(new CudaStaging(context));
  for (Piece &piece : staging->pieces) {
    void *data = nullptr;
    QUERN_RETURN_IF_ERROR(
        context.check(context.functions.cuMemHostAlloc(&data, pieceBytes, 0),
                      "can't allocate page-locked host memory"));
    piece.data = static_cast<std::byte *>(data);
    constexpr unsigned disableTiming = 2;
    QUERN_RETURN_IF_ERROR(context.check(
        context.functions.cuEventCreate(&piece.sent, disableTiming),
        "can't create an event"));
  }
  return staging;
}

CudaStaging::~CudaStaging() {
  for (Piece &piece : pieces) {
    if (piece.sent)
      context.functions.cuEventDestroy_v2(piece.sent);
    if (piece.data)
      context.functions.cuMemFreeHost(piece.data);
  }
}

Status CudaStaging::waitFor(Piece &piece) {
  if (!piece.inUse)
    return Status::ok();
  piece.inUse = false;
  return context.check(context.functions.cuEventSynchronize(piece.sent),
                       "can't copy to the GPU");
}

Status CudaStaging::upload(DevicePointer to, std::span<const std::byte> data) {
  const CudaFunctions &f = context.functions;
  for (size_t turn = 0; !data.empty(); ++turn) {
    Piece &piece = pieces[turn % pieces.size()];
    QUERN_RETURN_IF_ERROR(waitFor(piece));
    size_t bytes = std::min(data.size(), pieceBytes);
    std::memcpy(piece.data, data.data(), bytes);
    QUERN_RETURN_IF_ERROR(context.check(
        f.cuMemcpyHtoDAsync_v2(to, piece.data, bytes, context.stream),
        "can't copy to the GPU"));
    QUERN_RETURN_IF_ERROR(context.check(
        f.cuEventRecord(piece.sent, context.stream), "can't record an event"));
    piece.inUse = true;
    to += bytes;
    data = data.subspan(bytes);
  }
  for (Piece &piece : pieces)
    QUERN_RETURN_IF_ERROR(waitFor(piece));
  return Status::ok();
}

Status CudaStaging::download(DevicePointer from, std::span<std::byte> data) {
  const CudaFunctions &f = context.functions;
  while (!data.empty()) {
    size_t bytes = std::min(data.size(), pieceBytes);
    QUERN_RETURN_IF_ERROR(context.check(
        f.cuMemcpyDtoHAsync_v2(pieces[0].data, from, bytes, context.stream),
        "can't copy from the GPU"));
    QUERN_RETURN_IF_ERROR(context.check(f.cuStreamSynchronize(context.stream),
                                        "can't copy from the GPU"));
    std::memcpy(data.data(), pieces[0].data, bytes);
    from += bytes;
    data = data.subspan(bytes);
  }
  return Status::ok();
}
