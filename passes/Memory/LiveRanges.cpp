//===- LiveRanges.cpp - Placing buffers by their live ranges --------------===//
#include "passes/Memory/LiveRanges.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <tuple>

using namespace quern;

static bool isLiveTogether(const LiveRange &a, const LiveRange &b) {
  return a.first <= b.last && b.first <= a.last;
}

/// The offset of the tightest gap of at least `size` bytes between `taken`
/// (begin, end), which is sorted; the end of the last if no gap fits.
static int64_t findGap(const std::vector<std::pair<int64_t, int64_t>> &taken,
                       int64_t size) {
  int64_t best = -1, bestGap = 0, end = 0;
  for (auto [begin, next] : taken) {
    int64_t gap = begin - end;
    if (gap >= size && (best < 0 || gap < bestGap)) {
      best = end;
      bestGap = gap;
    }
    end = std::max(end, next);
  }
  return best < 0 ? end : best;
}

static Placement placeInOrder(const std::vector<LiveRange> &ranges,
                              const std::vector<size_t> &order) {
  Placement placement;
  placement.offsets.resize(ranges.size());
  std::vector<std::pair<int64_t, int64_t>> taken;
  for (size_t i = 0; i < order.size(); ++i) {
    const LiveRange &range = ranges[order[i]];
    taken.clear();
    for (size_t j = 0; j < i; ++j)
      if (isLiveTogether(range, ranges[order[j]])) {
        int64_t begin = placement.offsets[order[j]];
        taken.emplace_back(begin, begin + ranges[order[j]].size);
      }
    std::sort(taken.begin(), taken.end());
    int64_t offset = findGap(taken, range.size);
    placement.offsets[order[i]] = offset;
    placement.peak = std::max(placement.peak, offset + range.size);
  }
  return placement;
}

Placement quern::placeBuffers(const std::vector<LiveRange> &ranges) {
  auto byKey = [&](auto getKey) {
    std::vector<size_t> order(ranges.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return getKey(ranges[a]) < getKey(ranges[b]);
    });
    return placeInOrder(ranges, order);
  };
  auto getLength = [](const LiveRange &r) { return r.last - r.first; };
  Placement best = byKey([&](const LiveRange &r) {
    return std::tuple(-r.size, -getLength(r), r.first);
  });
  int64_t lowerBound = computeLowerBound(ranges);
  auto tryOther = [&](Placement other) {
    if (other.peak < best.peak)
      best = std::move(other);
  };
  if (best.peak > lowerBound)
    tryOther(byKey([&](const LiveRange &r) {
      return std::tuple(-getLength(r), -r.size, r.first);
    }));
  if (best.peak > lowerBound)
    tryOther(byKey([](const LiveRange &r) {
      return std::tuple(r.first, -r.size, r.last);
    }));
  return best;
}

int64_t quern::computeLowerBound(const std::vector<LiveRange> &ranges) {
  std::map<int64_t, int64_t> changes;
  for (const LiveRange &range : ranges) {
    changes[range.first] += range.size;
    changes[range.last + 1] -= range.size;
  }
  int64_t live = 0, most = 0;
  for (auto [time, change] : changes) {
    live += change;
    most = std::max(most, live);
  }
  return most;
}
