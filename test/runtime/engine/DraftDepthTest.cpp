//===- DraftDepthTest.cpp - How deep `auto` drafts, by a clock of its own -===//
//
// Time is what the engine has done: a step takes a second, a run of a draft
// program as long as a test says. So every count is exact.
//
//===----------------------------------------------------------------------===//
#include "test/runtime/engine/FakeModel.h"
#include "test/runtime/engine/Generations.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

namespace {

class DraftDepthTest : public testing::Test {
protected:
  /// Right drafts in percent, and what one costs in steps.
  void open(uint32_t accuracy, double seconds) {
    FakeModelOptions model;
    model.hasDrafts = true;
    model.draftAccuracy = accuracy;
    model.contextLength = 2048;
    model.numPages = 600;
    secondsPerDraft = seconds;
    EngineOptions options;
    options.now = [this] {
      return EngineOptions::Clock::time_point(
          std::chrono::duration_cast<EngineOptions::Clock::duration>(
              std::chrono::duration<double>(readClock())));
    };
    engine = makeFakeEngine(model, {}, options);
  }

  double readClock() const {
    if (!engine)
      return 0;
    // No program but prefill takes two runs for a step, and no prompt here is
    // long enough for it.
    const EngineStatistics &done = engine->getStatistics();
    return double(done.steps) +
           double(done.submits - done.steps) * secondsPerDraft;
  }

  GenerateResult generateTokens(uint64_t count,
                                int32_t depth = kAutoDraftDepth) {
    GenerationOptions options;
    options.draftDepth = depth;
    options.maxTokens = count;
    std::vector<int32_t> prompt = makePrompt(3), ids;
    auto sequence = engine->createSequence();
    EXPECT_TRUE(sequence.isOk());
    GenerateResult result =
        generateIds(*engine, **sequence, prompt, options, ids);
    EXPECT_EQ(ids, continueGreedily(prompt, count, 97));
    return result;
  }

  double secondsPerDraft = 0;
  std::unique_ptr<Engine> engine;
};

} // namespace

TEST_F(DraftDepthTest, DeepWhereDraftsAreCheapAndRight) {
  open(/*accuracy=*/100, /*seconds=*/1.0 / 16);
  GenerateResult result = generateTokens(1001);
  // Steps and probes of one draft, of none, of two come first.
  EXPECT_LT(result.decodeSeconds, 400);
  EXPECT_EQ(engine->getDepthController().getDepth(7), 3u);
  EXPECT_EQ(result.speculation.getAccepted(), result.speculation.getDrafted());

  // What is known outlives a generation: three drafts from the first round on.
  // The first of them comes from what the draft layer saw of the round before,
  // after the last round it sees nothing.
  result = generateTokens(401);
  EXPECT_EQ(result.decodeSeconds, 100 * (1 + 3.0 / 16) - 1.0 / 16);
  EXPECT_EQ(result.speculation.rounds, 100u);
  EXPECT_EQ(result.speculation.getMeanDepth(), 3);
  EXPECT_EQ(result.speculation.getTokensPerRound(), 4);
}

// Probes of one and of three drafts, the less often the longer they don't pay.
TEST_F(DraftDepthTest, NoneWhereDraftsAreDear) {
  open(/*accuracy=*/100, /*seconds=*/3);
  GenerateResult result = generateTokens(1001);
  EXPECT_EQ(engine->getDepthController().getDepth(7), 0u);
  uint64_t rounds = result.speculation.rounds;
  EXPECT_GT(rounds, DepthController::kProbeRounds);
  EXPECT_LE(rounds, 5 * DepthController::kProbeRounds + 1);
  // Three drafts lose most: four tokens in ten seconds.
  EXPECT_LE(result.decodeSeconds, 1000 + double(rounds) * (10 - 4));
}

TEST_F(DraftDepthTest, NoneWhereDraftsAreWrong) {
  open(/*accuracy=*/0, /*seconds=*/1.0 / 16);
  GenerateResult result = generateTokens(1001);
  EXPECT_EQ(engine->getDepthController().getDepth(7), 0u);
  EXPECT_LE(result.speculation.rounds, 5 * DepthController::kProbeRounds + 1);
  EXPECT_EQ(result.speculation.getTokensPerRound(), 1);
  EXPECT_LE(result.decodeSeconds, 1005);
}

TEST_F(DraftDepthTest, TheSameTimesGiveTheSameDepths) {
  SpeculationStatistics first;
  double seconds = 0;
  for (bool isFirst : {true, false}) {
    open(/*accuracy=*/60, /*seconds=*/1.0 / 8);
    GenerateResult result = generateTokens(601);
    if (isFirst) {
      first = result.speculation;
      seconds = result.decodeSeconds;
      continue;
    }
    EXPECT_EQ(result.decodeSeconds, seconds);
    EXPECT_EQ(result.speculation.rounds, first.rounds);
    EXPECT_EQ(result.speculation.depths, first.depths);
    EXPECT_EQ(result.speculation.drafted, first.drafted);
    EXPECT_EQ(result.speculation.accepted, first.accepted);
  }
  EXPECT_LT(seconds, 600);
}

TEST_F(DraftDepthTest, FixedDepthsAndNone) {
  open(/*accuracy=*/100, /*seconds=*/1.0 / 4);
  EXPECT_EQ(generateTokens(41, 0).decodeSeconds, 40);
  GenerateResult result = generateTokens(41, 2);
  // 13 rounds of three tokens, then one token.
  EXPECT_EQ(result.speculation.rounds, 13u);
  EXPECT_EQ(result.speculation.getMeanDepth(), 2);
  EXPECT_EQ(result.decodeSeconds, 13 * (1 + 2.0 / 4) + 1);
}
