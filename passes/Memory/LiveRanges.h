//===- LiveRanges.h - Placing buffers by their live ranges -------*- C++
//-*-===//
//
// Free of MLIR. Sizes and offsets are in bytes; the sum of all sizes must fit
// an int64_t.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_PASSES_MEMORY_LIVERANGES_H
#define QUERN_PASSES_MEMORY_LIVERANGES_H

#include <cstdint>
#include <vector>

namespace quern {

/// A buffer of `size` bytes that is needed at the times `first`..`last`, both
/// included.
struct LiveRange {
  int64_t first = 0;
  int64_t last = 0;
  int64_t size = 0;
};

struct Placement {
  std::vector<int64_t> offsets; ///< One per range.
  int64_t peak = 0;             ///< End of the highest buffer.
};

/// Places the buffers so that those needed at the same time don't overlap.
/// Offsets are sums of sizes: they have the alignment that all sizes have.
/// Deterministic. Takes the best of a few orders (largest first, longest
/// first, by time), each with the tightest gap that fits.
Placement placeBuffers(const std::vector<LiveRange> &ranges);

/// The largest sum of sizes needed at one time: no placement has a lower peak.
int64_t computeLowerBound(const std::vector<LiveRange> &ranges);

} // namespace quern

#endif // QUERN_PASSES_MEMORY_LIVERANGES_H
