//===- Devices.cpp - The devices that the conformance suite tests ---------===//

#include "Conformance.h"
#include "TestKernels.h"

#include "runtime/device/cpu/CPUDevice.h"

#ifdef QUERN_ENABLE_VULKAN
#include "runtime/device/vulkan/VulkanDevice.h"
#include "runtime/device/vulkan/VulkanInstance.h"
#endif

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
