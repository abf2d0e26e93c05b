//===- Cuda.h - The part of the driver API that is here ----------*- C++
//-*-===//
//
// Declared here, not included from cuda.h, so that the tests build without a
// CUDA toolkit. AbiTest.cpp compares the numbers with cuda.h where there is
// one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVER_API_CUDA_H
#define QUERN_TEST_CUDA_DRIVER_API_CUDA_H

#include <cstddef>
#include <cstdint>

namespace quern::ptx {

using DevicePointer = unsigned long long;

enum Result : int {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NotInitialized = 3,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  InvalidContext = 201,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  UnsupportedPtxVersion = 222,
  InvalidHandle = 400,
  NotFound = 500,
  NotReady = 600,
  IllegalAddress = 700,
  LaunchOutOfResources = 701,
  LaunchTimeout = 702,
  HostMemoryAlreadyRegistered = 712,
  HostMemoryNotRegistered = 713,
  MisalignedAddress = 716,
  LaunchFailed = 719,
  NotSupported = 801,
  Unknown = 999,
};

enum DeviceAttribute : int {
  MaxThreadsPerBlock = 1,
  MaxBlockDimX = 2,
  MaxBlockDimY = 3,
  MaxBlockDimZ = 4,
  MaxGridDimX = 5,
  MaxGridDimY = 6,
  MaxGridDimZ = 7,
  MaxSharedMemoryPerBlock = 8,
  WarpSize = 10,
  ClockRate = 13,
  MultiprocessorCount = 16,
  Integrated = 18,
  CanMapHostMemory = 19,
  MemoryClockRate = 36,
  GlobalMemoryBusWidth = 37,
  L2CacheSize = 38,
  UnifiedAddressing = 41,
  ComputeCapabilityMajor = 75,
  ComputeCapabilityMinor = 76,
  MaxSharedMemoryPerMultiprocessor = 81,
  PageableMemoryAccess = 88,
  MaxSharedMemoryPerBlockOptin = 97,
  HostRegisterSupported = 99,
};

enum FunctionAttribute : int {
  FunctionMaxThreads = 0,
  FunctionSharedBytes = 1,
  FunctionConstBytes = 2,
  FunctionLocalBytes = 3,
  FunctionRegisters = 4,
  FunctionPtxVersion = 5,
  FunctionBinaryVersion = 6,
  FunctionMaxDynamicSharedBytes = 8,
};

enum JitOption : int {
  JitMaxRegisters = 0,
  JitInfoLogBuffer = 3,
  JitInfoLogBufferBytes = 4,
  JitErrorLogBuffer = 5,
  JitErrorLogBufferBytes = 6,
  JitOptimizationLevel = 7,
  JitLogVerbose = 12,
};

struct KernelNodeParameters { // CUDA_KERNEL_NODE_PARAMS_v2
  void *function;
  unsigned gridDimX, gridDimY, gridDimZ;
  unsigned blockDimX, blockDimY, blockDimZ;
  unsigned sharedMemBytes;
  void **kernelParams;
  void **extra;
  void *kernel;
  void *context;
};

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_API_CUDA_H
