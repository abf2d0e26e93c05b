//===- CudaMemory.cpp - Buffers -------------------------------------------===//

#include "runtime/device/cuda/CudaMemory.h"

#include "runtime/base/FormatBytes.h"

#include <cstring>

using namespace quern;
using namespace quern::cuda;

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
