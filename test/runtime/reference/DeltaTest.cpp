//===- DeltaTest.cpp - ops of a gated delta net ---------------------------===//
#include "runtime/reference/Delta.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

using namespace quern;
using namespace quern::reference;
using Vector = std::vector<float>;
using Rows = std::vector<int32_t>;

static double silu(double z) { return z / (1 + std::exp(-z)); }
static double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

namespace {

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

/// Two channels, width 2, in rows of three features; two slots, ring of 2.
struct TinyConvolution {
  Vector weight = {1, 2, 3, 4};
  Vector state = Vector(8, 100);
  Convolution get() { return {weight, 2, state, 2, 3}; }
};

} // namespace

TEST(CausalConv1d, WeighsTheTokensBefore) {
  TinyConvolution tiny;
  Vector x = {1, 2, 99, 3, -1, 99, 0.5f, 1, 99}, out(6);
  ASSERT_TRUE(causalConv1d(x, tiny.get(), Rows{1, 0, 3, 0, 0, 2, 0, 0},
                           DataType::F32, out)
                  .isOk());
  // In front of position 0 there is nothing, whatever the state holds.
  EXPECT_FLOAT_EQ(out[0], silu(2 * 1));
  EXPECT_FLOAT_EQ(out[1], silu(4 * 2));
  EXPECT_FLOAT_EQ(out[2], silu(1 * 1 + 2 * 3));
  EXPECT_FLOAT_EQ(out[3], silu(3 * 2 + 4 * -1));
  EXPECT_FLOAT_EQ(out[4], silu(1 * 3 + 2 * 0.5));
  EXPECT_FLOAT_EQ(out[5], silu(3 * -1 + 4 * 1));
  // The last two tokens are kept in the slot's rows: position mod 2.
  EXPECT_EQ(tiny.state, (Vector{100, 100, 100, 100, 0.5f, 1, 3, -1}));
}

TEST(CausalConv1d, GoesOnFromTheState) {
  TinyConvolution tiny;
  Vector x = {1, 2, 0, 3, -1, 0, 0.5f, 1, 0}, whole(6), out(6);
  ASSERT_TRUE(causalConv1d(x, tiny.get(), Rows{0, 0, 3, 0, 0, 2, 0, 0},
                           DataType::F32, whole)
                  .isOk());
  TinyConvolution other;
  for (int32_t t = 0; t < 3; ++t)
    ASSERT_TRUE(causalConv1d(std::span(x).subspan(t * 3, 3), other.get(),
                             Rows{0, 0, 1, t, 0, 0, 0, 0}, DataType::F32,
                             std::span(out).subspan(t * 2, 2))
                    .isOk());
  EXPECT_EQ(out, whole);
  EXPECT_EQ(other.state, tiny.state);
}

TEST(CausalConv1d, LeavesUnusedRowsAlone) {
  TinyConvolution tiny;
  Vector x = {1, 2, 0}, out(2, 7);
  // 0 tokens: nothing else in the row counts.
  ASSERT_TRUE(causalConv1d(x, tiny.get(), Rows{-1, 9, 0, -3, 8, 5, 0, 0},
                           DataType::F32, out)
                  .isOk());
  EXPECT_EQ(tiny.state, Vector(8, 100));
}

TEST(CausalConv1d, RefusesRowsThatDoNotFit) {
  TinyConvolution tiny;
  Vector x = {1, 2, 0}, out(2);
  auto message = [&](const Rows &rows) {
    return causalConv1d(x, tiny.get(), rows, DataType::F32, out).getMessage();
  };
  EXPECT_EQ(message({2, 0, 1, 0, 0, 0, 0, 0}), "sequence 0: slot is 2 of 2");
  EXPECT_EQ(message({-1, 0, 1, 0, 0, 0, 0, 0}), "sequence 0: slot is -1 of 2");
  EXPECT_EQ(message({0, 0, 2, 0, 0, 0, 0, 0}),
            "sequence 0: 2 tokens from 0 of 1");
  EXPECT_EQ(message({0, 1, 1, 0, 0, 0, 0, 0}),
            "sequence 0: 1 tokens from 1 of 1");
  EXPECT_EQ(message({0, 0, 1, 3, 4, 0, 0, 0}),
            "sequence 0: position is 3, the state is at 4");
  EXPECT_EQ(message({0, 0, 1, 3, 0, 3, 0, 0}),
            "sequence 0: update is 3, expected 0 to 2");
}

//===----------------------------------------------------------------------===//
// Norms and gates
//===----------------------------------------------------------------------===//

TEST(L2Norm, DividesByTheLengthNotByTheMean) {
  Vector x = {3, 4, 0, 0}, out(4);
  l2Norm(x, 2, 1e-6, 0.5, out);
  EXPECT_FLOAT_EQ(out[0], 0.3f);
  EXPECT_FLOAT_EQ(out[1], 0.4f);
  EXPECT_EQ(out[2], 0);
  EXPECT_EQ(out[3], 0);
  // The epsilon is added to the sum of squares.
  l2Norm(x, 2, 11, 1, out);
  EXPECT_FLOAT_EQ(out[0], 0.5f);
}

