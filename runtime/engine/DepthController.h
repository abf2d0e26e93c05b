//===- DepthController.h - How many tokens to draft -------------*- C++ -*-===//
//
// Chooses the depth, 0 included, that gives most tokens per second by what was
// measured: how often the draft at each depth was right, and how long a round
// of each depth takes. Now and then it tries a neighbour for a few rounds, the
// less often the longer nothing changes; that is all that a bad drafter costs.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_DEPTHCONTROLLER_H
#define QUERN_RUNTIME_ENGINE_DEPTHCONTROLLER_H

#include <array>
#include <cstdint>

namespace quern {

/// The deepest drafts that are looked at.
inline constexpr uint32_t kMaxDraftDepth = 7;

/// A round drafts `depth` tokens, checks them in one step and keeps those in
/// front of the first wrong one. Not thread-safe.
class DepthController {
public:
  /// Rounds that a probe takes, and between the first two of them.
  static constexpr uint32_t kProbeRounds = 6;
  static constexpr uint32_t kFirstInterval = 48;
  static constexpr uint32_t kLongestInterval = 3072;

  /// For the next round, at most `maxDepth`.
  uint32_t getDepth(uint32_t maxDepth) const;

  /// Whether drafts will be wanted soon, though not in the next round: the
  /// drafter should see its tokens.
  bool isDrafting() const { return best != 0 || probesLeft != 0; }

  /// A round of `depth` drafts of which the first `accepted` were right took
  /// `seconds`. `reached` of the drafts were compared (accepted, or one more).
  void addRound(uint32_t depth, uint32_t reached, uint32_t accepted,
                double seconds);

  /// Expected tokens of a round.
  double getTokens(uint32_t depth) const;
  /// Seconds of a round; 0 if none was measured.
  double getSeconds(uint32_t depth) const { return seconds[depth]; }

private:
  void addTime(uint32_t depth, double value);
  uint32_t findBest() const;
  void endProbe();
  void startProbe();

  std::array<double, kMaxDraftDepth + 1> seconds = {};
  std::array<uint32_t, kMaxDraftDepth + 1> rounds = {};
  /// How often the draft at a depth is right if those before it are.
  std::array<double, kMaxDraftDepth> acceptance = {};
  std::array<uint32_t, kMaxDraftDepth> compared = {};
  uint32_t best = 1;
  uint32_t probed = 1; ///< The depth being probed.
  uint32_t probesLeft = kProbeRounds;
  uint32_t untilProbe = 0;
  uint32_t interval = kFirstInterval;
  bool probesDown = true; ///< The direction of the next probe.
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_DEPTHCONTROLLER_H
