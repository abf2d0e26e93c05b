//===- AbiTest.cpp - Our numbers against those of cuda.h ------------------===//
//
// Compiled where a CUDA toolkit is installed.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/driver/api/Cuda.h"

#include <cuda.h>
#include <gtest/gtest.h>

namespace ours = quern::ptx;

TEST(CudaAbi, NumbersAreThoseOfCudaH) {
#define SAME(OURS, THEIRS)                                                     \
  static_assert(static_cast<int>(ours::OURS) == static_cast<int>(THEIRS))
  SAME(InvalidValue, CUDA_ERROR_INVALID_VALUE);
  SAME(OutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
  SAME(NotInitialized, CUDA_ERROR_NOT_INITIALIZED);
  SAME(NoDevice, CUDA_ERROR_NO_DEVICE);
  SAME(InvalidDevice, CUDA_ERROR_INVALID_DEVICE);
  SAME(InvalidContext, CUDA_ERROR_INVALID_CONTEXT);
  SAME(InvalidImage, CUDA_ERROR_INVALID_IMAGE);
  SAME(NoBinaryForGpu, CUDA_ERROR_NO_BINARY_FOR_GPU);
  SAME(InvalidPtx, CUDA_ERROR_INVALID_PTX);
  SAME(UnsupportedPtxVersion, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
  SAME(InvalidHandle, CUDA_ERROR_INVALID_HANDLE);
  SAME(NotFound, CUDA_ERROR_NOT_FOUND);
  SAME(NotReady, CUDA_ERROR_NOT_READY);
  SAME(IllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS);
  SAME(LaunchOutOfResources, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
  SAME(LaunchTimeout, CUDA_ERROR_LAUNCH_TIMEOUT);
  SAME(HostMemoryAlreadyRegistered, CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  SAME(HostMemoryNotRegistered, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
  SAME(MisalignedAddress, CUDA_ERROR_MISALIGNED_ADDRESS);
  SAME(LaunchFailed, CUDA_ERROR_LAUNCH_FAILED);
  SAME(NotSupported, CUDA_ERROR_NOT_SUPPORTED);
  SAME(Unknown, CUDA_ERROR_UNKNOWN);
#undef SAME
#define SAME(OURS, THEIRS)                                                     \
  static_assert(static_cast<int>(ours::OURS) ==                                \
                static_cast<int>(CU_DEVICE_ATTRIBUTE_##THEIRS))
  SAME(MaxThreadsPerBlock, MAX_THREADS_PER_BLOCK);
  SAME(MaxBlockDimX, MAX_BLOCK_DIM_X);
  SAME(MaxBlockDimZ, MAX_BLOCK_DIM_Z);
  SAME(MaxGridDimX, MAX_GRID_DIM_X);
  SAME(MaxGridDimZ, MAX_GRID_DIM_Z);
  SAME(MaxSharedMemoryPerBlock, MAX_SHARED_MEMORY_PER_BLOCK);
  SAME(WarpSize, WARP_SIZE);
  SAME(ClockRate, CLOCK_RATE);
  SAME(MultiprocessorCount, MULTIPROCESSOR_COUNT);
  SAME(Integrated, INTEGRATED);
  SAME(CanMapHostMemory, CAN_MAP_HOST_MEMORY);
  SAME(MemoryClockRate, MEMORY_CLOCK_RATE);
  SAME(GlobalMemoryBusWidth, GLOBAL_MEMORY_BUS_WIDTH);
  SAME(L2CacheSize, L2_CACHE_SIZE);
  SAME(UnifiedAddressing, UNIFIED_ADDRESSING);
  SAME(ComputeCapabilityMajor, COMPUTE_CAPABILITY_MAJOR);
  SAME(ComputeCapabilityMinor, COMPUTE_CAPABILITY_MINOR);
  SAME(MaxSharedMemoryPerMultiprocessor, MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  SAME(PageableMemoryAccess, PAGEABLE_MEMORY_ACCESS);
  SAME(MaxSharedMemoryPerBlockOptin, MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  SAME(HostRegisterSupported, HOST_REGISTER_SUPPORTED);
#undef SAME
#define SAME(OURS, THEIRS)                                                     \
  static_assert(static_cast<int>(ours::OURS) == static_cast<int>(CU_##THEIRS))
  SAME(FunctionMaxThreads, FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  SAME(FunctionSharedBytes, FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
  SAME(FunctionConstBytes, FUNC_ATTRIBUTE_CONST_SIZE_BYTES);
  SAME(FunctionLocalBytes, FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
  SAME(FunctionRegisters, FUNC_ATTRIBUTE_NUM_REGS);
  SAME(FunctionPtxVersion, FUNC_ATTRIBUTE_PTX_VERSION);
  SAME(FunctionBinaryVersion, FUNC_ATTRIBUTE_BINARY_VERSION);
  SAME(FunctionMaxDynamicSharedBytes,
       FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  SAME(JitMaxRegisters, JIT_MAX_REGISTERS);
  SAME(JitInfoLogBuffer, JIT_INFO_LOG_BUFFER);
  SAME(JitInfoLogBufferBytes, JIT_INFO_LOG_BUFFER_SIZE_BYTES);
  SAME(JitErrorLogBuffer, JIT_ERROR_LOG_BUFFER);
  SAME(JitErrorLogBufferBytes, JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
  SAME(JitOptimizationLevel, JIT_OPTIMIZATION_LEVEL);
  SAME(JitLogVerbose, JIT_LOG_VERBOSE);
#undef SAME
  static_assert(CU_STREAM_NON_BLOCKING == 1);
  static_assert(CU_MEMHOSTREGISTER_READ_ONLY == 8);
#define SAME(OURS, THEIRS)                                                     \
  static_assert(offsetof(ours::KernelNodeParameters, OURS) ==                  \
                offsetof(CUDA_KERNEL_NODE_PARAMS_v2, THEIRS))
  SAME(function, func);
  SAME(gridDimX, gridDimX);
  SAME(blockDimX, blockDimX);
  SAME(sharedMemBytes, sharedMemBytes);
  SAME(kernelParams, kernelParams);
  SAME(extra, extra);
  SAME(kernel, kern);
  SAME(context, ctx);
#undef SAME
  static_assert(sizeof(ours::KernelNodeParameters) ==
                sizeof(CUDA_KERNEL_NODE_PARAMS_v2));
  static_assert(sizeof(ours::DevicePointer) == sizeof(CUdeviceptr));
}
