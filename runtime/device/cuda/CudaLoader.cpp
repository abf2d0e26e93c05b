//===- CudaLoader.cpp - libcuda, found at run time ------------------------===//

#include "runtime/device/cuda/CudaLoader.h"

#include <cstdlib>
#include <dlfcn.h>

using namespace quern;
using namespace quern::cuda;

/// The first version with all functions that we call.
static constexpr int minDriverVersion = 12000;

std::string cuda::formatVersion(int version) {
  return std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

std::string cuda::describeCode(const CudaFunctions &functions, Code code) {
  const char *name = nullptr;
  if (functions.cuGetErrorName(code, &name) != Success || !name)
    return "CUDA error " + std::to_string(static_cast<int>(code));
  return name;
}

static std::string tooOld(const std::string &found) {
  return "the NVIDIA driver is too old: " + found +
         ", needs one for CUDA 12.0 or newer (525.60 or newer): update the "
         "driver";
}

/// Opened libraries stay open: drivers don't survive dlclose.
static Result<CudaFunctions> openLibrary(const char *name) {
  void *library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return notFound("no NVIDIA driver: " + std::string(name) +
                    " can't be opened; install the driver of the GPU, a CUDA "
                    "toolkit is not needed");
  CudaFunctions functions;
  // The version first: it says more than a function that is missing.
  functions.cuDriverGetVersion =
      reinterpret_cast<decltype(functions.cuDriverGetVersion)>(
          ::dlsym(library, "cuDriverGetVersion"));
  if (!functions.cuDriverGetVersion ||
      functions.cuDriverGetVersion(&functions.driverVersion) != Success)
    return notFound(std::string(name) + " is not a CUDA driver");
  if (functions.driverVersion < minDriverVersion)
    return unsupported(
        tooOld("it is for CUDA " + formatVersion(functions.driverVersion)));
#define QUERN_CUDA_FUNCTION(NAME, PARAMETERS)                                  \
  functions.NAME =                                                             \
      reinterpret_cast<decltype(functions.NAME)>(::dlsym(library, #NAME));     \
  if (!functions.NAME)                                                         \
    return unsupported(tooOld("it has no " #NAME));
#include "runtime/device/cuda/CudaFunctions.inc"
  return functions;
}

Result<CudaFunctions> cuda::loadCuda() {
  const char *name = std::getenv("QUERN_CUDA_LIBRARY");
  QUERN_ASSIGN_OR_RETURN(CudaFunctions functions,
                         openLibrary(name && *name ? name : "libcuda.so.1"));
  Code code = functions.cuInit(0);
  if (code == NoDevice)
    return notFound("the NVIDIA driver finds no GPU (" +
                    describeCode(functions, code) +
                    "): check nvidia-smi and CUDA_VISIBLE_DEVICES");
  if (code != Success)
    return deviceError("the NVIDIA driver does not start (" +
                       describeCode(functions, code) +
                       "): check nvidia-smi; after an update of the driver, "
                       "restart the machine");
  return functions;
}
