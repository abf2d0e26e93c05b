//===- CountAllocations.cpp - How often operator new is called ------------===//

#include "test/runtime/engine/CountAllocations.h"

#include <cstdlib>
#include <new>

using namespace quern;
using namespace quern::test;

static thread_local uint64_t count = 0;
static thread_local uint64_t failAt = 0;
static thread_local int paused = 0;

void *operator new(size_t size) {
  if (paused == 0 && ++count == failAt)
    throw std::bad_alloc();
  if (void *memory = std::malloc(size ? size : 1))
    return memory;
  throw std::bad_alloc();
}
void *operator new[](size_t size) { return operator new(size); }
// These too, which sanitizers would not take from those above.
void *operator new(size_t size, const std::nothrow_t &) noexcept {
  try {
    return operator new(size);
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}
void *operator new[](size_t size, const std::nothrow_t &tag) noexcept {
  return operator new(size, tag);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, const std::nothrow_t &) noexcept {
  std::free(memory);
}
void operator delete[](void *memory, const std::nothrow_t &) noexcept {
  std::free(memory);
}

uint64_t quern::test::countAllocations() { return count; }
void quern::test::failAllocation(uint64_t n) { failAt = n ? count + n : 0; }

AllocationPause::AllocationPause() { ++paused; }
AllocationPause::~AllocationPause() { --paused; }
