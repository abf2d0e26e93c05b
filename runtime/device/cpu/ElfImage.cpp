//===- ElfImage.cpp - Code of a kernel in executable memory ---------------===//

#include "runtime/device/cpu/ElfImage.h"

#include "runtime/base/FormatBytes.h"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <string>
#include <sys/mman.h>

using namespace quern;
using namespace quern::cpu;

#if defined(__x86_64__)
static constexpr uint16_t hostMachine = EM_X86_64;
#elif defined(__aarch64__)
static constexpr uint16_t hostMachine = EM_AARCH64;
#else
static constexpr uint16_t hostMachine = EM_NONE;
#endif

static Status checkHeader(const Elf64_Ehdr &header) {
  const unsigned char *ident = header.e_ident;
  if (std::memcmp(ident, ELFMAG, SELFMAG) != 0 ||
      ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
    return corrupt("kernel code is no 64-bit ELF image");
  if (header.e_machine != hostMachine)
    return unsupported("kernel code is for ELF machine " +
                       std::to_string(header.e_machine) + ", this is " +
                       std::to_string(hostMachine));
  if (header.e_type != ET_DYN || header.e_phnum != 1 ||
      header.e_phentsize != sizeof(Elf64_Phdr) ||
      header.e_phoff != sizeof(Elf64_Ehdr))
    return corrupt("kernel code has another ELF layout than one segment behind "
                   "the header");
  return Status::ok();
}

static Status checkSegment(const Elf64_Ehdr &header, const Elf64_Phdr &segment,
                           uint64_t size) {
  if (segment.p_type != PT_LOAD || segment.p_flags != (PF_R | PF_X) ||
      segment.p_offset != 0 || segment.p_vaddr != 0 ||
      segment.p_filesz != segment.p_memsz)
    return corrupt("kernel code is no segment that is loaded as it lies and "
                   "only read and executed");
  if (segment.p_filesz > size)
    return corrupt("kernel code has a segment of " +
                   std::to_string(segment.p_filesz) + " bytes in " +
                   std::to_string(size));
  if (header.e_entry < sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) ||
      header.e_entry >= segment.p_filesz)
    return corrupt("kernel code begins at " + std::to_string(header.e_entry) +
                   ", outside of its segment of " +
                   std::to_string(segment.p_filesz) + " bytes");
  return Status::ok();
}

Result<ElfImage> ElfImage::load(std::span<const std::byte> bytes) {
  Elf64_Ehdr header;
  Elf64_Phdr segment;
  if (bytes.size() < sizeof(header) + sizeof(segment))
    return corrupt("kernel code of " + std::to_string(bytes.size()) +
                   " bytes is too short for an ELF image");
  std::memcpy(&header, bytes.data(), sizeof(header));
  QUERN_RETURN_IF_ERROR(checkHeader(header));
  std::memcpy(&segment, bytes.data() + sizeof(header), sizeof(segment));
  QUERN_RETURN_IF_ERROR(checkSegment(header, segment, bytes.size()));

  auto fail = [&](const char *what) {
    return resourceExhausted("can't " + std::string(what) + " " +
                             formatBytes(segment.p_filesz) +
                             " for kernel code: " + std::strerror(errno));
  };
  void *memory = ::mmap(nullptr, segment.p_filesz, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return fail("map");
  ElfImage image(memory, segment.p_filesz, header.e_entry);
  std::memcpy(memory, bytes.data(), segment.p_filesz);
  if (::mprotect(memory, segment.p_filesz, PROT_READ | PROT_EXEC) != 0)
    return fail("protect");
  char *begin = static_cast<char *>(memory);
  __builtin___clear_cache(begin, begin + segment.p_filesz);
  return image;
}

ElfImage::~ElfImage() {
  if (memory)
    ::munmap(memory, size);
}

KernelFunction ElfImage::getEntry() const {
  return reinterpret_cast<KernelFunction>(static_cast<char *>(memory) + entry);
}
