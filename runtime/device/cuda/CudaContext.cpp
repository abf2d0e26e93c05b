//===- CudaContext.cpp - A device, its context and its stream -------------===//

#include "runtime/device/cuda/CudaContext.h"

using namespace quern;
using namespace quern::cuda;

Result<std::unique_ptr<CudaContext>>
CudaContext::create(CudaFunctions functions, PhysicalDevice physical) {
  std::unique_ptr<CudaContext> result(
      new CudaContext(functions, std::move(physical)));
  CudaContext &c = *result;
  QUERN_RETURN_IF_ERROR(c.check(
      functions.cuDevicePrimaryCtxRetain(&c.context, c.physical.ordinal),
      "can't use the GPU '" + c.physical.info.name + "'"));
  QUERN_RETURN_IF_ERROR(c.enter());
  QUERN_RETURN_IF_ERROR(
      c.check(functions.cuStreamCreate(&c.stream, streamNonBlocking),
              "can't create a stream"));
  // What other programs hold is not ours to plan with.
  size_t freeBytes = 0, totalBytes = 0;
  QUERN_RETURN_IF_ERROR(
      c.check(functions.cuMemGetInfo_v2(&freeBytes, &totalBytes),
              "can't ask for free memory"));
  c.physical.info.limits.memoryBytes = freeBytes;
  return result;
}

CudaContext::~CudaContext() {
  if (!context)
    return;
  // Of a lost device everything is gone already; these then just fail.
  functions.cuCtxSetCurrent(context);
  if (stream)
    functions.cuStreamDestroy_v2(stream);
  functions.cuDevicePrimaryCtxRelease_v2(physical.ordinal);
}

Status CudaContext::makeLost() const {
  return Status(StatusCode::DeviceLost, lostBecause);
}

Status CudaContext::enter() {
  if (lost)
    return makeLost();
  return check(makeCurrent(), "can't make the context current");
}

Status CudaContext::check(Code code, const std::string &what) {
  if (code == Success)
    return Status::ok();
  std::string text = what + ": " + describeCode(functions, code);
  switch (static_cast<int>(code)) {
  case OutOfMemory:
    return resourceExhausted(text);
  case InvalidPtx:
  case NoBinaryForGpu:
  case UnsupportedPtxVersion:
    return unsupported(text);
  case IllegalAddress: // 700
  case LaunchTimeout:  // 702
  case 214:            // CUDA_ERROR_ECC_UNCORRECTABLE
  case 714:            // CUDA_ERROR_HARDWARE_STACK_ERROR
  case 715:            // CUDA_ERROR_ILLEGAL_INSTRUCTION
  case 716:            // CUDA_ERROR_MISALIGNED_ADDRESS
  case 717:            // CUDA_ERROR_INVALID_ADDRESS_SPACE
  case 718:            // CUDA_ERROR_INVALID_PC
  case 719:            // CUDA_ERROR_LAUNCH_FAILED
  case 999:            // CUDA_ERROR_UNKNOWN
    lost = true;
    lostBecause = "the GPU '" + physical.info.name + "' is lost (" + text +
                  "): load the model anew; if it happens again, look for Xid "
                  "messages in the kernel's log (dmesg)";
    return makeLost();
  default:
    return deviceError(text);
  }
}
