//===- DepthControllerTest.cpp - The depth that pays ----------------------===//

#include "runtime/engine/DepthController.h"

#include <gtest/gtest.h>

using namespace quern;

namespace {

/// A device and a drafter with known costs.
struct World {
  double acceptance; ///< Of each depth, given those before.
  double plain = 1;  ///< Seconds of a plain step.
  double verify = 1.2, draft = 0.1;
  /// Other work on the machine makes every third round up to this many times
  /// longer.
  double noise = 1;
  uint32_t random = 1;

  double getSeconds(uint32_t depth) const {
    return depth ? verify + depth * draft : plain;
  }
  double draw() {
    random = random * 1664525 + 1013904223;
    return double(random >> 8) * 0x1p-24;
  }
  bool isRight() { return draw() < acceptance; }
  double measure(uint32_t depth) {
    double factor = draw() < 1.0 / 3 ? 1 + (noise - 1) * draw() : 1;
    return getSeconds(depth) * factor;
  }
};

/// Tokens and seconds of many rounds.
struct Totals {
  double tokens = 0, seconds = 0;
  uint64_t byDepth[kMaxDraftDepth + 1] = {};
};

} // namespace

static Totals play(DepthController &controller, World world, int rounds) {
  Totals totals;
  for (int round = 0; round != rounds; ++round) {
    uint32_t depth = controller.getDepth(7);
    uint32_t accepted = 0;
    while (accepted != depth && world.isRight())
      ++accepted;
    uint32_t reached = accepted == depth ? depth : accepted + 1;
    controller.addRound(depth, reached, accepted, world.measure(depth));
    totals.tokens += accepted + 1;
    totals.seconds += world.getSeconds(depth);
    ++totals.byDepth[depth];
  }
  return totals;
}

static double getBestRate(const World &world) {
  double best = 0;
  for (uint32_t depth = 0; depth <= kMaxDraftDepth; ++depth) {
    double tokens = 1, reach = 1;
    for (uint32_t i = 0; i != depth; ++i)
      tokens += reach *= world.acceptance;
    best = std::max(best, tokens / world.getSeconds(depth));
  }
  return best;
}

TEST(DepthController, FindsNearlyTheBestRate) {
  for (World world :
       {World{0.9}, World{0.6}, World{0.3}, World{0.05}, World{0.9, 1, 3, 0.5},
        World{0.8, 1, 1.6, 0.3}, World{0.99, 1, 1.05, 0.02},
        World{0.9, 1, 1.2, 0.1, 6}, World{0.2, 1, 1.3, 0.2, 6}}) {
    DepthController controller;
    play(controller, world, 2000);
    Totals totals = play(controller, world, 4000);
    EXPECT_GT(totals.tokens / totals.seconds, 0.93 * getBestRate(world))
        << world.acceptance << " " << world.verify;
  }
}

// Drafts that are never right cost no more than the probes.
TEST(DepthController, IsHardlySlowerThanPlain) {
  for (World world :
       {World{0}, World{0.2, 1, 4, 1}, World{0.2, 1, 1.3, 0.2, 8}}) {
    DepthController controller;
    Totals early = play(controller, world, 200);
    // The first probes of drafts and a few later ones.
    EXPECT_LE(200 - early.byDepth[0], 5 * DepthController::kProbeRounds + 1);
    Totals late = play(controller, world, 20000);
    EXPECT_LT(late.seconds, 1.02 * world.plain * late.tokens);
    EXPECT_GT(late.byDepth[1], 0u); // It goes on looking.
  }
}

TEST(DepthController, FollowsAChange) {
  DepthController controller;
  play(controller, World{0.9}, 3000);
  EXPECT_GE(controller.getDepth(7), 2u);
  EXPECT_EQ(controller.getDepth(1), 1u);
  play(controller, World{0.0}, 3000);
  EXPECT_LE(controller.getDepth(7), 1u);
  play(controller, World{0.95}, 12000);
  EXPECT_GE(controller.getDepth(7), 2u);
}

// The first run of a program may take long: it is not what a step takes.
TEST(DepthController, ForgetsTheFirstRun) {
  DepthController controller;
  World world{0.9};
  controller.addRound(1, 1, 1, 1000);
  play(controller, world, 1000);
  EXPECT_LT(controller.getSeconds(1), 2);
  EXPECT_GE(controller.getDepth(7), 1u);
}
