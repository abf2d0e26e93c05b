//===- Devices.cpp - The devices that the conformance suite tests ---------===//

#include "Conformance.h"
#include "TestKernels.h"

#include "runtime/device/cpu/CPUDevice.h"

#ifdef QUERN_ENABLE_CUDA
#include "runtime/device/cuda/CudaDevice.h"
#include "test/cuda/driver/TestDriver.h"
#endif
#ifdef QUERN_ENABLE_VULKAN
#include "runtime/device/vulkan/VulkanDevice.h"
#include "runtime/device/vulkan/VulkanInstance.h"
#endif

#include <cstdlib>
#include <cstring>
#include <iostream>

using namespace quern;
using namespace quern::test;

static OpenedDevice openNull(NullDeviceOptions options) {
  auto device = std::make_unique<NullDevice>(std::move(options));
  setTestKernelFunctions(*device);
  OpenedDevice opened;
  opened.device = std::move(device);
  return opened;
}

static OpenedDevice openPlainNull() { return openNull({}); }

static OpenedDevice openReversingNull() {
  NullDeviceOptions options;
  options.reverseBetweenBarriers = true;
  return openNull(options);
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceConformance,
                         testing::Values(DeviceCase{"null", openPlainNull},
                                         DeviceCase{"nullReversing",
                                                    openReversingNull}),
                         [](const auto &info) { return info.param.name; });

#ifdef __x86_64__
template <unsigned Threads> static OpenedDevice openCPU() {
  OpenedDevice opened;
  opened.device = std::make_unique<cpu::CPUDevice>(cpu::CPUOptions{Threads});
  return opened;
}

INSTANTIATE_TEST_SUITE_P(CPU, DeviceConformance,
                         testing::Values(DeviceCase{"oneThread", openCPU<1>},
                                         DeviceCase{"twoThreads", openCPU<2>},
                                         DeviceCase{"fiveThreads", openCPU<5>}),
                         [](const auto &info) { return info.param.name; });
#endif

#ifdef QUERN_ENABLE_CUDA
/// On the test driver, which finds races and missing dependencies; what is left
/// when the context goes is a leak.
static OpenedDevice openCuda(const char *option, const char *value) {
  const char *real = std::getenv("QUERN_TEST_REAL_GPU"); // gpu-check.sh
  if (!real || std::strcmp(real, "1") != 0)
    ::setenv("QUERN_CUDA_LIBRARY", QUERN_TEST_CUDA_LIBRARY, 1);
  quernTestCudaReset();
  EXPECT_TRUE(quernTestCudaSetOption(option, value));
  OpenedDevice opened;
  Result<std::unique_ptr<Device>> device = cuda::openDevice({});
  EXPECT_TRUE(device.isOk()) << device.getStatus().getMessage();
  if (device.isOk())
    opened.device = std::move(*device);
  opened.checkAfter = [] {
    QuernTestCudaCounters counters;
    quernTestCudaGetCounters(&counters);
    quernTestCudaReset();
    return counters.leakedObjects == 0
               ? Status::ok()
               : internalError(std::to_string(counters.leakedObjects) +
                               " objects of the driver were left");
  };
  return opened;
}

static OpenedDevice openCuda80() { return openCuda("ARCH", "80"); }
static OpenedDevice openCuda90() { return openCuda("ARCH", "90"); }
static OpenedDevice openCudaShuffled() { return openCuda("SHUFFLE", "5"); }

INSTANTIATE_TEST_SUITE_P(Cuda, DeviceConformance,
                         testing::Values(DeviceCase{"sm80", openCuda80},
                                         DeviceCase{"sm90", openCuda90},
                                         DeviceCase{"shuffled",
                                                    openCudaShuffled}),
                         [](const auto &info) { return info.param.name; });
#endif

#ifdef QUERN_ENABLE_VULKAN
static OpenedDevice openVulkan() {
  vulkan::VulkanOptions options;
  options.validation = true;
  options.diagnostics = std::make_shared<vulkan::VulkanDiagnostics>();
  Result<std::unique_ptr<Device>> device = vulkan::openDevice(options);
  if (device.getStatus().getCode() == StatusCode::Unsupported) {
    std::cout << "note: " << device.getStatus().getMessage()
              << ", testing without validation\n";
    options.validation = false;
    device = vulkan::openDevice(options);
  }
  OpenedDevice opened;
  if (device.getStatus().getCode() == StatusCode::NotFound) {
    opened.skipReason = device.getStatus().getMessage();
    return opened;
  }
  EXPECT_TRUE(device.isOk()) << device.getStatus().getMessage();
  if (device.isOk())
    opened.device = std::move(*device);
  opened.checkAfter = [diagnostics = options.diagnostics] {
    return diagnostics->check();
  };
  return opened;
}

INSTANTIATE_TEST_SUITE_P(Vulkan, DeviceConformance,
                         testing::Values(DeviceCase{"vulkan", openVulkan}),
                         [](const auto &info) { return info.param.name; });
#endif
