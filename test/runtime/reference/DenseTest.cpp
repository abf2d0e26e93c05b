//===- DenseTest.cpp - embedding, norms, products, gated units ------------===//
#include "runtime/reference/Reference.h"

#include <gtest/gtest.h>
#include <vector>

using namespace quern;
using namespace quern::reference;
using Vector = std::vector<float>;

TEST(Embedding, CopiesRows) {
  Vector table = {1, 2, 3, 4, 5, 6}, out(4);
  std::vector<int32_t> ids = {2, 0};
  ASSERT_TRUE(embedding(ids, table, 3, 2, out).isOk());
  EXPECT_EQ(out, (Vector{5, 6, 1, 2}));
}

TEST(Embedding, RefusesIdsOutsideTheVocabulary) {
  Vector table = {1, 2}, out(1);
  for (int32_t id : {-1, 2}) {
    Status status = embedding({&id, 1}, table, 2, 1, out);
    EXPECT_EQ(status.getMessage(),
              "token 0 has id " + std::to_string(id) + ", expected 0 to 1");
  }
}

TEST(RmsNorm, ScalesByTheRootMeanSquare) {
  // Mean of squares of (1, 7) is 25, so the factor is 1/5.
  Vector x = {1, 7, 0, 0}, weight = {10, 100}, out(4);
  rmsNorm(x, {weight, 0, false}, DataType::F32, out);
  EXPECT_FLOAT_EQ(out[0], 2);
  EXPECT_FLOAT_EQ(out[1], 140);
  rmsNorm(x, {weight, 0, true}, DataType::F32, out);
  EXPECT_FLOAT_EQ(out[0], 2.2f);
  EXPECT_FLOAT_EQ(out[1], 141.4f);
}

TEST(RmsNorm, AddsEpsilonInsideTheRoot) {
  Vector x = {1, 7}, weight = {1, 1}, out(2);
  rmsNorm(x, {weight, 75, false}, DataType::F32, out);
  EXPECT_FLOAT_EQ(out[0], 0.1f);
}

TEST(RmsNorm, RoundsOnceToTheResultType) {
  Vector x = {1, 7}, weight = {1, 1}, out(2);
  rmsNorm(x, {weight, 0, false}, DataType::BF16, out);
  EXPECT_EQ(out[0], 0.2001953125f); // the bfloat16 nearest to 0.2
}

TEST(AddRmsNorm, IsTheCompositionOfItsParts) {
  Vector residual = {3, 4}, delta = {-2, 3}, weight = {1, 2};
  Vector sum(2), normed(2), expected(2);
  addRmsNorm(residual, delta, {weight, 1e-6, false}, DataType::F16, sum,
             normed);
  EXPECT_EQ(sum, (Vector{1, 7}));
  rmsNorm(sum, {weight, 1e-6, false}, DataType::F16, expected);
  EXPECT_EQ(normed, expected);
}

TEST(Linear, StacksWeights) {
  Vector x = {1, 2, 3, 4}, a = {1, 1, 1, -1}, b = {10, 0}, out(6);
  Matrix weights[] = {{a, 2}, {b, 1}};
  linear(x, 2, weights, DataType::F32, out);
  EXPECT_EQ(out, (Vector{3, -1, 10, 7, -1, 30}));
}

TEST(Linear, RoundsTheSumNotTheTerms) {
  // 256 + 1 is no bfloat16; the terms' sum 258 is.
  Vector x = {1, 1, 1}, w = {256, 1, 1}, out(1);
  Matrix weight = {w, 1};
  linear(x, 3, {&weight, 1}, DataType::BF16, out);
  EXPECT_EQ(out[0], 258);
}

TEST(Swiglu, Formula) {
  Vector gate = {0, 1, -100}, up = {5, 2, 1}, out(3);
  swiglu(gate, up, DataType::F32, out);
  EXPECT_EQ(out[0], 0);
  EXPECT_FLOAT_EQ(out[1], 2 * 0.7310585786f);
  EXPECT_NEAR(out[2], 0, 1e-30);
}

TEST(LinearSwiglu, DoesNotRoundBeforeTheGate) {
  // The gate's product 1 + 2^-9 would round to 1 in bfloat16 and up's 513 to
  // 512: then silu(1) * 512 = 374.3 would give 374.
  Vector x = {1, 0x1p-9f}, gate = {1, 1}, up = {512, 512}, out(1);
  linearSwiglu(x, 2, {gate, 1}, {up, 1}, DataType::BF16, out);
  EXPECT_EQ(out[0], 376); // silu(1 + 2^-9) * 513 = 376.0
}

TEST(ResidualAdd, Adds) {
  Vector out(2);
  residualAdd(Vector{1, 2}, Vector{0.5f, -2}, out);
  EXPECT_EQ(out, (Vector{1.5f, 0}));
}

TEST(SelectRows, CopiesAndChecks) {
  Vector x = {1, 2, 3, 4}, out(6);
  std::vector<int32_t> rows = {1, 1, 0};
  ASSERT_TRUE(selectRows(x, 2, rows, out).isOk());
  EXPECT_EQ(out, (Vector{3, 4, 3, 4, 1, 2}));
  rows = {2};
  EXPECT_EQ(selectRows(x, 2, rows, out).getMessage(),
            "row 0 selects token 2 of 2");
}
