//===- ActivationsTest.cpp - int8 codes of activations --------------------===//
#include "runtime/base/Encoding.h"
#include "runtime/reference/Reference.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

using namespace quern;
using namespace quern::reference;
using Vector = std::vector<float>;

/// A weight's code `i` of word `w` of four multiplies with the input that
/// stands at the same bits of an input's word.
TEST(ActivationElement, IsTheElementOfTheWeightAtTheseBits) {
  for (unsigned bits : {4u, 8u}) {
    unsigned phases = 8 / bits, codes = 32 / bits;
    for (unsigned word = 0; word != 8; ++word)
      for (unsigned byte = 0; byte != 4; ++byte) {
        unsigned weightWord = word / phases;
        unsigned code = byte * phases + word % phases;
        ASSERT_LT(code, codes);
        // Encoding.h: element 4 * i + j of a four is code i of word j.
        unsigned element =
            weightWord / 4 * 4 * codes + 4 * code + weightWord % 4;
        EXPECT_EQ(getActivationElement(bits, word, byte), element);
      }
  }
  // By hand: nibbles 0, 2, 4, 6 of the second word, then 1, 3, 5, 7.
  EXPECT_EQ(getActivationElement(4, 2, 0), 1u);
  EXPECT_EQ(getActivationElement(4, 2, 3), 25u);
  EXPECT_EQ(getActivationElement(4, 3, 0), 5u);
  EXPECT_EQ(getActivationElement(8, 5, 2), 25u);
}

TEST(ActivationElement, CoversTheGroup) {
  for (unsigned bits : {4u, 8u}) {
    std::set<unsigned> seen;
    for (unsigned word = 0; word != 8; ++word)
      for (unsigned byte = 0; byte != 4; ++byte)
        seen.insert(getActivationElement(bits, word, byte));
    EXPECT_EQ(seen.size(), kGroupSize);
    EXPECT_EQ(*seen.rbegin(), kGroupSize - 1);
  }
}

TEST(QuantizeActivations, RoundsByTheLargest) {
  // Two groups: up to 12.7, so that the scale is 0.1, and zeros.
  Vector x(64), factors(4), back(64);
  x[0] = -12.7f;
  x[1] = 0.26f;  // 2.6 -> 3
  x[2] = -0.04f; // 0
  x[31] = 6.35f; // 63.5 -> 64, to even
  std::vector<int32_t> codes(16, -1);
  quantizeActivations(x, 8, codes, factors);
  EXPECT_FLOAT_EQ(factors[0], 0.1f);
  EXPECT_EQ(factors[1], -127 + 3 + 64);
  EXPECT_EQ(factors[2], 0);
  EXPECT_EQ(factors[3], 0);
  // Element 0 is byte 0 of word 0, element 1 that of word 1.
  EXPECT_EQ(codes[0] & 0xff, 0x81);
  EXPECT_EQ(codes[1] & 0xff, 3);
  for (size_t i = 8; i != 16; ++i)
    EXPECT_EQ(codes[i], 0);
  dequantizeActivations(codes, factors, 8, back);
  EXPECT_FLOAT_EQ(back[0], -12.7f);
  EXPECT_FLOAT_EQ(back[1], 0.3f);
  EXPECT_EQ(back[2], 0);
  EXPECT_NEAR(back[31], 6.4f, 1e-6);
}

TEST(QuantizeActivations, OrdersDoNotChangeTheNumbers) {
  Vector x(96), back4(96), back8(96), factors(6);
  for (size_t i = 0; i != x.size(); ++i)
    x[i] = static_cast<float>((i * 37) % 101) - 50;
  std::vector<int32_t> codes(24);
  quantizeActivations(x, 4, codes, factors);
  dequantizeActivations(codes, factors, 4, back4);
  quantizeActivations(x, 8, codes, factors);
  dequantizeActivations(codes, factors, 8, back8);
  EXPECT_EQ(back4, back8);
}
