//===- OpenDevice.cpp - A device for a bundle -----------------------------===//

#include "runtime/engine/OpenDevice.h"

#include "runtime/engine/TargetSelection.h"

using namespace quern;

Result<std::unique_ptr<Device>>
quern::openDeviceFor(const Bundle &bundle, const DeviceOptions &options,
                     std::string_view target) {
  if (!options.api.empty())
    return openDevice(options);
  const auto *targets = bundle.getManifest().targets();
  std::unique_ptr<Device> unfit;
  for (uint32_t i = 0; targets && i != targets->size(); ++i) {
    const bundle::TargetPrograms &programs = *targets->Get(i);
    if (!target.empty() && target != toView(programs.target()->name()))
      continue;
    DeviceOptions chosen = options;
    chosen.api = toView(programs.target()->api());
    Result<std::unique_ptr<Device>> device = openDevice(chosen);
    if (device.isOk() && checkTarget(programs, (*device)->getInfo()).isOk())
      return device;
    // It is always there: what was asked for can't be had.
    if (!device.isOk() && chosen.api == "cpu")
      return device;
    if (device.isOk() && !unfit)
      unfit = std::move(*device);
  }
  if (unfit)
    return unfit;
  return openDevice(options);
}
