//===- ElfImage.h - Code of a kernel in executable memory --------*- C++
//-*-===//
//
// Reads the images that codegen/CPU/LinkImage.h writes: ELF shared objects of
// one segment, read and executed, without relocations or imports. Memory is
// never writable and executable at once.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_CPU_ELFIMAGE_H
#define QUERN_RUNTIME_DEVICE_CPU_ELFIMAGE_H

#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace quern::cpu {

/// What a kernel is: runs workgroups [begin, end), counted with x fastest, of
/// `grid`; `arguments` has one pointer for each binding.
using KernelFunction = void (*)(void *const *arguments, const uint32_t *grid,
                                uint64_t begin, uint64_t end);

/// Code in memory of its own; unmapped on destruction.
class ElfImage {
public:
  /// Corrupt if the bytes are no image or inconsistent, Unsupported if it is of
  /// another architecture, ResourceExhausted if memory can't be had.
  static Result<ElfImage> load(std::span<const std::byte> bytes);

  ElfImage(ElfImage &&other) noexcept
      : memory(std::exchange(other.memory, nullptr)), size(other.size),
        entry(other.entry) {}
  ElfImage &operator=(ElfImage &&) = delete;
  ~ElfImage();

  KernelFunction getEntry() const;

private:
  ElfImage(void *memory, uint64_t size, uint64_t entry)
      : memory(memory), size(size), entry(entry) {}

  void *memory;
  uint64_t size, entry;
};

} // namespace quern::cpu

#endif // QUERN_RUNTIME_DEVICE_CPU_ELFIMAGE_H
