//===- SampleTest.cpp - from logits to tokens -----------------------------===//
#include "runtime/reference/Reference.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

using namespace quern;
using namespace quern::reference;
using Vector = std::vector<float>;

namespace {
struct Sampling {
  float temperature = 1, topK = 0, topP = 1, minP = 0, penalty = 1, uniform = 0;

  int32_t operator()(const Vector &logits, int32_t seen = 0) const {
    Vector row = {temperature, topK, topP, minP, penalty, uniform, 0, 0};
    int32_t token = -1;
    sample(logits, logits.size(), row, {&seen, 1}, {&token, 1});
    return token;
  }
};

/// Logits of the probabilities 0.1, 0.4, 0.2, 0.3.
const Vector logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f),
                       std::log(0.3f)};
} // namespace

TEST(Sample, GreedyTakesTheLowestOfEquals) {
  Sampling greedy = {.temperature = 0};
  EXPECT_EQ(greedy({1, 3, 3, 2}), 1);
  EXPECT_EQ(greedy({-5, -7}), 0);
}

TEST(Sample, InvertsTheDistributionInTokenOrder) {
  auto at = [](float uniform) { return Sampling{.uniform = uniform}(logits); };
  EXPECT_EQ(at(0), 0);
  EXPECT_EQ(at(0.09f), 0);
  EXPECT_EQ(at(0.11f), 1);
  EXPECT_EQ(at(0.49f), 1);
  EXPECT_EQ(at(0.51f), 2);
  EXPECT_EQ(at(0.69f), 2);
  EXPECT_EQ(at(0.71f), 3);
  EXPECT_EQ(at(std::nextafter(1.0f, 0.0f)), 3);
}

TEST(Sample, TemperatureDividesTheLogits) {
  // At temperature 0.5 the probabilities are squared: 1, 16, 4, 9 of 30.
  auto at = [](float uniform) {
    return Sampling{.temperature = 0.5, .uniform = uniform}(logits);
  };
  EXPECT_EQ(at(0.99f / 30), 0);
  EXPECT_EQ(at(1.01f / 30), 1);
  EXPECT_EQ(at(16.9f / 30), 1);
  EXPECT_EQ(at(17.1f / 30), 2);
}

TEST(Sample, TopKKeepsTies) {
  auto at = [](float uniform, const Vector &row) {
    return Sampling{.topK = 2, .uniform = uniform}(row);
  };
  // Tokens 1 (0.4) and 3 (0.3) remain.
  EXPECT_EQ(at(0, logits), 1);
  EXPECT_EQ(at(0.56f, logits), 1);
  EXPECT_EQ(at(0.58f, logits), 3);
  // Three equals at the threshold remain.
  EXPECT_EQ(at(0, {0, 1, 1, 1}), 1);
  EXPECT_EQ(at(0.99f, {0, 1, 1, 1}), 3);
}

TEST(Sample, TopPKeepsTheFewestThatReachIt) {
  auto at = [](float topP, float uniform) {
    return Sampling{.topP = topP, .uniform = uniform}(logits);
  };
  EXPECT_EQ(at(0.39f, 0.99f), 1);
  EXPECT_EQ(at(0.41f, 0.99f), 3);
  EXPECT_EQ(at(0.69f, 0), 1);
  EXPECT_EQ(at(0.71f, 0.99f), 3);
  EXPECT_EQ(at(0.71f, 0.5f), 2);
  EXPECT_EQ(at(0, 0.99f), 1);
}

TEST(Sample, TopPCountsOnlyWhatTopKKept) {
  // Of 0.4 and 0.3, the first alone holds 0.57.
  auto at = [](float topP) {
    return Sampling{.topK = 2, .topP = topP, .uniform = 0.99f}(logits);
  };
  EXPECT_EQ(at(0.56f), 1);
  EXPECT_EQ(at(0.58f), 3);
}

TEST(Sample, MinPIsRelativeToTheGreatest) {
  auto at = [](float minP, float uniform) {
    return Sampling{.minP = minP, .uniform = uniform}(logits);
  };
  EXPECT_EQ(at(0.24f, 0), 0);
  EXPECT_EQ(at(0.26f, 0), 1);
  EXPECT_EQ(at(0.74f, 0.99f), 3);
  EXPECT_EQ(at(0.76f, 0.99f), 1);
  EXPECT_EQ(at(1, 0.99f), 1);
}

TEST(Sample, RepetitionPenaltyDependsOnTheSign) {
  Sampling greedy = {.temperature = 0, .penalty = 2};
  EXPECT_EQ(greedy({3, 2}, 0b01), 1);
  EXPECT_EQ(greedy({-2, -3}, 0b01), 1);
  EXPECT_EQ(greedy({3, 2}, 0b10), 0);
}

TEST(Sample, RowsAreIndependent) {
  Vector two = {0, 1, 1, 0};
  Vector rows(16);
  std::vector<int32_t> seen(2), tokens(2);
  sample(two, 2, rows, seen, tokens);
  EXPECT_EQ(tokens, (std::vector<int32_t>{1, 0}));
}

TEST(Sample, SeenBitsPastTheFirstWord) {
  Vector wide(40);
  wide[33] = 5, wide[39] = 4;
  Vector row = {0, 0, 1, 0, 10, 0, 0, 0};
  std::vector<int32_t> seen = {0, 2};
  int32_t token = -1;
  sample(wide, 40, row, seen, {&token, 1});
  EXPECT_EQ(token, 39);
}
