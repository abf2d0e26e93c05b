//===- DepthController.cpp - How many tokens to draft ---------------------===//

#include "runtime/engine/DepthController.h"

#include <algorithm>

using namespace quern;

/// A greater depth must promise this much more: measurements are not exact, and
/// drafts that are thrown away cost energy.
static constexpr double kMargin = 1.03;

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

/// Follows what a round takes when nothing disturbs it: fast downwards, slowly
/// upwards. Of a busy machine the mean says more about its other work.
void DepthController::addTime(uint32_t depth, double value) {
  double &typical = seconds[depth];
  // The first probe gives its best; its first run may compile a program.
  if (rounds[depth] == 0 || (rounds[depth] < kProbeRounds && value < typical))
    typical = value;
  else if (value < typical)
    typical += (value - typical) / 2;
  else
    typical += (std::min(value, 2 * typical) - typical) / 32;
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
  uint32_t before = best;
  if (rounds[0] != 0)
    best = findBest();
  if (best != before) // Something has changed: look around soon.
    untilProbe = interval = kFirstInterval;
  if (probesLeft != 0) {
    if (--probesLeft == 0)
      endProbe();
  } else if (untilProbe == 0) {
    startProbe();
  } else {
    --untilProbe;
  }
}

/// By what is known now. What has not been tried is no candidate.
uint32_t DepthController::findBest() const {
  uint32_t found = 0;
  for (uint32_t depth = 1; depth <= kMaxDraftDepth; ++depth)
    if (rounds[depth] && getTokens(depth) * seconds[found] >
                             kMargin * getTokens(found) * seconds[depth])
      found = depth;
  return found;
}

void DepthController::endProbe() {
  // The first probe is of drafts, the second of a plain step to compare.
  if (rounds[0] == 0)
    return;
  untilProbe = interval;
  interval = std::min(2 * interval, kLongestInterval);
}

void DepthController::startProbe() {
  probesLeft = kProbeRounds;
  if (rounds[0] == 0)
    probed = 0;
  else if (best == 0) // One draft may not pay where several do.
    probed = probesDown ? 1 : 3;
  else
    probed = probesDown ? best - 1 : std::min(best + 1, kMaxDraftDepth);
  probesDown = !probesDown;
}
