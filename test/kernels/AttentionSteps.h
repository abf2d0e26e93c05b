//===- AttentionSteps.h - Steps of tokens for kernel cases ------*- C++ -*-===//
#ifndef QUERN_TEST_KERNELS_ATTENTIONSTEPS_H
#define QUERN_TEST_KERNELS_ATTENTIONSTEPS_H

#include "runtime/reference/Reference.h"
#include "test/kernels/KernelCase.h"

namespace quern::test {

struct Heads {
  int64_t query, key, dim;
  int64_t rotary = dim;
  /// Projections with a gate for each query.
  bool gated = false;
  /// Caches of int8 rows.
  bool int8Cache = false;

  int64_t queries() const { return query * dim; }
  /// Of the merged projections.
  int64_t features() const {
    return (gated ? 2 : 1) * queries() + 2 * key * dim;
  }
  /// "4_2x32", "16_2x256r64_gated", "4_2x32_int8".
  std::string name() const;
};

/// Where the tokens of a step lie.
struct Layout {
  int64_t slots, pagesPerSlot, pageSize;
  std::vector<int32_t> slotOf, positionOf;

  int64_t tokens() const { return static_cast<int64_t>(slotOf.size()); }
  int64_t pages() const { return slots * pagesPerSlot + 3; }
  /// Physical pages in a scattered order.
  std::vector<int32_t> pageTable() const;
};

/// Tokens of one sequence from position `first` on.
Layout makeChunk(int64_t pageSize, int32_t first, int32_t tokens);

/// One token of each of several sequences.
Layout makeBatch(int64_t pageSize, const std::vector<int32_t> &positions);

/// Tokens at the end of contexts of `length` positions, `perSlot` of each of
/// `slots` sequences, taking turns.
Layout makeFar(int64_t length, int64_t slots, int64_t perSlot);

/// The data of a step that these kernels take: random caches, and where the
/// tokens lie.
struct Step {
  Step(const Layout &layout, const Heads &heads, DataType type);

  /// Adds slots, positions and page_table.
  void addPlacement(KernelCase &c) const;

  /// Adds a gate of each query feature, of the type of `out`, and applies it
  /// to that expected result. Gates stand behind the queries of the merged
  /// projections.
  void addGate(KernelCase &c, const Heads &heads, Tensor &out) const;

  Layout layout;
  std::vector<int32_t> table;
  reference::CacheShape shape;
  reference::Placement placement;
  Tensor keyCache, valueCache;
};

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_ATTENTIONSTEPS_H
