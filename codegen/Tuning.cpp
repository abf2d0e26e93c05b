//===- Tuning.cpp - Schedules measured for single kernels -----------------===//
#include "codegen/Tuning.h"

#include "codegen/Targets/ExtendTarget.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Json.h"

#include <algorithm>
#include <cstdio>

using namespace quern;

static std::string describeArgument(const KernelArgument &argument) {
  static constexpr const char *effects[] = {"read ", "write ", "update "};
  std::string text = effects[static_cast<size_t>(argument.effect)];
  text += argument.int8Rows ? "int8 rows"
          : argument.encoding == Encoding::None
              ? dataTypeName(argument.type)
              : getEncodingInfo(argument.encoding).name;
  for (const int64_t &size : argument.shape)
    text +=
        (&size == &argument.shape.front() ? "[" : ",") + std::to_string(size);
  return text + "]";
}

static std::string describeValue(const ConfigValue &value) {
  if (const bool *flag = std::get_if<bool>(&value))
    return *flag ? "true" : "false";
  if (const int64_t *integer = std::get_if<int64_t>(&value))
    return std::to_string(*integer);
  if (const std::string *text = std::get_if<std::string>(&value))
    return *text;
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.17g", std::get<double>(value));
  return buffer;
}

std::string quern::describeRequest(const KernelRequest &request) {
  std::string text = request.family + "(";
  for (const KernelArgument &argument : request.arguments)
    text += (&argument == &request.arguments.front() ? "" : ", ") +
            describeArgument(argument);
  text += ")";
  const char *separator = " {";
  for (const auto &[name, value] : request.config) {
    text += separator + name + "=" + describeValue(value);
    separator = ", ";
  }
  return request.config.empty() ? text : text + "}";
}

bool quern::isSchedule(std::string_view member) {
  static constexpr std::string_view members[] = {
      "attention",      "delta_rule",
      "gemm",           "gemv",
      "integer_panels", "panels",
      "row_subgroups",  "subgroups_per_workgroup"};
  return std::ranges::count(members, member) != 0;
}

Result<TargetDescription> quern::changeSchedule(const TargetDescription &target,
                                                std::string_view members) {
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(members));
  JsonWriter writer;
  writer.beginObject().key("extends").value(target.name);
  for (JsonValue member : document.root().members()) {
    if (!isSchedule(member.key()))
      return invalidArgument(quoteName(member.key()) +
                             " can't differ between kernels of a bundle");
    writer.key(member.key()).value(member);
  }
  writer.endObject();
  QUERN_ASSIGN_OR_RETURN(std::string text,
                         extendTarget(writer.getText(), [&](std::string_view) {
                           return std::optional<std::string_view>(target.text);
                         }));
  QUERN_ASSIGN_OR_RETURN(TargetDescription changed,
                         parseTarget(text, target.name));
  // What was chosen on the command line.
  changed.variants = target.variants;
  return changed;
}

Result<Tuning> Tuning::parse(std::string_view json, std::string_view where,
                             const TargetDescription &target) {
  auto parse = [&]() -> Result<Tuning> {
    QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(json));
    JsonValue root = document.root();
    QUERN_RETURN_IF_ERROR(root.expectKind(JsonKind::Object));
    for (JsonValue member : root.members())
      if (member.key() != "target" && member.key() != "device" &&
          member.key() != "kernels")
        return corrupt(member.path() + ": unknown member");
    QUERN_ASSIGN_OR_RETURN(JsonValue name, root.get("target"));
    QUERN_ASSIGN_OR_RETURN(std::string_view targetName, name.asString());
    if (targetName != target.name)
      return invalidArgument("it is for target " + quoteName(targetName) +
                             ", not " + quoteName(target.name));
    QUERN_ASSIGN_OR_RETURN(JsonValue kernels, root.get("kernels"));
    QUERN_RETURN_IF_ERROR(kernels.expectKind(JsonKind::Object));
    Tuning tuning;
    for (JsonValue kernel : kernels.members()) {
      QUERN_RETURN_IF_ERROR(kernel.expectKind(JsonKind::Object));
      JsonWriter members;
      members.value(kernel);
      Result<TargetDescription> changed =
          changeSchedule(target, members.getText());
      if (!changed.isOk())
        return std::move(changed).takeStatus().withContext(kernel.path());
      tuning.kernels.emplace(kernel.key(), std::move(*changed));
    }
    return tuning;
  };
  Result<Tuning> tuning = parse();
  if (!tuning.isOk())
    return std::move(tuning).takeStatus().withContext(std::string(where));
  return tuning;
}

const TargetDescription *Tuning::find(const KernelRequest &request) const {
  if (kernels.empty())
    return nullptr;
  auto found = kernels.find(describeRequest(request));
  return found == kernels.end() ? nullptr : &found->second;
}
