//===- PagePool.h - The physical KV pages shared by the slots ---*- C++ -*-===//
#ifndef QUERN_RUNTIME_ENGINE_PAGEPOOL_H
#define QUERN_RUNTIME_ENGINE_PAGEPOOL_H

#include <cassert>
#include <cstdint>
#include <vector>

namespace quern {

/// A free list of physical pages. Allocates no memory after construction.
/// Not thread-safe.
class PagePool {
public:
  explicit PagePool(uint32_t numPages) : numPages(numPages) {
    freePages.reserve(numPages);
    for (uint32_t page = numPages; page != 0; --page)
      freePages.push_back(page - 1);
  }

  uint32_t getNumPages() const { return numPages; }
  uint32_t getNumFree() const { return uint32_t(freePages.size()); }

  /// Takes a page. There must be a free one.
  uint32_t take() {
    assert(!freePages.empty() && "caller checks getNumFree");
    uint32_t page = freePages.back();
    freePages.pop_back();
    return page;
  }

  void giveBack(uint32_t page) {
    assert(freePages.size() < numPages && "page returned twice");
    freePages.push_back(page);
  }

private:
  uint32_t numPages;
  std::vector<uint32_t> freePages;
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_PAGEPOOL_H
