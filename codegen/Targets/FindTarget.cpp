//===- FindTarget.cpp - Targets by name -----------------------------------===//
#include "codegen/Targets/FindTarget.h"

#include "codegen/Targets/ExtendTarget.h"
#include "codegen/Targets/TargetDescription.h"
#include "runtime/base/Escape.h"
#include "runtime/base/File.h"

#include <algorithm>
#include <iterator>
#include <optional>

using namespace quern;

namespace {

/// A target that is built in.
struct TargetFile {
  std::string_view name, text;
};

constexpr TargetFile targetFiles[] = {
#define QUERN_TARGET(name, text) {name, text},
#include "codegen/Targets/TargetFiles.inc"
#undef QUERN_TARGET
};

} // namespace

static const TargetFile *findFile(std::string_view name) {
  const auto *file = std::ranges::find(targetFiles, name, &TargetFile::name);
  return file == std::end(targetFiles) ? nullptr : file;
}

std::optional<std::string_view> quern::findTargetText(std::string_view name) {
  const TargetFile *file = findFile(name);
  return file ? std::optional(file->text) : std::nullopt;
}

/// What a bare API stands for.
static const TargetFile *findDefault(std::string_view api) {
  if (const TargetFile *file = findFile(std::string(api) + "-generic"))
    return file;
  if (api != "cpu" && api != "cuda")
    return nullptr;
  for (const TargetFile &file : targetFiles)
    if (file.name.starts_with(std::string(api) + "-") &&
        file.text.find("\"extends\"") == std::string_view::npos)
      return &file;
  return nullptr;
}

/// "sm_90a,sm_80" after "cuda:".
static Result<TargetDescription> findArchitectures(std::string_view list) {
  std::optional<TargetDescription> target;
  std::vector<CodeVariant> variants;
  while (true) {
    size_t comma = list.find(',');
    std::string name(list.substr(0, comma));
    QUERN_ASSIGN_OR_RETURN(TargetDescription own, findTarget("cuda-" + name));
    if (std::ranges::count(variants, name, &CodeVariant::name))
      return invalidArgument("target 'cuda:...' names " + name + " twice");
    std::ranges::copy_if(
        own.variants, std::back_inserter(variants),
        [&](const CodeVariant &variant) { return variant.name == name; });
    if (!target)
      target = std::move(own);
    if (comma == std::string_view::npos)
      break;
    list.remove_prefix(comma + 1);
  }
  target->variants = std::move(variants);
  return std::move(*target);
}

/// "avx512vnni,avx512" after "cpu:" or "cpu-x86-64-v3:".
static Result<TargetDescription> findVariants(std::string_view name,
                                              std::string_view list) {
  QUERN_ASSIGN_OR_RETURN(TargetDescription target, findTarget(name));
  if (target.api != "cpu")
    return invalidArgument("target " + quoteName(name) +
                           " has no variants to choose from");
  if (list == "all")
    return target;
  std::vector<std::string_view> names;
  while (list != "base") {
    size_t comma = list.find(',');
    names.push_back(list.substr(0, comma));
    if (std::ranges::count(names, names.back()) != 1)
      return invalidArgument("target " + quoteName(name) + " is asked for " +
                             quoteName(names.back()) + " twice");
    if (!std::ranges::count(target.variants, names.back(),
                            &CodeVariant::name)) {
      std::string known;
      for (const CodeVariant &variant : target.variants)
        known += variant.name + ", ";
      return notFound("target " + quoteName(name) + " has no variant " +
                      quoteName(names.back()) + ": expected some of " + known +
                      "or all, or base");
    }
    if (comma == std::string_view::npos)
      break;
    list.remove_prefix(comma + 1);
  }
  std::erase_if(target.variants, [&](const CodeVariant &variant) {
    return !std::ranges::count(names, variant.name);
  });
  return target;
}

Result<TargetDescription> quern::findTarget(std::string_view spec) {
  if (spec.ends_with(".json")) {
    std::string path(spec);
    QUERN_ASSIGN_OR_RETURN(std::string text,
                           readWholeFile(path, maxTargetBytes));
    return parseTarget(text, quoteName(spec));
  }
  constexpr std::string_view architectures = "cuda:";
  if (spec.starts_with(architectures))
    return findArchitectures(spec.substr(architectures.size()));
  if (size_t colon = spec.find(':'); colon != std::string_view::npos)
    return findVariants(spec.substr(0, colon), spec.substr(colon + 1));
  const TargetFile *file = findFile(spec);
  if (!file)
    file = findDefault(spec);
  if (file)
    return parseTarget(file->text, file->name);
  std::string names;
  for (const TargetFile &known : targetFiles)
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  return notFound("unknown target " + quoteName(spec) + ": expected one of " +
                  names + ", or the path of a .json file");
}

std::vector<std::string_view> quern::listTargets() {
  std::vector<std::string_view> names;
  for (const TargetFile &file : targetFiles)
    names.push_back(file.name);
  return names;
}
