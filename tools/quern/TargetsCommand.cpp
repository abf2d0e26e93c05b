//===- TargetsCommand.cpp - quern targets, quern probe --------------------===//

#include "runtime/base/Escape.h"
#include "runtime/base/Json.h"
#include "runtime/device/DeviceRegistry.h"
#include "tools/compile/TargetChoice.h"
#include "tools/quern/Commands.h"
#include "tools/quern/TextTable.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

using namespace quern;

/// "Variants of cpu-aarch64: dotprod". Those of CUDA are called like targets.
static std::string describeVariants(const TargetDescription &target) {
  std::string text;
  for (const CodeVariant &variant : target.variants)
    text += (text.empty() ? "Variants of " + target.name + ": " : ", ") +
            variant.name;
  return text.empty() ? text : text + "\n";
}

static Status printTargets() {
  std::string variants;
  tool::TextTable table({{"name"}, {"API"}, {"subgroup"}, {"summary"}});
  for (std::string_view name : listTargets()) {
    QUERN_ASSIGN_OR_RETURN(TargetDescription target,
                           findTarget(std::string(name)));
    table.addRow({target.name, target.api + " " + target.apiVersion,
                  std::to_string(target.subgroupSize), target.summary});
    if (target.api == "cpu")
      variants += describeVariants(target);
  }
  std::fputs((table.print() + variants).c_str(), stdout);
  std::puts("Any other device: describe it in a JSON file (see `quern probe`) "
            "and name the file with --target.");
  return Status::ok();
}

void tool::addTargetsCommand(CLI::App &app, Command &selected) {
  CLI::App *command =
      app.add_subcommand("targets", "Lists what can be compiled for");
  command->callback([&selected] { selected = printTargets; });
}

/// The built-in description that fits the device, with the device's own name
/// and limits, as a file for --target.
static Status printDescription(const DeviceInfo &device) {
  QUERN_ASSIGN_OR_RETURN(TargetDescription target, findTargetForDevice(device));
  auto document = parseJson(target.text);
  if (!document.isOk())
    return std::move(document).takeStatus();
  const DeviceLimits &limits = device.limits;
  JsonWriter writer(2);
  writer.beginObject();
  for (JsonValue member : document->root().members()) {
    std::string_view key = member.key();
    writer.key(key);
    if (key == "name")
      writer.value("probed");
    else if (key == "summary")
      writer.value(device.name + ", based on " + target.name);
    else if (key == "subgroup_size" && limits.subgroupSize)
      writer.value(limits.subgroupSize);
    else if (key == "max_workgroup_size")
      writer.value(limits.maxWorkgroupSize);
    else if (key == "max_workgroup_memory")
      writer.value(limits.maxWorkgroupMemory);
    else if (key == "max_storage_buffer_bytes")
      writer.value(limits.maxStorageBufferBytes);
    else if (key == "max_texel_elements")
      writer.value(limits.maxTexelElements);
    else
      writer.value(member);
  }
  writer.endObject();
  std::puts(writer.getText().c_str());
  return Status::ok();
}

static Status probe(const std::string &device) {
  DeviceListing listing = listDevices();
  if (listing.devices.empty()) {
    std::string reasons;
    for (const std::string &note : listing.notes)
      reasons += "\n  " + note;
    return notFound("no device" + reasons);
  }
  for (size_t i = 0; i < listing.devices.size(); ++i) {
    const DeviceInfo &info = listing.devices[i];
    auto target = findTargetForDevice(info);
    std::fprintf(stderr, "%zu: %s (%s %s, %s) fits target %s\n", i,
                 escapeText(info.name).c_str(), info.api.c_str(),
                 info.apiVersion.c_str(), escapeText(info.driver).c_str(),
                 target.isOk() ? target->name.c_str() : "none");
  }
  DeviceOptions options;
  options.device = device;
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Device> chosen, openDevice(options));
  return printDescription(chosen->getInfo());
}

void tool::addProbeCommand(CLI::App &app, Command &selected) {
  auto device = std::make_shared<std::string>();
  CLI::App *command = app.add_subcommand(
      "probe", "Lists the devices of this machine and prints a target "
               "description of one");
  command->add_option("--device", *device,
                      "Index or part of the name (default: the best)");
  command->callback(
      [=, &selected] { selected = [=] { return probe(*device); }; });
}
