//===- CubinHeader.cpp - What a cubin says of its kernel ------------------===//

#include "runtime/device/cuda/CubinHeader.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <elf.h>
#include <optional>
#include <string>

using namespace quern;
using namespace quern::cuda;

using Bytes = std::span<const std::byte>;

static constexpr uint16_t machineCuda = 190; // EM_CUDA

bool cuda::isCubin(Bytes code) {
  return code.size() >= SELFMAG &&
         std::memcmp(code.data(), ELFMAG, SELFMAG) == 0;
}

/// A T at `offset`, if the bytes reach that far.
template <typename T>
static std::optional<T> readAt(Bytes bytes, uint64_t offset) {
  T value;
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
    return std::nullopt;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

static std::optional<Bytes> slice(Bytes bytes, uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || bytes.size() - offset < size)
    return std::nullopt;
  return bytes.subspan(offset, size);
}

/// The bytes of the section called `name`.
static std::optional<Bytes> findSection(Bytes code, const Elf64_Ehdr &header,
                                        const std::string &name) {
  auto getSection = [&](uint64_t index) {
    return readAt<Elf64_Shdr>(code,
                              header.e_shoff + index * sizeof(Elf64_Shdr));
  };
  std::optional<Elf64_Shdr> names = getSection(header.e_shstrndx);
  std::optional<Bytes> strings =
      names ? slice(code, names->sh_offset, names->sh_size) : std::nullopt;
  if (!strings || header.e_shoff > code.size())
    return std::nullopt;
  for (uint64_t i = 0; i != header.e_shnum; ++i) {
    std::optional<Elf64_Shdr> section = getSection(i);
    if (!section)
      return std::nullopt;
    // With its zero at the end, so that no longer name matches.
    std::optional<Bytes> found =
        slice(*strings, section->sh_name, name.size() + 1);
    if (found && std::memcmp(found->data(), name.c_str(), found->size()) == 0)
      return slice(code, section->sh_offset, section->sh_size);
  }
  return std::nullopt;
}

/// Walks the attributes of .nv.info: a format, a kind and a 16-bit value, which
/// for one of the formats is the size of what follows.
static std::optional<uint16_t> findAttribute(Bytes info, uint8_t kind) {
  constexpr uint8_t formatSized = 4, formatValue = 3;
  for (uint64_t at = 0;;) {
    auto head = readAt<std::array<uint8_t, 2>>(info, at);
    auto value = readAt<uint16_t>(info, at + 2);
    if (!head || !value)
      return std::nullopt;
    if ((*head)[0] == formatValue && (*head)[1] == kind)
      return value;
    at += 4 + ((*head)[0] == formatSized ? *value : 0);
  }
}

Result<size_t> cuda::readCubinParameterBytes(Bytes code,
                                             std::string_view entryPoint) {
  constexpr uint8_t constantBankParameterSize = 0x19;
  std::optional<Elf64_Ehdr> header = readAt<Elf64_Ehdr>(code, 0);
  if (!header || !isCubin(code) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != machineCuda ||
      header->e_shentsize != sizeof(Elf64_Shdr))
    return corrupt("the code is no ELF image for NVIDIA GPUs");
  std::string name(entryPoint);
  if (!findSection(code, *header, ".text." + name))
    return corrupt("the code has no entry point '" + name + "'");
  std::optional<Bytes> info = findSection(code, *header, ".nv.info." + name);
  std::optional<uint16_t> bytes =
      info ? findAttribute(*info, constantBankParameterSize) : std::nullopt;
  // An entry point without parameters does not say so.
  return bytes.value_or(0);
}
