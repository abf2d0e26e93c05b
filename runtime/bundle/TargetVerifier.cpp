//===- TargetVerifier.cpp - Checks on targets and kernels -----------------===//

#include "runtime/base/CheckedMath.h"
#include "runtime/bundle/ManifestCheck.h"

#include <bit>
#include <optional>

using namespace quern;
using namespace quern::manifestcheck;

TargetChecker::TargetChecker(Checker &checker,
                             const bundle::TargetPrograms &target,
                             std::string place)
    : checker(checker), target(target), place(std::move(place)) {}

Status Checker::checkTargets() {
  uint64_t kernelSections = 0;
  for (const SectionEntry &entry : sections.entries)
    kernelSections += entry.kind == SectionKind::Kernels;
  if (sizeOf(manifest.targets()) != kernelSections)
    return broken("targets", std::to_string(sizeOf(manifest.targets())) +
                                 " targets, but the bundle has " +
                                 std::to_string(kernelSections) +
                                 " kernels sections");
  std::set<std::string_view> names;
  std::set<uint32_t> used;
  for (uint32_t i = 0; i < kernelSections; ++i) {
    const bundle::TargetPrograms &target = *manifest.targets()->Get(i);
    std::string place = "targets[" + std::to_string(i) + "]";
    QUERN_RETURN_IF_ERROR(
        checkUniqueName(place + ".target", target.target()->name(), names));
    uint32_t section = target.kernels_section();
    if (section >= sections.entries.size() ||
        sections.entries[section].kind != SectionKind::Kernels ||
        !used.insert(section).second)
      return broken(place, "kernels_section is " + std::to_string(section) +
                               ", expected a kernels section of its own among "
                               "the " +
                               std::to_string(sections.entries.size()) +
                               " sections");
    TargetChecker checker(*this, target, place);
    QUERN_RETURN_IF_ERROR(checker.checkDescription());
    QUERN_RETURN_IF_ERROR(checker.checkArchitectures());
    QUERN_RETURN_IF_ERROR(checker.checkKernels());
    QUERN_RETURN_IF_ERROR(checker.checkProgramSet());
    QUERN_RETURN_IF_ERROR(checker.checkStepBuffers());
    QUERN_RETURN_IF_ERROR(checker.checkPrograms());
    QUERN_RETURN_IF_ERROR(checker.checkArenaBuffers());
  }
  return Status::ok();
}

/// 0 (any) or a power of two.
static Status checkSubgroupSize(const std::string &place, uint32_t size) {
  if (size == 0 || (std::has_single_bit(size) && size <= 128))
    return Status::ok();
  return broken(place, "subgroup_size is " + std::to_string(size) +
                           ", expected 0 or a power of two up to 128");
}

Status TargetChecker::checkDescription() {
  const bundle::Target &description = *target.target();
  std::string at = place + ".target";
  QUERN_RETURN_IF_ERROR(
      checker.checkText(at + ".api", description.api(), Presence::Required));
  QUERN_RETURN_IF_ERROR(checker.checkText(
      at + ".api_version", description.api_version(), Presence::Optional));
  QUERN_RETURN_IF_ERROR(checker.checkText(at + ".description",
                                          description.description(),
                                          Presence::Optional, kMaxTextBytes));
  QUERN_RETURN_IF_ERROR(checker.checkTexts(
      at + ".required_features", description.required_features(), 256));
  QUERN_RETURN_IF_ERROR(checkSubgroupSize(at, description.subgroup_size()));
  // Sizes that no machine has: so that sums of offsets cannot wrap.
  QUERN_RETURN_IF_ERROR(checkBetween(place, "arena_size", target.arena_size(),
                                     0, uint64_t(1) << 48));
  return checkBetween(place, "step_size", target.step_size(), 1,
                      uint64_t(1) << 32);
}

/// Three numbers of at least 1 whose product is at most `maximum`.
static Status checkTriple(const std::string &at, std::string_view name,
                          const flatbuffers::Vector<uint32_t> *values,
                          uint64_t maximum) {
  if (sizeOf(values) != 3)
    return broken(at, std::string(name) + " has " +
                          std::to_string(sizeOf(values)) +
                          " dimensions, expected 3");
  std::optional<uint64_t> product = 1;
  for (uint32_t value : *values) {
    QUERN_RETURN_IF_ERROR(checkBetween(at, name, value, 1, UINT32_MAX));
    if (product)
      product = checkedMul<uint64_t>(*product, value);
  }
  if (!product || *product > maximum)
    return broken(at,
                  std::string(name) + " [" + std::to_string(values->Get(0)) +
                      ", " + std::to_string(values->Get(1)) + ", " +
                      std::to_string(values->Get(2)) +
                      "] multiplies to more than " + std::to_string(maximum));
  return Status::ok();
}

Status TargetChecker::checkKernels() {
  std::set<std::string_view> names;
  QUERN_RETURN_IF_ERROR(checkBetween(place + ".kernels", "length",
                                     sizeOf(target.kernels()), 1, 1u << 16));
  for (uint32_t i = 0; i < target.kernels()->size(); ++i) {
    const bundle::Kernel &kernel = *target.kernels()->Get(i);
    std::string at = element(place, "kernels", i);
    QUERN_RETURN_IF_ERROR(checker.checkUniqueName(at, kernel.name(), names));
    QUERN_RETURN_IF_ERROR(checkKernel(at, kernel));
  }
  return Status::ok();
}

