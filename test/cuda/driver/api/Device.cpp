//===- Device.cpp - Initialisation, devices, the primary context ----------===//

#include "test/cuda/driver/api/State.h"

#include <algorithm>
#include <cstdio>
#include <optional>

using namespace quern::ptx;

static void *const contextHandle = reinterpret_cast<void *>(0x51);

QUERN_CUDA_API cuInit(unsigned flags) {
  return callApi("cuInit", Needs::Nothing, [&] {
    require(flags == 0, "flags have to be 0");
    State &state = State::get();
    state.initialize();
    return state.options.numDevices > 0 ? Success : NoDevice;
  });
}

QUERN_CUDA_API cuDriverGetVersion(int *version) {
  return callApi("cuDriverGetVersion", Needs::Nothing, [&] {
    require(version, "null pointer");
    State::get().initialize();
    *version = State::get().options.driverVersion;
    return Success;
  });
}

namespace {
struct ErrorRow {
  Result code;
  const char *name, *text;
};
} // namespace

static const ErrorRow *findError(Result code) {
  static constexpr ErrorRow rows[] = {
      {Success, "CUDA_SUCCESS", "no error"},
      {InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
      {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
      {NotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
      {NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
      {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
      {InvalidImage, "CUDA_ERROR_INVALID_IMAGE",
       "device kernel image is invalid"},
      {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
      {NoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU",
       "no kernel image is available for execution on the device"},
      {InvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
      {UnsupportedPtxVersion, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
       "the provided PTX was compiled with an unsupported toolchain"},
      {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
      {NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
      {NotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
      {IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS",
       "an illegal memory access was encountered"},
      {LaunchOutOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
       "too many resources requested for launch"},
      {LaunchTimeout, "CUDA_ERROR_LAUNCH_TIMEOUT",
       "the launch timed out and was terminated"},
      {HostMemoryAlreadyRegistered, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
       "part or all of the requested memory range is already mapped"},
      {HostMemoryNotRegistered, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
       "pointer does not correspond to a registered memory region"},
      {MisalignedAddress, "CUDA_ERROR_MISALIGNED_ADDRESS",
       "misaligned address"},
      {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
      {NotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
      {Unknown, "CUDA_ERROR_UNKNOWN", "unknown error"}};
  for (const ErrorRow &row : rows)
    if (row.code == code)
      return &row;
  return nullptr;
}

QUERN_CUDA_API cuGetErrorName(Result code, const char **text) {
  const ErrorRow *row = findError(code);
  *text = row ? row->name : nullptr;
  return row ? Success : InvalidValue;
}

QUERN_CUDA_API cuGetErrorString(Result code, const char **text) {
  const ErrorRow *row = findError(code);
  *text = row ? row->text : nullptr;
  return row ? Success : InvalidValue;
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

static void checkDevice(int device) {
  if (device < 0 || device >= State::get().options.numDevices)
    throw ApiError(InvalidDevice, "no such device");
}

QUERN_CUDA_API cuDeviceGetCount(int *count) {
  return callApi("cuDeviceGetCount", Needs::Init, [&] {
    *count = State::get().options.numDevices;
    return Success;
  });
}

QUERN_CUDA_API cuDeviceGet(int *device, int ordinal) {
  return callApi("cuDeviceGet", Needs::Init, [&] {
    checkDevice(ordinal);
    *device = ordinal;
    return Success;
  });
}

QUERN_CUDA_API cuDeviceGetName(char *name, int length, int device) {
  return callApi("cuDeviceGetName", Needs::Init, [&] {
    checkDevice(device);
    require(name && length > 0, "no place for a name");
    std::snprintf(name, static_cast<size_t>(length),
                  "Quern test driver (sm_%u)",
                  State::get().options.architecture);
    return Success;
  });
}

QUERN_CUDA_API cuDeviceTotalMem_v2(size_t *bytes, int device) {
  return callApi("cuDeviceTotalMem_v2", Needs::Init, [&] {
    checkDevice(device);
    *bytes = State::get().options.memoryBytes;
    return Success;
  });
}

static std::optional<int> getAttribute(int attribute) {
  unsigned architecture = State::get().options.architecture;
  bool large = architecture == 80 || architecture == 90;
  switch (attribute) {
  case MaxThreadsPerBlock:
  case MaxBlockDimX:
  case MaxBlockDimY:
    return 1024;
  case MaxBlockDimZ:
    return 64;
  case MaxGridDimX:
    return INT32_MAX;
  case MaxGridDimY:
  case MaxGridDimZ:
    return 65535;
  case MaxSharedMemoryPerBlock:
    return 48 << 10;
  case MaxSharedMemoryPerBlockOptin:
    return architecture == 90 ? 227 << 10 : large ? 163 << 10 : 99 << 10;
  case MaxSharedMemoryPerMultiprocessor:
    return architecture == 90 ? 228 << 10 : large ? 164 << 10 : 100 << 10;
  case WarpSize:
    return 32;
  case ClockRate:
    return 1410000;
  case MemoryClockRate:
    return 1215000;
  case GlobalMemoryBusWidth:
    return 5120;
  case L2CacheSize:
    return 40 << 20;
  case MultiprocessorCount:
    return 108;
  case Integrated:
  case PageableMemoryAccess:
    return 0;
  case CanMapHostMemory:
  case UnifiedAddressing:
  case HostRegisterSupported:
    return 1;
  case ComputeCapabilityMajor:
    return static_cast<int>(architecture / 10);
  case ComputeCapabilityMinor:
    return static_cast<int>(architecture % 10);
  default:
    return std::nullopt;
  }
}

QUERN_CUDA_API cuDeviceGetAttribute(int *value, int attribute, int device) {
  return callApi("cuDeviceGetAttribute", Needs::Init, [&] {
    checkDevice(device);
    auto found = getAttribute(attribute);
    if (!found)
      throw ApiError(InvalidValue, "the test driver has no attribute " +
                                       std::to_string(attribute));
    *value = *found;
    return Success;
  });
}

//===----------------------------------------------------------------------===//
// The context
//===----------------------------------------------------------------------===//

QUERN_CUDA_API cuDevicePrimaryCtxRetain(void **context, int device) {
  return callApi("cuDevicePrimaryCtxRetain", Needs::Init, [&] {
    checkDevice(device);
    ++State::get().contextReferences;
    *context = contextHandle;
    return Success;
  });
}

QUERN_CUDA_API cuDevicePrimaryCtxRelease_v2(int device) {
  return callApi("cuDevicePrimaryCtxRelease_v2", Needs::Init, [&] {
    checkDevice(device);
    State &state = State::get();
    if (state.contextReferences == 0)
      throw ApiError(InvalidContext, "the context is not retained");
    // With the last reference goes everything that was made in it.
    if (--state.contextReferences == 0) {
      state.counters.leakedObjects +=
          state.memory->getNumLive() + state.modules.size() +
          state.streams.size() + state.events.size() + state.graphs.size() +
          state.graphExecs.size();
      state.reset();
    }
    return Success;
  });
}

QUERN_CUDA_API cuDevicePrimaryCtxReset_v2(int device) {
  return callApi("cuDevicePrimaryCtxReset_v2", Needs::Init, [&] {
    checkDevice(device);
    State::get().reset();
    return Success;
  });
}

QUERN_CUDA_API cuCtxSetCurrent(void *context) {
  return callApi("cuCtxSetCurrent", Needs::Init, [&] {
    State &state = State::get();
    if (context && (context != contextHandle || state.contextReferences == 0))
      throw ApiError(InvalidContext, "no such context");
    state.contextCurrent = context != nullptr;
    return Success;
  });
}

QUERN_CUDA_API cuCtxGetCurrent(void **context) {
  return callApi("cuCtxGetCurrent", Needs::Init, [&] {
    *context = State::get().contextCurrent ? contextHandle : nullptr;
    return Success;
  });
}

QUERN_CUDA_API cuCtxSynchronize() {
  return callApi("cuCtxSynchronize", Needs::Context, [&] {
    ++State::get().counters.synchronisations;
    State::get().runAllStreams(/*nonBlocking=*/true);
    return Success;
  });
}
