//===- Activations.cpp - int8 codes of activations ------------------------===//
#include "runtime/base/Encoding.h"
#include "runtime/base/Int8Rows.h"
#include "runtime/reference/Reference.h"

#include <array>
#include <vector>

using namespace quern;

static constexpr unsigned kWords = kGroupSize / 4;

void reference::quantizeActivations(Floats x, unsigned weightBits,
                                    std::span<int32_t> codes, Output factors) {
  for (size_t g = 0; g != x.size() / kGroupSize; ++g) {
    std::array<int8_t, kGroupSize> rounded;
    float scale = encodeInt8Row(x.subspan(g * kGroupSize, kGroupSize), rounded);
    float total = 0;
    for (unsigned word = 0; word != kWords; ++word) {
      uint32_t bytes = 0;
      for (unsigned byte = 0; byte != 4; ++byte) {
        int8_t code = rounded[getActivationElement(weightBits, word, byte)];
        total += code;
        bytes |= static_cast<uint32_t>(static_cast<uint8_t>(code))
                 << (8 * byte);
      }
      codes[g * kWords + word] = static_cast<int32_t>(bytes);
    }
    factors[2 * g] = scale;
    factors[2 * g + 1] = total;
  }
}

void reference::dequantizeActivations(Integers codes, Floats factors,
                                      unsigned weightBits, Output x) {
  for (size_t g = 0; g != x.size() / kGroupSize; ++g)
    for (unsigned word = 0; word != kWords; ++word)
      for (unsigned byte = 0; byte != 4; ++byte) {
        auto bits = static_cast<uint32_t>(codes[g * kWords + word]);
        auto code = static_cast<int8_t>(bits >> (8 * byte));
        x[g * kGroupSize + getActivationElement(weightBits, word, byte)] =
            factors[2 * g] * static_cast<float>(code);
      }
}

void reference::roundToCodes(Output x) {
  // The order of the codes does not matter.
  constexpr unsigned bits = 8;
  std::vector<int32_t> codes(x.size() / 4);
  std::vector<float> factors(x.size() / kGroupSize * 2);
  quantizeActivations(x, bits, codes, factors);
  dequantizeActivations(codes, factors, bits, x);
}
