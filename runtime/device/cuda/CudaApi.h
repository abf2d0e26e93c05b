//===- CudaApi.h - The CUDA driver API, as far as we call it -----*- C++
//-*-===//
//
// Declared here, so that the runtime builds without a CUDA toolkit. The names
// of functions are those that libcuda exports; test/cuda/AbiTest.cpp compares
// numbers and layouts with cuda.h where there is one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDAAPI_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDAAPI_H

#include <cstddef>
#include <cstdint>

namespace quern::cuda {

enum Code : int {
  Success = 0,
  OutOfMemory = 2,
  NoDevice = 100,
  InvalidImage = 200,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  UnsupportedPtxVersion = 222,
  NotReady = 600,
  IllegalAddress = 700,
  LaunchTimeout = 702,
};

using DevicePointer = unsigned long long;
using DeviceOrdinal = int;
struct ContextObject;
struct ModuleObject;
struct FunctionObject;
struct StreamObject;
struct EventObject;
struct GraphObject;
struct GraphNodeObject;
struct GraphExecObject;
using Context = ContextObject *;
using Module = ModuleObject *;
using Function = FunctionObject *;
using Stream = StreamObject *;
using Event = EventObject *;
using Graph = GraphObject *;
using GraphNode = GraphNodeObject *;
using GraphExec = GraphExecObject *;

enum DeviceAttribute : int {
  MaxThreadsPerBlock = 1,
  MaxBlockDimX = 2,
  MaxBlockDimY = 3,
  MaxBlockDimZ = 4,
  MaxGridDimX = 5,
  MaxGridDimY = 6,
  MaxGridDimZ = 7,
  WarpSize = 10,
  Integrated = 18,
  ComputeCapabilityMajor = 75,
  ComputeCapabilityMinor = 76,
  MaxSharedMemoryPerBlockOptin = 97,
};

enum FunctionAttribute : int {
  FunctionMaxThreads = 0,
  FunctionSharedBytes = 1,
  FunctionMaxDynamicSharedBytes = 8,
};

enum JitOption : int {
  JitErrorLogBuffer = 5,
  JitErrorLogBufferBytes = 6,
};

inline constexpr unsigned streamNonBlocking = 1;
inline constexpr unsigned hostAllocDeviceMap = 2;

struct KernelNodeParameters { // CUDA_KERNEL_NODE_PARAMS_v2
  Function function = nullptr;
  unsigned gridDimX = 1, gridDimY = 1, gridDimZ = 1;
  unsigned blockDimX = 1, blockDimY = 1, blockDimZ = 1;
  unsigned sharedMemBytes = 0;
  void **kernelParams = nullptr;
  void **extra = nullptr;
  void *kernel = nullptr;
  Context context = nullptr;
};

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDAAPI_H
