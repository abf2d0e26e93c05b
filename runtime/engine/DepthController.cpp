//===- DepthController.cpp - How many tokens to draft ---------------------===//

#include "runtime/engine/DepthController.h"

#include <algorithm>

using namespace quern;

uint32_t DepthController::getDepth(uint32_t maxDepth) const {
  return std::min({probesLeft ? probed : best, maxDepth, kMaxDraftDepth});
}

double DepthController::getTokens(uint32_t depth) const {
  double tokens = 1, reach = 1;
  for (uint32_t i = 0; i != depth; ++i) {
    // What was never compared is taken for as good as what comes before it.
    double rate = compared[i] ? acceptance[i] : i ? acceptance[i - 1] : 0.5;
    reach *= rate;
    tokens += reach;
  }
  return tokens;
}

void DepthController::addTime(uint32_t depth, double value) {
  double &mean = seconds[depth];
  // The first run of a program may compile it: it counts only until a second.
  if (rounds[depth] == 0)
    mean = value;
  else if (rounds[depth] == 1)
    mean = std::min(mean, value);
  else // One stray long step must not decide.
    mean += (std::min(value, 3 * mean) - mean) / 8;
  rounds[depth] = std::min<uint32_t>(rounds[depth] + 1, 1u << 30);
}

void DepthController::addRound(uint32_t depth, uint32_t reached,
                               uint32_t accepted, double value) {
  depth = std::min(depth, kMaxDraftDepth);
  addTime(depth, value);
  for (uint32_t i = 0; i != std::min(reached, kMaxDraftDepth); ++i) {
    double weight = std::max(1.0 / 64, 1.0 / (compared[i] + 1));
    acceptance[i] += ((i < accepted ? 1.0 : 0.0) - acceptance[i]) * weight;
    compared[i] = std::min<uint32_t>(compared[i] + 1, 1u << 30);
  }
  if (probesLeft != 0) {
    if (--probesLeft == 0)
      chooseBest();
  } else if (untilProbe == 0) {
    startProbe();
  } else {
    --untilProbe;
  }
}

/// After a probe. What has not been tried is no candidate.
void DepthController::chooseBest() {
  uint32_t before = best;
  best = 0;
  for (uint32_t depth = 1; depth <= kMaxDraftDepth; ++depth)
    if (rounds[depth] && rounds[best] &&
        getTokens(depth) * seconds[best] > getTokens(best) * seconds[depth])
      best = depth;
  // The first probe is of drafts, the second of a plain step to compare.
  if (rounds[0] == 0) {
    best = before;
    untilProbe = 0;
    return;
  }
  interval = best == before ? std::min(2 * interval, kLongestInterval)
                            : kFirstInterval;
  untilProbe = interval;
}

void DepthController::startProbe() {
  probesLeft = kProbeRounds;
  if (rounds[0] == 0)
    probed = 0;
  else if (best == 0)
    probed = 1;
  else
    probed = probesDown ? best - 1 : std::min(best + 1, kMaxDraftDepth);
  probesDown = !probesDown;
}
