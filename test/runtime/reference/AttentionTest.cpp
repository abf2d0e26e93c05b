//===- AttentionTest.cpp - rotation, paged cache, attention ---------------===//
#include "runtime/reference/Reference.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

using namespace quern;
using namespace quern::reference;
using Vector = std::vector<float>;
using Indices = std::vector<int32_t>;

TEST(RopeTable, CosinesThenSines) {
  Vector out(8);
  ropeTable(Indices{0, 2}, Vector{1, 0.25f}, 2, out);
  EXPECT_EQ(out[0], 2);
  EXPECT_EQ(out[1], 2);
  EXPECT_EQ(out[2], 0);
  EXPECT_FLOAT_EQ(out[4], 2 * std::cos(2.0f));
  EXPECT_FLOAT_EQ(out[5], 2 * std::cos(0.5f));
  EXPECT_FLOAT_EQ(out[6], 2 * std::sin(2.0f));
  EXPECT_FLOAT_EQ(out[7], 2 * std::sin(0.5f));
}

TEST(RopeTable, RoundsTheAngleToFloat) {
  // 30000 * f32(1/3) is not exact; the rounded product counts.
  float third = 1.0f / 3;
  Vector out(2);
  ropeTable(Indices{30000}, Vector{third}, 1, out);
  EXPECT_EQ(out[0], static_cast<float>(
                        std::cos(static_cast<double>(30000.0f * third))));
}

TEST(Rope, RotatesPairsHalfARotaryDimensionApart) {
  // A quarter turn in the first pair, none in the second; entry 4 passes.
  Vector x = {1, 2, 3, 4, 5}, table = {0, 1, 1, 0}, out(5);
  rope(x, 1, 5, table, 4, DataType::F32, out);
  EXPECT_EQ(out, (Vector{-3, 2, 1, 4, 5}));
}

namespace {
/// Two slots of up to four positions on pages of two; the pages of slot 1 are
/// not in order.
struct Cache {
  CacheShape shape = {5, 1, 2, 2};
  Indices pageTable = {0, 1, 4, 2};
  Vector keys = Vector(shape.size()), values = Vector(shape.size());

  Placement place(const Indices &slots, const Indices &positions) const {
    return {slots, positions, pageTable, 2};
  }
};
} // namespace

TEST(CacheAppend, FollowsThePageTable) {
  Cache cache;
  Indices slots = {1, 0}, positions = {3, 1};
  ASSERT_TRUE(cacheAppend(Vector{1, 2, 3, 4}, Vector{5, 6, 7, 8},
                          cache.place(slots, positions), cache.shape,
                          cache.keys, cache.values)
                  .isOk());
  // Slot 1, position 3: page 2, second row. Slot 0, position 1: page 0.
  Vector keys(20), values(20);
  keys[10] = 1, keys[11] = 2, keys[2] = 3, keys[3] = 4;
  values[10] = 5, values[11] = 6, values[2] = 7, values[3] = 8;
  EXPECT_EQ(cache.keys, keys);
  EXPECT_EQ(cache.values, values);
}

TEST(CacheAppend, RefusesBadIndices) {
  Cache cache;
  auto message = [&](int32_t slot, int32_t position) {
    Indices slots = {slot}, positions = {position};
    return cacheAppend(Vector(2), Vector(2), cache.place(slots, positions),
                       cache.shape, cache.keys, cache.values)
        .getMessage();
  };
  EXPECT_EQ(message(2, 0), "token 0: slot is 2 of 2");
  EXPECT_EQ(message(-1, 0), "token 0: slot is -1 of 2");
  EXPECT_EQ(message(0, 4), "token 0: position is 4 of 4");
  EXPECT_EQ(message(0, -1), "token 0: position is -1 of 4");
  cache.pageTable[0] = 5;
  EXPECT_EQ(message(0, 0), "token 0: page is 5 of 5");
}

TEST(CacheAppend, RoundsToInt8Rows) {
  Cache cache;
  cache.shape.int8Rows = true;
  Indices slots = {0, 1}, positions = {0, 0};
  ASSERT_TRUE(cacheAppend(Vector{127, 3.4f, 0, 0}, Vector{-254, 5.1f, 1, 0.6f},
                          cache.place(slots, positions), cache.shape,
                          cache.keys, cache.values)
                  .isOk());
  // Scales of 1 and 2, of none, and of 1 / 127: 0.6 is code 76.
  EXPECT_EQ((Vector{cache.keys[0], cache.keys[1]}), (Vector{127, 3}));
  EXPECT_EQ((Vector{cache.values[0], cache.values[1]}), (Vector{-254, 6}));
  EXPECT_EQ((Vector{cache.keys[16], cache.keys[17]}), (Vector{0, 0}));
  EXPECT_EQ(cache.values[16], 1);
  EXPECT_FLOAT_EQ(cache.values[17], 76.0f / 127);
}

