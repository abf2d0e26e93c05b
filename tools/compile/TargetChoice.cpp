//===- TargetChoice.cpp - Which target a compilation is for ---------------===//
#include "tools/compile/TargetChoice.h"

#include "runtime/device/DeviceRegistry.h"

#include <algorithm>
#include <cctype>

namespace quern {

static std::string toLower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

Result<TargetDescription> findTargetForDevice(const DeviceInfo &device) {
  std::string text = toLower(device.name + " " + device.driver);
  for (std::string_view name : listTargets()) {
    QUERN_ASSIGN_OR_RETURN(TargetDescription target,
                           findTarget(std::string(name)));
    if (target.api != device.api)
      continue;
    for (const std::string &pattern : target.devices)
      if (text.find(pattern) != std::string::npos)
        return target;
  }
  return findTarget(device.api);
}

Result<TargetDescription> chooseTarget(const std::string &spec) {
  if (spec != "native")
    return findTarget(spec);
  DeviceListing listing = listDevices();
  if (listing.devices.empty())
    return findTarget("vulkan");
  return findTargetForDevice(listing.devices.front());
}

} // namespace quern
