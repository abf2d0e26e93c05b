//===- RegistryTest.cpp - Finding and opening devices ---------------------===//

#include "Conformance.h"

#include "runtime/device/DeviceRegistry.h"

#include <cstdlib>

using namespace quern;
using namespace quern::test;

TEST(DeviceRegistry, OpensTheNullDeviceByNameOnly) {
  Result<std::unique_ptr<Device>> device = openDevice({.api = "null"});
  ASSERT_TRUE(device.isOk()) << device.getStatus().getMessage();
  EXPECT_EQ((*device)->getInfo().api, "null");
  for (const DeviceInfo &info : listDevices().devices)
    EXPECT_NE(info.api, "null");
  Result<std::unique_ptr<Device>> best = openDevice({});
  if (best.isOk())
    EXPECT_NE((*best)->getInfo().api, "null");
  else
    EXPECT_CODE(best.getStatus(), StatusCode::NotFound);
}

TEST(DeviceRegistry, RefusesUnknownApis) {
  Status status = openDevice({.api = "abacus"}).getStatus();
  EXPECT_CODE(status, StatusCode::Unsupported);
  EXPECT_NE(status.getMessage().find("'abacus'"), std::string::npos);
  EXPECT_NE(status.getMessage().find("null"), std::string::npos);
}

TEST(DeviceRegistry, ExplainsApisWithoutDevices) {
  DeviceListing listing = listDevices();
  EXPECT_TRUE(!listing.devices.empty() || !listing.notes.empty());
}

TEST(DeviceRegistry, SelectsByIndexAndName) {
  DeviceListing listing = listDevices();
  if (listing.devices.empty())
    GTEST_SKIP() << "no devices: "
                 << (listing.notes.empty() ? "" : listing.notes[0]);
  const DeviceInfo &first = listing.devices[0];
  std::string part = first.name.substr(1, 4);
  for (char &c : part)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const std::string &wanted : {std::string(), std::string("0"), part}) {
    Result<std::unique_ptr<Device>> device =
        openDevice({.api = first.api, .device = wanted});
    ASSERT_TRUE(device.isOk()) << device.getStatus().getMessage();
    EXPECT_EQ((*device)->getInfo().name, first.name);
    EXPECT_EQ((*device)->getInfo().features, first.features);
  }
  for (const char *wanted : {"99", "no such device", "-1", "0x"}) {
    Status status =
        openDevice({.api = first.api, .device = wanted}).getStatus();
    EXPECT_CODE(status, StatusCode::NotFound);
    EXPECT_NE(status.getMessage().find(first.name), std::string::npos);
  }
}

#ifdef QUERN_ENABLE_VULKAN
TEST(DeviceRegistry, ReadsTheEnvironment) {
  if (!openDevice({.api = "vulkan"}).isOk())
    GTEST_SKIP() << "no Vulkan device";
  ::setenv("QUERN_VULKAN_DEVICE", "no such device", 1);
  EXPECT_CODE(openDevice({.api = "vulkan"}).getStatus(), StatusCode::NotFound);
  EXPECT_TRUE(openDevice({.api = "vulkan", .device = "0"}).isOk());
  ::unsetenv("QUERN_VULKAN_DEVICE");
}
#endif