TEST(Attention, WeighsPositionsUpToItsOwn) {
  Cache cache;
  Indices slots = {1, 1, 1}, positions = {0, 1, 2};
  Vector k = {0, 0, std::log(3.0f), 0, 50, 0}, v = {4, 8, 8, 0, 1, 1};
  ASSERT_TRUE(cacheAppend(k, v, cache.place(slots, positions), cache.shape,
                          cache.keys, cache.values)
                  .isOk());
  // Two query heads on one key head; the token at position 1 sees the scores 0
  // and ln 3 with the first head (weights 1/4, 3/4) and 0, 0 with the second.
  Indices slot = {1}, position = {1};
  Vector q = {2, 0, 0, 7}, out(4);
  ASSERT_TRUE(attention(q, 2, cache.place(slot, position), cache.shape,
                        cache.keys, cache.values, 0.5, DataType::F32, out)
                  .isOk());
  EXPECT_FLOAT_EQ(out[0], 7);
  EXPECT_FLOAT_EQ(out[1], 2);
  EXPECT_FLOAT_EQ(out[2], 6);
  EXPECT_FLOAT_EQ(out[3], 4);
}

TEST(Attention, SurvivesLargeScores) {
  Cache cache;
  Indices slots = {0, 0}, positions = {0, 1};
  ASSERT_TRUE(cacheAppend(Vector{1000, 0, -1000, 0}, Vector{1, 2, 3, 4},
                          cache.place(slots, positions), cache.shape,
                          cache.keys, cache.values)
                  .isOk());
  Indices slot = {0}, position = {1};
  Vector out(2);
  ASSERT_TRUE(attention(Vector{1000, 0}, 1, cache.place(slot, position),
                        cache.shape, cache.keys, cache.values, 1, DataType::F32,
                        out)
                  .isOk());
  EXPECT_EQ(out, (Vector{1, 2}));
}

TEST(QkNormRopeAppend, IsTheCompositionOfItsParts) {
  Cache cache;
  Vector qkv = {1, 7, 7, -1, 3, 4, 9, 8}, table = {0, 1};
  Vector qWeight = {1, 2}, kWeight = {3, 1};
  Indices slots = {0}, positions = {0};
  Placement placement = cache.place(slots, positions);
  QkNormRope operands = {
      qkv, 2, table, 2, {qWeight, 1e-6, false}, {kWeight, 1e-6, true}};
  Vector q(4);
  ASSERT_TRUE(qkNormRopeAppend(operands, placement, cache.shape, DataType::BF16,
                               cache.keys, cache.values, q)
                  .isOk());

  Vector normedQ(4), normedK(2), expectedQ(4), expectedK(2);
  rmsNorm(Vector{1, 7, 7, -1}, operands.qNorm, DataType::F32, normedQ);
  rmsNorm(Vector{3, 4}, operands.kNorm, DataType::F32, normedK);
  rope(normedQ, 2, 2, table, 2, DataType::BF16, expectedQ);
  rope(normedK, 1, 2, table, 2, DataType::BF16, expectedK);
  EXPECT_EQ(q, expectedQ);
  EXPECT_EQ((Vector{cache.keys[0], cache.keys[1]}), expectedK);
  EXPECT_EQ((Vector{cache.values[0], cache.values[1]}), (Vector{9, 8}));
  // A quarter turn of the normed (1, 7) * (1, 2) / 5 is (-2.8, 0.2).
  EXPECT_NEAR(q[0], -2.8, 0.01);
  EXPECT_NEAR(q[1], 0.2, 0.001);
}

TEST(QkNormRopeAppend, RoundsKeysToCodesAndToNothingElse) {
  Cache cache;
  cache.shape.int8Rows = true;
  Vector qkv = {1, 7, 3, 4, 9, 8}, table = {0, 1}, weight = {1, 1};
  Indices slots = {0}, positions = {0};
  QkNormRope operands = {
      qkv, 1, table, 2, {weight, 1e-6, false}, {weight, 1e-6, false}};
  Vector q(2);
  ASSERT_TRUE(qkNormRopeAppend(operands, cache.place(slots, positions),
                               cache.shape, DataType::BF16, cache.keys,
                               cache.values, q)
                  .isOk());
  Vector normed(2), key(2);
  rmsNorm(Vector{3, 4}, operands.kNorm, DataType::F32, normed);
  rope(normed, 1, 2, table, 2, DataType::F32, key);
  // (-4, 3) / sqrt(12.5) has no exact form in bf16; -127 is the larger one.
  EXPECT_FLOAT_EQ(cache.keys[0], key[0]);
  EXPECT_FLOAT_EQ(cache.keys[1], -key[0] * 95 / 127);
  EXPECT_FLOAT_EQ(cache.values[0], 9);
  EXPECT_FLOAT_EQ(cache.values[1], 9.0f * 113 / 127);
}
