//===- TargetSelection.cpp - Which target set runs on a device ------------===//

#include "runtime/engine/TargetSelection.h"

#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/base/FormatBytes.h"

#include <array>
#include <charconv>
#include <optional>
#include <string>

using namespace quern;

static constexpr std::string_view kNullApi = "null";

/// "1.3.230" as numbers; missing parts are 0.
static std::array<uint32_t, 3> parseVersion(std::string_view text) {
  std::array<uint32_t, 3> version = {};
  const char *cursor = text.data(), *end = text.data() + text.size();
  for (uint32_t &part : version) {
    auto [next, error] = std::from_chars(cursor, end, part);
    if (error != std::errc() || next == end || *next != '.')
      break;
    cursor = next + 1;
  }
  return version;
}

static std::string describeDevice(const DeviceInfo &device) {
  return "device " + quoteName(device.name) + " (" + device.api + " " +
         device.apiVersion + ")";
}

Status quern::checkTarget(const bundle::TargetPrograms &programs,
                          const DeviceInfo &device) {
  if (device.api == kNullApi)
    return Status::ok();
  const bundle::Target &target = *programs.target();
  std::string_view api = toView(target.api());
  if (api != device.api)
    return unsupported("it was compiled for " + quoteName(api));
  std::string_view version = toView(target.api_version());
  if (parseVersion(device.apiVersion) < parseVersion(version))
    return unsupported("it needs version " + escapeText(version) + " of " +
                       escapeText(api));
  if (const auto *features = target.required_features()) {
    std::string missing;
    unsigned count = 0;
    for (const flatbuffers::String *feature : *features)
      if (!device.hasFeature(toView(feature)))
        missing += (count++ ? ", " : "") + quoteName(toView(feature));
    if (count != 0)
      return unsupported("it needs the feature" +
                         std::string(count > 1 ? "s " : " ") + missing);
  }
  uint32_t subgroup = target.subgroup_size();
  const DeviceLimits &limits = device.limits;
  if (subgroup &&
      (subgroup < limits.minSubgroupSize || subgroup > limits.maxSubgroupSize))
    return unsupported("it needs a subgroup size of " +
                       std::to_string(subgroup) + ", the device has " +
                       std::to_string(limits.minSubgroupSize) + " to " +
                       std::to_string(limits.maxSubgroupSize));
  return Status::ok();
}

Result<uint32_t> quern::selectTarget(const bundle::Manifest &manifest,
                                     const DeviceInfo &device,
                                     std::string_view name) {
  const auto *targets = manifest.targets();
  std::string reasons, names;
  for (uint32_t i = 0; targets && i != targets->size(); ++i) {
    const bundle::TargetPrograms &programs = *targets->Get(i);
    std::string_view targetName = toView(programs.target()->name());
    names += (names.empty() ? "" : ", ") + quoteName(targetName);
    if (!name.empty() && name != targetName)
      continue;
    Status status = checkTarget(programs, device);
    if (status.isOk())
      return i;
    reasons += "; target " + quoteName(targetName) + ": " + status.getMessage();
  }
  if (!name.empty() && reasons.empty())
    return notFound("the bundle has no target " + quoteName(name) +
                    ", only: " + (names.empty() ? "none" : names));
  return unsupported("no program set of the bundle runs on " +
                     describeDevice(device) + reasons +
                     "; compile the model for this device: `quern compile "
                     "--target` takes the name that `quern probe` prints");
}

std::optional<uint32_t>
quern::selectArchitecture(const bundle::TargetPrograms &programs,
                          const DeviceInfo &device) {
  const auto *architectures = programs.architectures();
  for (uint32_t i = 0; architectures && i != architectures->size(); ++i) {
    const auto *features = architectures->Get(i)->required_features();
    // A binary that needs nothing would run anywhere: there is no such code.
    bool fits = features && features->size() != 0;
    for (uint32_t f = 0; fits && f != features->size(); ++f)
      fits = device.hasFeature(toView(features->Get(f)));
    if (fits)
      return i;
  }
  return std::nullopt;
}

MemoryNeed quern::computeMemoryNeed(const bundle::Manifest &manifest,
                                    const bundle::TargetPrograms &target,
                                    uint64_t copiedWeightBytes) {
  MemoryNeed need;
  if (const auto *states = manifest.states())
    for (const bundle::State *state : *states) {
      bool isCache = state->kind() == bundle::StateKind::KeyCache ||
                     state->kind() == bundle::StateKind::ValueCache;
      (isCache ? need.keyValueCache : need.otherStates) += state->size();
    }
  need.temporaries = target.arena_size() + target.step_size();
  need.copiedWeights = copiedWeightBytes;
  return need;
}

Status quern::checkMemory(const MemoryNeed &need,
                          const bundle::Manifest &manifest,
                          const DeviceInfo &device) {
  const bundle::Model &model = *manifest.model();
  const DeviceLimits &limits = device.limits;
  // The verifier has seen that the states' sizes add up; the others are less
  // than 2^48 (arena), 2^32 (step block) and the size of the file.
  std::optional<uint64_t> total =
      checkedAdd(need.keyValueCache + need.otherStates,
                 need.temporaries + need.copiedWeights);
  std::string geometry = std::to_string(model.num_slots()) + " slots, " +
                         std::to_string(model.num_pages()) + " pages of " +
                         std::to_string(model.page_size()) +
                         " tokens, context " +
                         std::to_string(model.context_length());
  if (!total || *total > limits.memoryBytes)
    return resourceExhausted(
        "the model needs " + formatBytes(total.value_or(UINT64_MAX)) +
        ": key-value cache " + formatBytes(need.keyValueCache) + " (" +
        geometry + "), other states " + formatBytes(need.otherStates) +
        ", temporaries " + formatBytes(need.temporaries) + ", copied weights " +
        formatBytes(need.copiedWeights) + "; the device has " +
        formatBytes(limits.memoryBytes) + "; compile with a smaller --context");
  if (const auto *states = manifest.states())
    for (const bundle::State *state : *states)
      if (state->size() > limits.maxAllocationBytes)
        return resourceExhausted("state " + quoteName(toView(state->name())) +
                                 " needs one buffer of " +
                                 formatBytes(state->size()) + " (" + geometry +
                                 "); the device allows " +
                                 formatBytes(limits.maxAllocationBytes) +
                                 "; compile with a smaller --context");
  return Status::ok();
}