TEST(DeltaGates, GivesTheLogarithmOfTheDecay) {
  // b of two heads, then a of two heads.
  Vector ba = {0, 100, -2, 60, /*token 1*/ -1, 2, 0, -100};
  Vector aLog = {0, std::log(0.5f)}, dtBias = {2, 0}, decay(4), beta(4);
  deltaGates(ba, aLog, dtBias, decay, beta);
  EXPECT_FLOAT_EQ(beta[0], 0.5f);
  EXPECT_FLOAT_EQ(beta[1], 1);
  EXPECT_FLOAT_EQ(beta[2], sigmoid(-1));
  EXPECT_FLOAT_EQ(beta[3], sigmoid(2));
  EXPECT_FLOAT_EQ(decay[0], -std::log(2.0));
  EXPECT_FLOAT_EQ(decay[1], -0.5f * 60);
  EXPECT_FLOAT_EQ(decay[2], -std::log(1 + std::exp(2.0)));
  EXPECT_LE(decay[3], 0);
  EXPECT_GE(decay[3], -1e-40f);
}

TEST(GatedRmsNorm, NormsEachHeadAndTakesTheGateAtItsOffset) {
  // Two heads of two: lengths sqrt(2) * 1 and sqrt(2) * 5.
  Vector x = {1, 1, 7, 1}, weight = {2, 3}, out(4);
  Vector gateRow = {99, 0, 1, 2, 3, 99};
  gatedRmsNorm(x, {weight, 0, false}, {gateRow, 6, 1}, DataType::F32, out);
  EXPECT_FLOAT_EQ(out[0], 2 * silu(0));
  EXPECT_FLOAT_EQ(out[1], 3 * silu(1));
  EXPECT_FLOAT_EQ(out[2], 7 / 5.0 * 2 * silu(2));
  EXPECT_FLOAT_EQ(out[3], 1 / 5.0 * 3 * silu(3));
}

TEST(SigmoidGate, TakesTheGateAtItsOffset) {
  Vector x = {2, 4, 8, 16}, out(4);
  Vector gateRows = {99, 0, std::log(3.0f), 99, 0, 0};
  sigmoidGate(x, {gateRows, 3, 1}, DataType::F32, out);
  EXPECT_FLOAT_EQ(out[0], 1);
  EXPECT_FLOAT_EQ(out[1], 3);
  EXPECT_FLOAT_EQ(out[2], 4);
  EXPECT_FLOAT_EQ(out[3], 8);
  sigmoidGate(x, {gateRows, 3, 1}, DataType::BF16, out);
  EXPECT_EQ(out[1], 3);
}

TEST(DeltaInputs, IsConvolutionNormsAndGates) {
  // One key head of two, two value heads of one, in rows of seven features.
  DeltaShape shape = {1, 2, 2, 1};
  Vector weight = {1, 0.5f, -1, 2, 0.25f, 1, 2, -0.5f, 1, 1, 3, -2};
  Vector x = {1, 2, -1, 0.5f, 3, -2, 99, 0.5f, 1, 4, -3, 1, 2, 99};
  Vector ba = {1, -1, 0.5f, 2, 0, 3, -2, 1}, aLog = {0.1f, -0.2f};
  Vector dtBias = {0.3f, -0.4f};
  Rows rows = {0, 0, 2, 0, 0, 2, 0, 0};

  Vector stateA(12, 5), y(12), q(4), k(4), v(4), decay(4), beta(4);
  Convolution convA = {weight, 2, stateA, 2, 7};
  ASSERT_TRUE(causalConv1d(x, convA, rows, DataType::F32, y).isOk());
  for (int64_t t = 0; t < 2; ++t) {
    auto at = [&](Vector &of, int64_t from, int64_t width) {
      return std::span(of).subspan(from, width);
    };
    l2Norm(at(y, t * 6, 2), 2, 1e-6, std::sqrt(0.5), at(q, t * 2, 2));
    l2Norm(at(y, t * 6 + 2, 2), 2, 1e-6, 1, at(k, t * 2, 2));
    std::ranges::copy(at(y, t * 6 + 4, 2), v.begin() + t * 2);
  }
  deltaGates(ba, aLog, dtBias, decay, beta);

  Vector stateB(12, 5), q2(4), k2(4), v2(4), decay2(4), beta2(4);
  DeltaInputs inputs = {shape, x,      ba,  {weight, 2, stateB, 2, 7},
                        aLog,  dtBias, 1e-6};
  ASSERT_TRUE(
      deltaInputs(inputs, rows, DataType::F32, {q2, k2, v2, decay2, beta2})
          .isOk());
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(q2[i], q[i], 1e-6);
    EXPECT_NEAR(k2[i], k[i], 1e-6);
  }
  EXPECT_EQ(v2, v);
  EXPECT_EQ(decay2, decay);
  EXPECT_EQ(beta2, beta);
  EXPECT_EQ(stateB, stateA);
}
