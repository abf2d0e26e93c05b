//===- CudaQuery.cpp - Describing and choosing CUDA devices ---------------===//

#include "runtime/device/cuda/CudaContext.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>

using namespace quern;
using namespace quern::cuda;

/// Kernels take addresses; PTX before 8.1 allows 4352 bytes of them.
static constexpr uint32_t maxArguments = 256;
/// The oldest architecture that any of our targets is for.
static constexpr unsigned firstArchitecture = 80;
/// The oldest driver is one for CUDA 12.0 (CudaLoader.cpp).
static constexpr int firstDriverMajor = 12;

static DeviceLimits makeLimits(const CudaFunctions &f, DeviceOrdinal device,
                               uint64_t memoryBytes) {
  auto get = [&](DeviceAttribute attribute) {
    int value = 0;
    if (f.cuDeviceGetAttribute(&value, attribute, device) != Success)
      value = 0;
    return static_cast<uint32_t>(std::max(value, 0));
  };
  DeviceLimits limits;
  limits.memoryBytes = limits.maxAllocationBytes =
      limits.maxStorageBufferBytes = memoryBytes;
  limits.maxTexelElements = memoryBytes / 4;
  limits.bindingAlignment = 16; // The widest load.
  limits.maxWorkgroupSize = get(MaxThreadsPerBlock);
  limits.maxWorkgroupShape = {get(MaxBlockDimX), get(MaxBlockDimY),
                              get(MaxBlockDimZ)};
  limits.maxWorkgroupMemory = get(MaxSharedMemoryPerBlockOptin);
  limits.maxGrid = {get(MaxGridDimX), get(MaxGridDimY), get(MaxGridDimZ)};
  limits.maxStorageArguments = limits.maxTexelArguments = maxArguments;
  limits.subgroupSize = limits.minSubgroupSize = limits.maxSubgroupSize =
      get(WarpSize);
  return limits;
}

/// What cubins ask for: exactly this architecture, and a driver at least of the
/// major version that assembled them. QUERN_CUDA_PTX=1 leaves it to the driver
/// to assemble the PTX.
static void addBinaryFeatures(int driverVersion, PhysicalDevice &device) {
  const char *ptx = std::getenv("QUERN_CUDA_PTX");
  if (ptx && std::strcmp(ptx, "1") == 0)
    return;
  std::vector<std::string> &features = device.info.features;
  std::string own = "cubin-sm_" + std::to_string(device.architecture);
  features.push_back(own);
  features.push_back(own + "a");
  for (int major = firstDriverMajor; major <= driverVersion / 1000; ++major)
    features.push_back("cuda-" + std::to_string(major));
}

static Result<PhysicalDevice> describe(const CudaFunctions &f, int ordinal) {
  PhysicalDevice device;
  int major = 0, minor = 0, integrated = 0;
  size_t bytes = 0;
  std::array<char, 256> name = {};
  bool known = f.cuDeviceGet(&device.ordinal, ordinal) == Success &&
               f.cuDeviceGetName(name.data(), static_cast<int>(name.size()) - 1,
                                 device.ordinal) == Success &&
               f.cuDeviceTotalMem_v2(&bytes, device.ordinal) == Success &&
               f.cuDeviceGetAttribute(&major, ComputeCapabilityMajor,
                                      device.ordinal) == Success &&
               f.cuDeviceGetAttribute(&minor, ComputeCapabilityMinor,
                                      device.ordinal) == Success;
  if (!known)
    return deviceError("the NVIDIA driver does not describe GPU " +
                       std::to_string(ordinal));
  f.cuDeviceGetAttribute(&integrated, Integrated, device.ordinal);
  device.architecture = static_cast<unsigned>(major * 10 + minor);
  DeviceInfo &info = device.info;
  info.api = "cuda";
  info.apiVersion = formatVersion(f.driverVersion);
  info.name = name.data();
  info.driver =
      "CUDA " + info.apiVersion + ", sm_" + std::to_string(device.architecture);
  info.sharesHostMemory = integrated != 0;
  info.limits = makeLimits(f, device.ordinal, bytes);
  addBinaryFeatures(f.driverVersion, device);
  // Code for sm_80 runs on all later ones, code for sm_90a on sm_90 alone.
  for (unsigned sm = firstArchitecture; sm <= device.architecture; ++sm)
    info.features.push_back("sm_" + std::to_string(sm));
  info.features.push_back("sm_" + std::to_string(device.architecture) + "a");
  return device;
}

Result<std::vector<PhysicalDevice>> cuda::queryDevices(const CudaFunctions &f) {
  int count = 0;
  if (Code code = f.cuDeviceGetCount(&count); code != Success)
    return deviceError("can't list GPUs: " + describeCode(f, code));
  std::vector<PhysicalDevice> devices;
  for (int i = 0; i < count; ++i) {
    QUERN_ASSIGN_OR_RETURN(PhysicalDevice device, describe(f, i));
    devices.push_back(std::move(device));
  }
  std::stable_sort(devices.begin(), devices.end(),
                   [](const PhysicalDevice &a, const PhysicalDevice &b) {
                     if (a.architecture != b.architecture)
                       return a.architecture > b.architecture;
                     return a.info.limits.memoryBytes >
                            b.info.limits.memoryBytes;
                   });
  return devices;
}

static bool containsIgnoringCase(std::string_view text, std::string_view part) {
  auto isEqual = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     isEqual) != text.end();
}

Result<size_t> cuda::selectDevice(const std::vector<PhysicalDevice> &devices,
                                  const std::string &wanted) {
  if (devices.empty())
    return notFound("the NVIDIA driver finds no GPU");
  if (wanted.empty())
    return size_t(0);
  size_t index = 0;
  auto [end, error] =
      std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
  bool isIndex = error == std::errc() && end == wanted.data() + wanted.size();
  if (isIndex && index < devices.size())
    return index;
  std::string list;
  for (size_t i = 0; i != devices.size(); ++i) {
    const std::string &name = devices[i].info.name;
    if (!isIndex && containsIgnoringCase(name, wanted))
      return i;
    list += (i ? ", " : "") + std::to_string(i) + " '" + name + "'";
  }
  return notFound("no CUDA device '" + wanted + "', found: " + list);
}
