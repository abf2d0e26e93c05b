//===- FailingAllocator.cpp - Make the n-th allocation fail ---------------===//

#include "test/support/FailingAllocator.h"

#include <cstdlib>
#include <new>

namespace {

struct State {
  bool isActive = false;
  bool isPersistent = false;
  bool hasFired = false;
  uint64_t left = 0;
};
thread_local State state;

} // namespace

static void *allocate(std::size_t size, std::size_t alignment) {
  if (state.isActive) {
    if (state.left > 0)
      --state.left;
    if (state.left == 0 && (!state.hasFired || state.isPersistent)) {
      state.hasFired = true;
      return nullptr;
    }
  }
  if (alignment <= alignof(std::max_align_t))
    return std::malloc(size ? size : 1);
  return std::aligned_alloc(alignment,
                            (size + alignment - 1) / alignment * alignment);
}

static void *allocateOrThrow(std::size_t size, std::size_t alignment) {
  if (void *memory = allocate(size, alignment))
    return memory;
  throw std::bad_alloc();
}
static constexpr std::size_t plain = alignof(std::max_align_t);

quern::test::FailingAllocation::FailingAllocation(uint64_t n, bool persistent) {
  state = {true, persistent, false, n};
}
quern::test::FailingAllocation::~FailingAllocation() { state = {}; }
bool quern::test::FailingAllocation::hasFired() const { return state.hasFired; }

void *operator new(std::size_t size) { return allocateOrThrow(size, plain); }
void *operator new[](std::size_t size) { return allocateOrThrow(size, plain); }
void *operator new(std::size_t size, std::align_val_t alignment) {
  return allocateOrThrow(size, static_cast<std::size_t>(alignment));
}
void *operator new[](std::size_t size, std::align_val_t alignment) {
  return allocateOrThrow(size, static_cast<std::size_t>(alignment));
}
void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
  return allocate(size, plain);
}
void *operator new[](std::size_t size, const std::nothrow_t &) noexcept {
  return allocate(size, plain);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void *memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void *memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, const std::nothrow_t &) noexcept {
  std::free(memory);
}
void operator delete[](void *memory, const std::nothrow_t &) noexcept {
  std::free(memory);
}
