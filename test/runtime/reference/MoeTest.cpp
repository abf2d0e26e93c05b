//===- MoeTest.cpp - router, experts, gate of the shared expert -----------===//
#include "runtime/reference/Reference.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

using namespace quern;
using namespace quern::reference;
using Vector = std::vector<float>;

namespace {

/// A token whose logits are given: x = (1), gate rows = logits.
struct Routed {
  std::vector<int32_t> experts;
  Vector weights;
};

} // namespace

static Routed route(const Vector &logits, int64_t slots, bool normalize) {
  Vector x = {1};
  Routed result{std::vector<int32_t>(slots), Vector(slots)};
  router(x, 1, {logits, static_cast<int64_t>(logits.size())}, normalize, slots,
         result.experts, result.weights);
  return result;
}

TEST(Router, GivesProbabilitiesOfAllExpertsInDescendingOrder) {
  // exp: 1, 4, 2, 1; the sum is 8.
  Vector logits = {0, std::log(4.0f), std::log(2.0f), 0};
  Routed routed = route(logits, 2, false);
  EXPECT_EQ(routed.experts, (std::vector<int32_t>{1, 2}));
  EXPECT_FLOAT_EQ(routed.weights[0], 0.5f);
  EXPECT_FLOAT_EQ(routed.weights[1], 0.25f);
}

TEST(Router, NormalizesOverTheChosen) {
  Vector logits = {0, std::log(3.0f), 0};
  Routed routed = route(logits, 2, true);
  EXPECT_EQ(routed.experts, (std::vector<int32_t>{1, 0}));
  EXPECT_FLOAT_EQ(routed.weights[0], 0.75f);
  EXPECT_FLOAT_EQ(routed.weights[1], 0.25f);
}

TEST(Router, TakesTheLowestIndexOfEquals) {
  EXPECT_EQ(route({2, 5, 5, 2, 5}, 4, true).experts,
            (std::vector<int32_t>{1, 2, 4, 0}));
}

TEST(Router, DoesNotOverflow) {
  Routed routed = route({1000, -1000}, 2, false);
  EXPECT_EQ(routed.weights, (Vector{1, 0}));
}

namespace {

/// Two experts of hidden size 1 and intermediate size 1: expert e computes
/// down_e * silu(gate_e x) * up_e x.
struct TinyExperts {
  Vector gateUp = {1, 2, /*expert 1*/ 3, 1};
  Vector down = {1, 10};
  Experts get() const { return {gateUp, down, 1, 1}; }
};

} // namespace

static double silu(double z) { return z / (1 + std::exp(-z)); }

TEST(Experts, SumsTheChosenWithTheirWeights) {
  TinyExperts tiny;
  Vector x = {1, -1}, weights = {0.25f, 0.75f, 1, 0}, out(2);
  std::vector<int32_t> chosen = {1, 0, 0, 1};
  ASSERT_TRUE(expertSum(x, {chosen, weights, 2}, tiny.get(), DataType::F32, out)
                  .isOk());
  EXPECT_FLOAT_EQ(out[0], 0.25 * 10 * silu(3) * 1 + 0.75 * silu(1) * 2);
  EXPECT_FLOAT_EQ(out[1], silu(-1) * -2);
}

TEST(Experts, RefusesExpertsThatDoNotExist) {
  TinyExperts tiny;
  Vector x = {1}, weights = {1}, out(1);
  for (int32_t e : {-1, 2}) {
    std::vector<int32_t> chosen = {e};
    Status status =
        expertSum(x, {chosen, weights, 1}, tiny.get(), DataType::F32, out);
    EXPECT_EQ(status.getMessage(), "token 0 chooses expert " +
                                       std::to_string(e) + ", expected 0 to 1");
  }
}

TEST(ScaleBySigmoid, HasOneGatePerToken) {
  Vector x = {2, 4, 8, 16}, gate = {0, std::log(3.0f)}, out(4);
  scaleBySigmoid(x, gate, DataType::F32, out);
  EXPECT_FLOAT_EQ(out[0], 1);
  EXPECT_FLOAT_EQ(out[1], 2);
  EXPECT_FLOAT_EQ(out[2], 6);
  EXPECT_FLOAT_EQ(out[3], 12);
}
