//===- LiveRangesTest.cpp - Placing buffers by their live ranges ----------===//
#include "passes/Memory/LiveRanges.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <random>

using namespace quern;

static constexpr int64_t kAlignment = 256;

/// Checks a placement from its definition, and returns its real peak.
static int64_t checkPlacement(const std::vector<LiveRange> &ranges,
                              const Placement &placement) {
  EXPECT_EQ(placement.offsets.size(), ranges.size());
  int64_t peak = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    EXPECT_GE(placement.offsets[i], 0);
    EXPECT_EQ(placement.offsets[i] % kAlignment, 0);
    int64_t end = placement.offsets[i] + ranges[i].size;
    peak = std::max(peak, end);
    for (size_t j = 0; j < i; ++j) {
      bool liveTogether = ranges[i].first <= ranges[j].last &&
                          ranges[j].first <= ranges[i].last;
      int64_t otherEnd = placement.offsets[j] + ranges[j].size;
      bool apart =
          end <= placement.offsets[j] || otherEnd <= placement.offsets[i];
      EXPECT_TRUE(apart || !liveTogether) << "buffers " << j << " and " << i;
    }
  }
  return peak;
}

/// The lower bound by counting at every time.
static int64_t countLowerBound(const std::vector<LiveRange> &ranges,
                               int64_t times) {
  int64_t most = 0;
  for (int64_t time = 0; time < times; ++time) {
    int64_t live = 0;
    for (const LiveRange &range : ranges)
      if (range.first <= time && time <= range.last)
        live += range.size;
    most = std::max(most, live);
  }
  return most;
}

/// Ranges as a program has them: mostly short, a few long, a handful of sizes.
static std::vector<LiveRange> makeRanges(std::mt19937 &random, int64_t times,
                                         size_t count) {
  std::vector<int64_t> sizes(1 + random() % 8);
  for (int64_t &size : sizes)
    size = kAlignment * (1 + random() % 64);
  std::vector<LiveRange> ranges(count);
  for (LiveRange &range : ranges) {
    int64_t length = random() % 10 == 0 ? random() % times : random() % 4;
    range.first = random() % times;
    range.last = std::min(range.first + length, times - 1);
    range.size = sizes[random() % sizes.size()];
  }
  return ranges;
}

TEST(LiveRanges, EmptyAndSingle) {
  EXPECT_EQ(placeBuffers({}).peak, 0);
  EXPECT_EQ(computeLowerBound({}), 0);
  Placement one = placeBuffers({{3, 3, 512}});
  EXPECT_EQ(one.offsets, std::vector<int64_t>{0});
  EXPECT_EQ(one.peak, 512);
}

TEST(LiveRanges, BothEndsAreIncluded) {
  // The second begins at the dispatch at which the first ends.
  Placement placement = placeBuffers({{0, 1, 256}, {1, 2, 256}, {2, 3, 256}});
  EXPECT_EQ(placement.peak, 512);
  EXPECT_NE(placement.offsets[0], placement.offsets[1]);
  EXPECT_EQ(placement.offsets[0], placement.offsets[2]);
}

TEST(LiveRanges, RandomRangesNeverOverlap) {
  std::mt19937 random(7);
  double worst = 1, sum = 0;
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    int64_t times = 10 + random() % 200;
    std::vector<LiveRange> ranges = makeRanges(random, times, 2 * times);
    Placement placement = placeBuffers(ranges);
    EXPECT_EQ(checkPlacement(ranges, placement), placement.peak);
    int64_t lowerBound = computeLowerBound(ranges);
    EXPECT_EQ(lowerBound, countLowerBound(ranges, times));
    EXPECT_GE(placement.peak, lowerBound);
    double ratio = double(placement.peak) / lowerBound;
    EXPECT_LE(ratio, 1.2) << "round " << round;
    worst = std::max(worst, ratio);
    sum += ratio;
  }
  RecordProperty("worst_ratio", std::to_string(worst));
  RecordProperty("mean_ratio", std::to_string(sum / kRounds));
}

TEST(LiveRanges, IsDeterministic) {
  std::mt19937 random(11);
  std::vector<LiveRange> ranges = makeRanges(random, 100, 200);
  EXPECT_EQ(placeBuffers(ranges).offsets, placeBuffers(ranges).offsets);
}

TEST(LiveRanges, LongContextOnlyTakesNumbers) {
  // A terabyte of buffers is planned without touching memory.
  int64_t huge = int64_t(1) << 40;
  std::vector<LiveRange> ranges;
  ranges.reserve(1000);
  for (int64_t time = 0; time < 1000; ++time)
    ranges.push_back({time, time + 1, huge});
  Placement placement = placeBuffers(ranges);
  EXPECT_EQ(placement.peak, 2 * huge);
}
