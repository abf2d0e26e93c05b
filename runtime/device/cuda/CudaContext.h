//===- CudaContext.h - A device, its context and its stream ------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_DEVICE_CUDA_CUDACONTEXT_H
#define QUERN_RUNTIME_DEVICE_CUDA_CUDACONTEXT_H

#include "runtime/device/Device.h"
#include "runtime/device/cuda/CudaLoader.h"

namespace quern::cuda {

/// What a device is and which of the driver's it is.
struct PhysicalDevice {
  DeviceOrdinal ordinal = 0;
  unsigned architecture = 0; ///< 90 for compute capability 9.0.
  DeviceInfo info;
};

/// All devices, most memory first within the highest architecture.
Result<std::vector<PhysicalDevice>> queryDevices(const CudaFunctions &f);
/// NotFound lists what there is.
Result<size_t> selectDevice(const std::vector<PhysicalDevice> &devices,
                            const std::string &wanted);

/// Holds the primary context of a device, which libraries of the process share.
class CudaContext {
public:
  static Result<std::unique_ptr<CudaContext>> create(CudaFunctions functions,
                                                     PhysicalDevice physical);
  ~CudaContext();
  CudaContext(const CudaContext &) = delete;

  /// Makes the context that of the calling thread, and says whether the device
  /// is still there.
  Status enter();

  /// The first half of that, for any thread at any time.
  Code makeCurrent() const { return functions.cuCtxSetCurrent(context); }

  /// Ok, or what went wrong: "can't ...: CUDA_ERROR_...". After a code that
  /// ends the context the device is lost for good.
  Status check(Code code, const std::string &what);

  /// The status of a lost device.
  Status makeLost() const;

  const CudaFunctions functions;
  PhysicalDevice physical;
  Stream stream = nullptr;
  bool lost = false;

private:
  CudaContext(CudaFunctions functions, PhysicalDevice physical)
      : functions(functions), physical(std::move(physical)) {}

  Context context = nullptr;
  std::string lostBecause;
};

} // namespace quern::cuda

#endif // QUERN_RUNTIME_DEVICE_CUDA_CUDACONTEXT_H
