//===- Random.h - Counter-based random numbers for sampling -----*- C++ -*-===//
//
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). The number for a token depends on the seed, the stream and the
// token's position alone, so a generation gives the same text whatever other
// sequences share its steps and however its prompt is cut into chunks.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_RANDOM_H
#define QUERN_RUNTIME_ENGINE_RANDOM_H

#include <array>
#include <cstdint>

namespace quern {

/// Ten rounds of Philox4x32.
constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter,
                                         std::array<uint32_t, 2> key) {
  for (int round = 0; round != 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53u) * counter[0];
    uint64_t b = uint64_t(0xCD9E8D57u) * counter[2];
    counter = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b),
               uint32_t(a >> 32) ^ counter[3] ^ key[1], uint32_t(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// A number in [0, 1) with 24 random bits for the token at `position`.
constexpr float uniformAt(uint64_t seed, uint64_t stream, uint64_t position) {
  std::array<uint32_t, 4> bits =
      philox({uint32_t(position), uint32_t(position >> 32), uint32_t(stream),
              uint32_t(stream >> 32)},
             {uint32_t(seed), uint32_t(seed >> 32)});
  return float(bits[0] >> 8) * 0x1p-24f;
}

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_RANDOM_H
