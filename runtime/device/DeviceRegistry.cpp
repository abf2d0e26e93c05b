//===- DeviceRegistry.cpp - Finding and opening devices -------------------===//

#include "runtime/device/DeviceRegistry.h"

#include "runtime/device/cpu/CPUDevice.h"
#include "runtime/device/cpu/CPUInfo.h"
#include "runtime/device/null/NullDevice.h"
#ifdef QUERN_ENABLE_CUDA
#include "runtime/device/cuda/CudaDevice.h"
#endif
#ifdef QUERN_ENABLE_VULKAN
#include "runtime/device/vulkan/VulkanDevice.h"
#endif

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

using namespace quern;

static bool containsIgnoringCase(std::string_view text, std::string_view part) {
  auto isEqual = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  return !std::ranges::search(text, part, isEqual).empty();
}

static Result<std::unique_ptr<Device>> openNullDevice(const DeviceOptions &) {
  return std::unique_ptr<Device>(std::make_unique<NullDevice>());
}

static Result<std::vector<DeviceInfo>> listNullDevices() {
  return std::vector<DeviceInfo>{NullDevice().getInfo()};
}

static Result<std::unique_ptr<Device>>
openCPUDevice(const DeviceOptions &options) {
  cpu::CPUOptions cpuOptions;
  cpuOptions.threads = options.threads;
  auto device = std::make_unique<cpu::CPUDevice>(cpuOptions);
  const std::string &name = device->getInfo().name;
  if (!options.device.empty() && options.device != "0" &&
      !containsIgnoringCase(name, options.device))
    return notFound("no CPU device '" + options.device + "', only 0: " + name);
  if (options.pinThreads)
    QUERN_RETURN_IF_ERROR(device->pinThreads());
  return std::unique_ptr<Device>(std::move(device));
}

static Result<std::vector<DeviceInfo>> listCPUDevices() {
  return std::vector<DeviceInfo>{cpu::describeCPU()};
}

#ifdef QUERN_ENABLE_VULKAN
static Result<std::unique_ptr<Device>>
openVulkanDevice(const DeviceOptions &options) {
  vulkan::VulkanOptions vulkanOptions;
  vulkanOptions.device = options.device;
  if (const char *chosen = std::getenv("QUERN_VULKAN_DEVICE");
      chosen && vulkanOptions.device.empty())
    vulkanOptions.device = chosen;
  const char *validation = std::getenv("QUERN_VALIDATION");
  vulkanOptions.validation =
      options.validation || (validation && std::strcmp(validation, "1") == 0);
  return vulkan::openDevice(vulkanOptions);
}

static Result<std::vector<DeviceInfo>> listVulkanDevices() {
  return vulkan::listDevices();
}
#endif

#ifdef QUERN_ENABLE_CUDA
static Result<std::unique_ptr<Device>>
openCudaDevice(const DeviceOptions &options) {
  cuda::CudaOptions cudaOptions;
  cudaOptions.device = options.device;
  if (const char *chosen = std::getenv("QUERN_CUDA_DEVICE");
      chosen && cudaOptions.device.empty())
    cudaOptions.device = chosen;
  return cuda::openDevice(cudaOptions);
}

static Result<std::vector<DeviceInfo>> listCudaDevices() {
  return cuda::listDevices();
}
#endif

namespace {
struct DeviceApi {
  const char *name;
  Result<std::unique_ptr<Device>> (*open)(const DeviceOptions &);
  Result<std::vector<DeviceInfo>> (*list)();
  bool automatic;
};
} // namespace

static constexpr DeviceApi deviceApis[] = {
#define QUERN_DEVICE_API(NAME, OPEN, LIST, AUTOMATIC)                          \
  {NAME, OPEN, LIST, AUTOMATIC},
#include "runtime/device/DeviceApis.inc"
};

Result<std::unique_ptr<Device>>
quern::openDevice(const DeviceOptions &options) {
  std::string tried, known;
  for (const DeviceApi &api : deviceApis) {
    known += std::string(known.empty() ? "" : ", ") + api.name;
    if (options.api.empty() ? !api.automatic : options.api != api.name)
      continue;
    Result<std::unique_ptr<Device>> device = api.open(options);
    // An API asked for by name fails with its own status.
    if (device.isOk() || !options.api.empty())
      return device;
    tried += (tried.empty() ? "" : "; ") + std::string(api.name) + ": " +
             device.getStatus().getMessage();
  }
  if (!options.api.empty())
    return unsupported("unknown device API '" + options.api +
                       "', known: " + known);
  return notFound("no usable device" + (tried.empty() ? "" : ": " + tried));
}

DeviceListing quern::listDevices() {
  DeviceListing listing;
  for (const DeviceApi &api : deviceApis) {
    if (!api.automatic)
      continue;
    Result<std::vector<DeviceInfo>> devices = api.list();
    if (!devices.isOk())
      listing.notes.push_back(std::string(api.name) + ": " +
                              devices.getStatus().getMessage());
    else if (devices->empty())
      listing.notes.push_back(std::string(api.name) + ": no devices");
    else
      listing.devices.insert(listing.devices.end(), devices->begin(),
                             devices->end());
  }
  return listing;
}