/// The code is what the API takes. Devices of other APIs check theirs.
static Status checkCode(const std::string &at, const bundle::Target &target,
                        const bundle::Kernel &kernel,
                        std::span<const std::byte> code) {
  if (toView(target.api()) != "vulkan")
    return Status::ok();
  const auto &size = *kernel.workgroup_size();
  return verifySpirv(code, toView(kernel.entry_point()),
                     {size.Get(0), size.Get(1), size.Get(2)})
      .withContext(at);
}

Status TargetChecker::checkKernel(const std::string &at,
                                  const bundle::Kernel &kernel) {
  QUERN_RETURN_IF_ERROR(checker.checkText(
      at + ".entry_point", kernel.entry_point(), Presence::Required));
  QUERN_RETURN_IF_ERROR(checker.checkText(at + ".request", kernel.request(),
                                          Presence::Optional, kMaxTextBytes));
  QUERN_RETURN_IF_ERROR(
      checkTriple(at, "workgroup_size", kernel.workgroup_size(), 1u << 16));
  QUERN_RETURN_IF_ERROR(
      checkTriple(at, "grid", kernel.grid(), uint64_t(1) << 48));
  QUERN_RETURN_IF_ERROR(checkEnum(at, "grid_count", kernel.grid_count()));
  QUERN_RETURN_IF_ERROR(
      checkBetween(at, "grid_axis", kernel.grid_axis(), 0, 2));
  QUERN_RETURN_IF_ERROR(
      checkBetween(at, "grid_tile", kernel.grid_tile(), 1, UINT32_MAX));
  QUERN_RETURN_IF_ERROR(
      checkBetween(at, "grid_scale", kernel.grid_scale(), 1, UINT32_MAX));
  QUERN_RETURN_IF_ERROR(checkSubgroupSize(at, kernel.subgroup_size()));
  QUERN_RETURN_IF_ERROR(checkBetween(at, "workgroup_memory",
                                     kernel.workgroup_memory(), 0, 16u << 20));
  QUERN_RETURN_IF_ERROR(checkBetween(
      at + ".accesses", "length", sizeOf(kernel.accesses()), 1, kMaxBindings));
  for (uint32_t i = 0; i < kernel.accesses()->size(); ++i)
    QUERN_RETURN_IF_ERROR(checkEnum(element(at, "accesses", i), "access",
                                    kernel.accesses()->Get(i)));

  const std::vector<std::byte> &section =
      checker.sections.contents[target.kernels_section()];
  QUERN_RETURN_IF_ERROR(checkRange(at, kernel.code_offset(), kernel.code_size(),
                                   section.size(), "kernels section"));
  if (kernel.code_offset() % 4 != 0)
    return broken(at, "code_offset is " + std::to_string(kernel.code_offset()) +
                          ", expected a multiple of 4");
  QUERN_RETURN_IF_ERROR(checkBinaries(at, kernel, section.size()));
  return checkCode(
      at, *target.target(), kernel,
      std::span(section).subspan(kernel.code_offset(), kernel.code_size()));
}

/// Each kernel has one binary for each architecture, in their order. Devices
/// look into the code.
Status TargetChecker::checkBinaries(const std::string &at,
                                    const bundle::Kernel &kernel,
                                    uint64_t sectionSize) {
  uint32_t count = sizeOf(kernel.binaries());
  if (count != sizeOf(target.architectures()))
    return broken(at, "has " + std::to_string(count) + " binaries, expected " +
                          std::to_string(sizeOf(target.architectures())) +
                          ", one for each architecture");
  for (uint32_t i = 0; i < count; ++i) {
    const bundle::Binary &binary = *kernel.binaries()->Get(i);
    std::string place = element(at, "binaries", i);
    QUERN_RETURN_IF_ERROR(
        checkBetween(place, "architecture", binary.architecture(), i, i));
    QUERN_RETURN_IF_ERROR(checkRange(place, binary.code_offset(),
                                     binary.code_size(), sectionSize,
                                     "kernels section"));
    if (binary.code_offset() % 16 != 0)
      return broken(place, "code_offset is " +
                               std::to_string(binary.code_offset()) +
                               ", expected a multiple of 16");
  }
  return Status::ok();
}

Status TargetChecker::checkArchitectures() {
  std::set<std::string_view> names;
  QUERN_RETURN_IF_ERROR(checkBetween(place + ".architectures", "length",
                                     sizeOf(target.architectures()), 0, 64));
  for (uint32_t i = 0; i < sizeOf(target.architectures()); ++i) {
    const bundle::Architecture &entry = *target.architectures()->Get(i);
    std::string at = element(place, "architectures", i);
    QUERN_RETURN_IF_ERROR(checker.checkUniqueName(at, entry.name(), names));
    QUERN_RETURN_IF_ERROR(checker.checkTexts(at + ".required_features",
                                             entry.required_features(), 256));
    QUERN_RETURN_IF_ERROR(checker.checkText(at + ".description",
                                            entry.description(),
                                            Presence::Optional, kMaxTextBytes));
  }
  return Status::ok();
}
