//===- DriverFunctions.h - The driver API as the tests call it ---*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVERFUNCTIONS_H
#define QUERN_TEST_CUDA_DRIVERFUNCTIONS_H

#include "test/cuda/driver/TestDriver.h"
#include "test/cuda/driver/api/Cuda.h"

extern "C" {
using CuResult = quern::ptx::Result;
using CuPointer = quern::ptx::DevicePointer;

CuResult cuInit(unsigned flags);
CuResult cuDriverGetVersion(int *version);
CuResult cuGetErrorName(CuResult code, const char **text);
CuResult cuGetErrorString(CuResult code, const char **text);
CuResult cuDeviceGetCount(int *count);
CuResult cuDeviceGet(int *device, int ordinal);
CuResult cuDeviceGetAttribute(int *value, int attribute, int device);
CuResult cuDevicePrimaryCtxRetain(void **context, int device);
CuResult cuDevicePrimaryCtxRelease_v2(int device);
CuResult cuCtxSetCurrent(void *context);
CuResult cuCtxSynchronize();
CuResult cuModuleLoadDataEx(void **module, const void *image, unsigned count,
                            int *options, void **values);
CuResult cuModuleUnload(void *module);
CuResult cuModuleGetFunction(void **function, void *module, const char *name);
CuResult cuModuleGetGlobal_v2(CuPointer *address, size_t *bytes, void *module,
                              const char *name);
CuResult cuFuncGetAttribute(int *value, int attribute, void *function);
CuResult cuFuncSetAttribute(void *function, int attribute, int value);
CuResult cuMemGetInfo_v2(size_t *freeBytes, size_t *totalBytes);
CuResult cuMemAlloc_v2(CuPointer *address, size_t bytes);
CuResult cuMemFree_v2(CuPointer address);
CuResult cuMemHostAlloc(void **data, size_t bytes, unsigned flags);
CuResult cuMemFreeHost(void *data);
CuResult cuMemHostRegister_v2(void *data, size_t bytes, unsigned flags);
CuResult cuMemHostUnregister(void *data);
CuResult cuMemcpyHtoD_v2(CuPointer to, const void *from, size_t bytes);
CuResult cuMemcpyDtoH_v2(void *to, CuPointer from, size_t bytes);
CuResult cuMemcpyHtoDAsync_v2(CuPointer to, const void *from, size_t bytes,
                              void *stream);
CuResult cuMemcpyDtoHAsync_v2(void *to, CuPointer from, size_t bytes,
                              void *stream);
CuResult cuMemsetD8_v2(CuPointer to, unsigned char value, size_t count);
CuResult cuMemsetD32_v2(CuPointer to, unsigned value, size_t count);
CuResult cuStreamCreate(void **stream, unsigned flags);
CuResult cuStreamDestroy_v2(void *stream);
CuResult cuStreamSynchronize(void *stream);
CuResult cuStreamQuery(void *stream);
CuResult cuStreamWaitEvent(void *stream, void *event, unsigned flags);
CuResult cuEventCreate(void **event, unsigned flags);
CuResult cuEventDestroy_v2(void *event);
CuResult cuEventRecord(void *event, void *stream);
CuResult cuEventQuery(void *event);
CuResult cuEventSynchronize(void *event);
CuResult cuEventElapsedTime(float *milliseconds, void *start, void *end);
CuResult cuLaunchKernel(void *function, unsigned gridX, unsigned gridY,
                        unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, void *stream,
                        void **parameters, void **extra);
CuResult cuGraphCreate(void **graph, unsigned flags);
CuResult cuGraphDestroy(void *graph);
CuResult
cuGraphAddKernelNode_v2(void **node, void *graph, void *const *dependencies,
                        size_t count,
                        const quern::ptx::KernelNodeParameters *parameters);
CuResult cuGraphAddEmptyNode(void **node, void *graph,
                             void *const *dependencies, size_t count);
CuResult cuGraphAddEventRecordNode(void **node, void *graph,
                                   void *const *dependencies, size_t count,
                                   void *event);
CuResult cuGraphInstantiateWithFlags(void **exec, void *graph,
                                     unsigned long long flags);
CuResult cuGraphExecDestroy(void *exec);
CuResult cuGraphExecKernelNodeSetParams_v2(
    void *exec, void *node, const quern::ptx::KernelNodeParameters *parameters);
CuResult cuGraphNodeSetEnabled(void *exec, void *node, unsigned enabled);
CuResult cuGraphLaunch(void *exec, void *stream);
}

#endif // QUERN_TEST_CUDA_DRIVERFUNCTIONS_H
