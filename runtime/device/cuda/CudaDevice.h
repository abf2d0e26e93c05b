//===- CudaDevice.h - NVIDIA GPUs through the driver API ---------*- C++
//-*-===//
//
// Needs NVIDIA's driver at run time and nothing else. Kernels are PTX; each
// argument is passed as an address. Texel views are plain memory.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDADEVICE_H

#include "runtime/device/Device.h"

namespace quern::cuda {

struct CudaOptions {
  std::string device; ///< As DeviceOptions::device.
};

/// NotFound: no driver, no GPU, or none that matches. Unsupported: the driver
/// is too old.
Result<std::unique_ptr<Device>> openDevice(const CudaOptions &options);

/// Creates no context.
Result<std::vector<DeviceInfo>> listDevices();

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
