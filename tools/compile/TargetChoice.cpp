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

static bool hasFeatures(const DeviceInfo &device,
                        const TargetDescription &target) {
  return std::ranges::all_of(
      target.requiredFeatures,
      [&](const std::string &name) { return device.hasFeature(name); });
}

Result<TargetDescription> findTargetForDevice(const DeviceInfo &device) {
  std::string text = toLower(device.name + " " + device.driver);
  std::optional<TargetDescription> best;
  for (std::string_view name : listTargets()) {
    QUERN_ASSIGN_OR_RETURN(TargetDescription target,
                           findTarget(std::string(name)));
    bool isNamed =
        std::ranges::any_of(target.devices, [&](const std::string &pattern) {
          return text.find(pattern) != std::string::npos;
        });
    if (target.api != device.api || !isNamed)
      continue;
    // Of targets for one CPU the one that uses the most of it, where its
    // instructions are there.
    auto rank = [](const TargetDescription &target) {
      return std::pair(target.subgroupSize, target.tileTokens != 0);
    };
    if (!best || (hasFeatures(device, target) && rank(target) > rank(*best)))
      best = std::move(target);
  }
  return best ? std::move(*best) : findTarget(device.api);
}

/// The first device that is hardware; software only where there is no other.
static const DeviceInfo *
findBestDevice(const std::vector<DeviceInfo> &devices) {
  auto isHardware = [](const DeviceInfo &device) { return !device.isSoftware; };
  auto found = std::ranges::find_if(devices, isHardware);
  if (found == devices.end())
    found = devices.begin();
  return found == devices.end() ? nullptr : &*found;
}

/// Of a CPU's variants the best that the device runs, which loading would take.
static void keepOwnVariant(TargetDescription &target,
                           const DeviceInfo &device) {
  auto fits = [&](const CodeVariant &variant) {
    return hasFeatures(device, target.withVariant(variant));
  };
  auto own = std::ranges::find_if(target.variants, fits);
  std::vector<CodeVariant> kept(own,
                                own == target.variants.end() ? own : own + 1);
  target.variants = std::move(kept);
}

static Result<TargetDescription> findOwnTarget(const DeviceInfo &device) {
  QUERN_ASSIGN_OR_RETURN(TargetDescription target, findTargetForDevice(device));
  if (target.api == "cpu")
    keepOwnVariant(target, device);
  return target;
}

Result<TargetDescription> chooseTarget(const std::string &spec) {
  if (spec == "native") {
    DeviceListing listing = listDevices();
    const DeviceInfo *best = findBestDevice(listing.devices);
    return best ? findOwnTarget(*best) : findTarget("vulkan");
  }
  QUERN_ASSIGN_OR_RETURN(TargetDescription target, findTarget(spec));
  // A name of an API, not of a target or a file.
  if (target.api == spec)
    for (const DeviceInfo &device : listDevices().devices)
      if (device.api == spec)
        return findOwnTarget(device);
  if (target.api == "cpu" && spec.find(':') == std::string::npos)
    target.variants.clear();
  return target;
}

} // namespace quern
