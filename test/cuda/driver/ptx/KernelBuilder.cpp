//===- KernelBuilder.cpp - Names and places of a kernel -------------------===//

#include "test/cuda/driver/ptx/KernelBuilder.h"

using namespace quern::ptx;

void KernelBuilder::define(std::string_view name, Symbol symbol,
                           unsigned line) {
  if (!scopes.back().emplace(name, symbol).second)
    throw ParseError(line, "'" + std::string(name) + "' is declared twice");
}

const Symbol *KernelBuilder::find(std::string_view name) const {
  for (size_t i = scopes.size(); i-- != 0;)
    if (auto found = scopes[i].find(name); found != scopes[i].end())
      return &found->second;
  auto found = globals.find(name);
  return found == globals.end() ? nullptr : &found->second;
}

Operand KernelBuilder::addPlace(unsigned size, unsigned line) {
  // Each place starts at a multiple of 64 bytes, for vector loads of the host.
  Operand place;
  place.offset = kernel.fileBytes;
  place.size = static_cast<uint8_t>(size);
  if (kernel.numRegisters == UINT16_MAX)
    throw ParseError(line, "too many registers in one kernel");
  place.index = static_cast<uint16_t>(kernel.numRegisters++);
  kernel.fileBytes += size == 0 ? 64 : std::max(size * 32, 64U);
  return place;
}

Operand KernelBuilder::addRegister(unsigned size, unsigned line) {
  return addPlace(size, line);
}

Operand KernelBuilder::getConstant(unsigned size, uint64_t bits,
                                   unsigned line) {
  if (size < 8)
    bits &= (uint64_t(1) << size * 8) - 1;
  auto [found, isNew] = constants.try_emplace({size, bits});
  if (isNew) {
    found->second = addPlace(size, line);
    kernel.constants.push_back({found->second, bits});
  }
  return found->second;
}

Operand KernelBuilder::getDynamicShared(unsigned size, uint64_t offset,
                                        unsigned line) {
  Operand place = addPlace(size, line);
  dynamicConstants.push_back(kernel.constants.size());
  kernel.constants.push_back({place, offset});
  kernel.usesDynamicShared = true;
  return place;
}

std::optional<Operand> KernelBuilder::findSpecial(std::string_view name,
                                                  unsigned line) {
  struct Row {
    std::string_view name;
    Special special;
  };
  static constexpr Row rows[] = {
      {"%tid.x", Special::TidX},
      {"%tid.y", Special::TidY},
      {"%tid.z", Special::TidZ},
      {"%ntid.x", Special::NtidX},
      {"%ntid.y", Special::NtidY},
      {"%ntid.z", Special::NtidZ},
      {"%ctaid.x", Special::CtaidX},
      {"%ctaid.y", Special::CtaidY},
      {"%ctaid.z", Special::CtaidZ},
      {"%nctaid.x", Special::NctaidX},
      {"%nctaid.y", Special::NctaidY},
      {"%nctaid.z", Special::NctaidZ},
      {"%laneid", Special::LaneId},
      {"%warpid", Special::WarpId},
      {"%nwarpid", Special::NumWarps},
      {"%lanemask_eq", Special::LaneMaskEq},
      {"%lanemask_lt", Special::LaneMaskLt},
      {"%lanemask_le", Special::LaneMaskLe},
      {"%lanemask_gt", Special::LaneMaskGt},
      {"%lanemask_ge", Special::LaneMaskGe},
      {"%dynamic_smem_size", Special::DynamicSharedSize}};
  for (const Row &row : rows) {
    if (row.name != name)
      continue;
    auto [found, isNew] = specials.try_emplace(row.special);
    if (isNew) {
      found->second = addPlace(4, line);
      kernel.specials.push_back({found->second, row.special});
    }
    return found->second;
  }
  return std::nullopt;
}

Operand KernelBuilder::getSink(unsigned size, unsigned line) {
  auto [found, isNew] = sinks.try_emplace(size);
  if (isNew)
    found->second = addPlace(size, line);
  return found->second;
}

void KernelBuilder::finish() {
  uint32_t base = (kernel.staticSharedBytes + 127) / 128 * 128;
  if (kernel.usesDynamicShared)
    kernel.staticSharedBytes = base;
  for (size_t index : dynamicConstants)
    kernel.constants[index].bits += base;
}
