//===- LogitComparisonTest.cpp - KL divergence and agreement --------------===//

#include "tools/quern/LogitComparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace quern::tool;

/// Plain softmax in long double.
static std::vector<long double> softmax(const std::vector<float> &logits) {
  std::vector<long double> p;
  long double sum = 0;
  for (float logit : logits) {
    p.push_back(std::exp(static_cast<long double>(logit)));
    sum += p.back();
  }
  for (long double &value : p)
    value /= sum;
  return p;
}

TEST(LogitComparison, AgreesWithAnotherComputation) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal(0, 3);
  LogitComparison comparison;
  long double total = 0, worst = 0, loss = 0, otherLoss = 0;
  size_t same = 0;
  constexpr int positions = 50, vocab = 97;
  for (int position = 0; position != positions; ++position) {
    std::vector<float> a(vocab), b(vocab);
    for (int i = 0; i != vocab; ++i) {
      a[i] = normal(engine);
      b[i] = a[i] + normal(engine) / 3;
    }
    auto p = softmax(a), q = softmax(b);
    long double divergence = 0;
    int top = 0, otherTop = 0;
    for (int i = 0; i != vocab; ++i) {
      divergence += p[i] * std::log(p[i] / q[i]);
      top = p[i] > p[top] ? i : top;
      otherTop = q[i] > q[otherTop] ? i : otherTop;
    }
    total += divergence;
    worst = std::max(worst, divergence);
    same += top == otherTop;
    bool isLast = position == positions - 1;
    int next = position * 7 % vocab;
    comparison.add(a, b, isLast ? -1 : next);
    if (!isLast) {
      loss -= std::log(p[next]);
      otherLoss -= std::log(q[next]);
    }
  }
  LogitComparison::Summary summary = comparison.summarize();
  EXPECT_EQ(summary.positions, size_t(positions));
  EXPECT_NEAR(summary.meanDivergence, double(total / positions), 1e-9);
  EXPECT_NEAR(summary.maxDivergence, double(worst), 1e-9);
  EXPECT_DOUBLE_EQ(summary.topAgreement, double(same) / positions);
  EXPECT_NEAR(std::log(summary.referencePerplexity),
              double(loss / (positions - 1)), 1e-9);
  EXPECT_NEAR(std::log(summary.otherPerplexity),
              double(otherLoss / (positions - 1)), 1e-9);
  EXPECT_LE(summary.medianDivergence, summary.highDivergence);
  EXPECT_LE(summary.highDivergence, summary.maxDivergence);
}

TEST(LogitComparison, EqualLogits) {
  LogitComparison comparison;
  std::vector<float> logits = {1000, -1000, 5};
  comparison.add(logits, logits, 0);
  LogitComparison::Summary summary = comparison.summarize();
  EXPECT_EQ(summary.maxDivergence, 0);
  EXPECT_EQ(summary.topAgreement, 1);
  EXPECT_EQ(summary.referencePerplexity, 1);
}

TEST(LogitComparison, Nothing) {
  EXPECT_EQ(LogitComparison().summarize().positions, 0u);
}
