//===- SpeculationTest.cpp - Drafts change speed, never results -----------===//

#include "test/runtime/engine/CountAllocations.h"
#include "test/runtime/engine/FakeModel.h"
#include "test/runtime/engine/Generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;
using testing::HasSubstr;

static FakeModelOptions makeDrafting(uint32_t accuracy, bool isHybrid) {
  FakeModelOptions options;
  options.hasDrafts = true;
  options.draftAccuracy = accuracy;
  options.isHybrid = isHybrid;
  options.contextLength = 128;
  return options;
}

namespace {

/// What one generation gave, and what is left of it.
struct Outcome {
  std::vector<int32_t> ids;
  FinishReason reason;
  SpeculationStatistics speculation;
  uint32_t length;
  uint64_t pages;
};

} // namespace

static Outcome run(Engine &engine, Scheduler &scheduler, Sequence &sequence,
                   std::span<const int32_t> prompt,
                   const GenerationOptions &options,
                   size_t stopAfter = SIZE_MAX) {
  TokenCollector listener;
  listener.stopAfter = stopAfter;
  Generation generation(sequence, prompt, options, &listener);
  Status added = scheduler.add(generation);
  EXPECT_TRUE(added.isOk()) << added.getMessage();
  runAll(scheduler);
  return {listener.tokens, generation.getFinishReason(),
          generation.getSpeculation(), sequence.getLength(),
          engine.getStatistics().pagesInUse};
}

static Outcome runAlone(const FakeModelOptions &model,
                        std::span<const int32_t> prompt,
                        const GenerationOptions &options,
                        size_t stopAfter = SIZE_MAX) {
  std::unique_ptr<Engine> engine = makeFakeEngine(model);
  Scheduler scheduler(*engine);
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  return run(*engine, scheduler, *sequence, prompt, options, stopAfter);
}

static void expectSame(const Outcome &found, const Outcome &expected) {
  EXPECT_EQ(found.ids, expected.ids);
  EXPECT_EQ(found.reason, expected.reason);
  EXPECT_EQ(found.length, expected.length);
  EXPECT_EQ(found.pages, expected.pages);
}

/// Accuracy of the drafts in percent, depth, whether the model is a hybrid.
class Speculation
    : public testing::TestWithParam<std::tuple<uint32_t, int32_t, bool>> {
protected:
  FakeModelOptions model =
      makeDrafting(std::get<0>(GetParam()), std::get<2>(GetParam()));
  int32_t depth = std::get<1>(GetParam());

  /// With drafts and without, all the same.
  Outcome compare(std::span<const int32_t> prompt, GenerationOptions options,
                  size_t stopAfter = SIZE_MAX) {
    options.draftDepth = 0;
    Outcome plain = runAlone(model, prompt, options, stopAfter);
    EXPECT_EQ(plain.speculation.rounds, 0u);
    options.draftDepth = depth;
    Outcome found = runAlone(model, prompt, options, stopAfter);
    expectSame(found, plain);
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(Engine, Speculation,
                         testing::Combine(testing::Values(100u, 60u, 0u),
                                          testing::Values(1, 2, 3,
                                                          kAutoDraftDepth),
                                          testing::Bool()));

TEST_P(Speculation, GreedyIsPlainGreedy) {
  uint64_t gaps = countDraftGaps();
  GenerationOptions options;
  options.maxTokens = 90;
  for (uint32_t chunk : {0, 5, 1}) {
    options.chunkTokens = chunk;
    std::vector<int32_t> prompt = makePrompt(21, chunk);
    Outcome found = compare(prompt, options);
    EXPECT_EQ(found.ids, continueGreedily(prompt, 90, 97));
    const SpeculationStatistics &speculation = found.speculation;
    if (depth == kAutoDraftDepth)
      continue;
    EXPECT_GT(speculation.rounds, 15u);
    for (int32_t i = 0; i != depth; ++i) {
      if (std::get<0>(GetParam()) == 100) {
        EXPECT_EQ(speculation.accepted[i], speculation.drafted[i]);
      } else if (std::get<0>(GetParam()) == 0) {
        EXPECT_EQ(speculation.accepted[i], 0u);
      }
    }
    if (std::get<0>(GetParam()) == 0) {
      EXPECT_EQ(speculation.getDrafted(), speculation.rounds);
      EXPECT_EQ(speculation.getTokensPerRound(), 1);
    } else if (std::get<0>(GetParam()) == 100) {
      EXPECT_GT(speculation.getTokensPerRound(), depth + 0.8);
    }
  }
  // The draft layer has seen every token of prompt and answer.
  if (depth != kAutoDraftDepth) {
    EXPECT_EQ(countDraftGaps(), gaps);
  }
}

TEST_P(Speculation, SamplingIsPlainSampling) {
  for (uint32_t seed = 0; seed != 6; ++seed) {
    GenerationOptions options;
    options.maxTokens = 60;
    options.sampling.temperature = 0.4f + 0.2f * float(seed);
    options.sampling.topK = seed % 2 ? 20 : 0;
    options.sampling.topP = seed % 3 ? 0.9f : 1;
    options.sampling.repetitionPenalty = seed % 2 ? 1 : 1.5f;
    options.sampling.seed = seed;
    Outcome found = compare(makePrompt(7 + seed, seed), options);
    EXPECT_EQ(found.ids.size(), 60u);
    // A draft is sampled with the random number of the row that checks it.
    if (std::get<0>(GetParam()) == 100) {
      EXPECT_EQ(found.speculation.getAccepted(),
                found.speculation.getDrafted());
    }
  }
}

TEST_P(Speculation, EndsWherePlainDecodingEnds) {
  std::vector<int32_t> prompt = makePrompt(9);
  std::vector<int32_t> greedy = continueGreedily(prompt, 40, 97);
  for (size_t end : {0, 1, 2, 3, 6}) {
    GenerationOptions options;
    model.endTokens = {greedy[end]};
    Outcome stopped = compare(prompt, options);
    EXPECT_EQ(stopped.reason, FinishReason::EndOfSequence);
    EXPECT_LE(stopped.ids.size(), end + 1);
    options.ignoreEndOfSequence = true;
    options.maxTokens = end + 1;
    EXPECT_EQ(compare(prompt, options).reason, FinishReason::MaxTokens);
    options.maxTokens = UINT64_MAX;
    Outcome cancelled = compare(prompt, options, end + 1);
    EXPECT_EQ(cancelled.reason, FinishReason::Stopped);
    EXPECT_EQ(cancelled.ids.size(), end + 1);
  }
}

TEST_P(Speculation, FillsContextAndCache) {
  GenerationOptions options;
  model.contextLength = 64;
  for (size_t length : {40, 57, 61, 63, 64})
    EXPECT_EQ(compare(makePrompt(length), options).reason,
              FinishReason::ContextFull);
  // The pool is smaller than what two contexts take; another sequence keeps
  // all pages but three.
  model.numPages = 18;
  options.draftDepth = depth;
  std::unique_ptr<Engine> engine = makeFakeEngine(model);
  Scheduler scheduler(*engine);
  std::unique_ptr<Sequence> other = std::move(*engine->createSequence());
  GenerationOptions one;
  one.maxTokens = 1;
  run(*engine, scheduler, *other, makePrompt(60), one);
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  std::vector<int32_t> prompt = makePrompt(5, 2);
  Outcome found = run(*engine, scheduler, *sequence, prompt, options);
  EXPECT_EQ(found.reason, FinishReason::CacheFull);
  EXPECT_EQ(found.length, 12u);
  EXPECT_EQ(found.ids, continueGreedily(prompt, 8, 97));
  EXPECT_EQ(engine->getNumFreePages(), 0u);
}

// Turns of a chat: what is kept is kept for the draft layer too.
TEST_P(Speculation, TurnsOfAChat) {
  uint64_t gaps = countDraftGaps();
  std::unique_ptr<Engine> engine = makeFakeEngine(model);
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  GenerationOptions options;
  options.draftDepth = depth;
  options.maxTokens = 14;
  std::vector<int32_t> prompt = makePrompt(20);
  for (uint32_t turn = 0; turn != 3; ++turn) {
    std::vector<int32_t> ids;
    GenerateResult result =
        generateIds(*engine, *sequence, prompt, options, ids);
    EXPECT_EQ(ids, continueGreedily(prompt, 14, 97)) << turn;
    // The question, the answer's last token, at most a round of drafts.
    EXPECT_GE(result.reusedTokens + 4 + 1 + 8, turn ? prompt.size() : 0);
    prompt.insert(prompt.end(), ids.begin(), ids.end());
    // The answer's last token is there, or replaced by another.
    if (turn == 1)
      prompt.back() = (prompt.back() + 1) % 97;
    std::vector<int32_t> question = makePrompt(4, turn + 50);
    prompt.insert(prompt.end(), question.begin(), question.end());
  }
  if (depth != kAutoDraftDepth) {
    EXPECT_EQ(countDraftGaps(), gaps);
  }
}

// Generations that come and go: drafts only while one runs alone.
TEST_P(Speculation, OthersShareTheSteps) {
  std::unique_ptr<Engine> engine = makeFakeEngine(model);
  Scheduler scheduler(*engine);
  GenerationOptions options;
  options.draftDepth = depth;
  options.maxTokens = 50;
  std::vector<int32_t> prompts[2] = {makePrompt(9), makePrompt(25, 2)};
  std::unique_ptr<Sequence> sequences[2];
  TokenCollector listeners[2];
  for (auto &sequence : sequences)
    sequence = std::move(*engine->createSequence());
  Generation first(*sequences[0], prompts[0], options, &listeners[0]);
  ASSERT_TRUE(scheduler.add(first).isOk());
  for (int step = 0; step != 6; ++step)
    ASSERT_TRUE(scheduler.step().isOk());
  options.maxTokens = 10;
  Generation second(*sequences[1], prompts[1], options, &listeners[1]);
  ASSERT_TRUE(scheduler.add(second).isOk());
  while (!scheduler.isIdle())
    ASSERT_TRUE(scheduler.step().isOk());
  EXPECT_EQ(listeners[0].tokens, continueGreedily(prompts[0], 50, 97));
  EXPECT_EQ(listeners[1].tokens, continueGreedily(prompts[1], 10, 97));
  EXPECT_EQ(second.getSpeculation().rounds, 0u);
  EXPECT_GT(first.getSpeculation().rounds, 0u);
}

// The device is lost in any submit of a round: nothing is told twice, and what
// was told is right.
TEST_P(Speculation, DeviceLost) {
  std::vector<int32_t> prompt = makePrompt(20);
  std::vector<int32_t> greedy = continueGreedily(prompt, 30, 97);
  for (uint64_t submit = 1; submit != 26; ++submit) {
    NullDeviceOptions device;
    (submit % 2 ? device.loseAtSubmit : device.loseAtWait) = submit;
    std::unique_ptr<Engine> engine = makeFakeEngine(model, device);
    Scheduler scheduler(*engine);
    std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
    TokenCollector listener;
    GenerationOptions options;
    options.draftDepth = depth;
    Generation generation(*sequence, prompt, options, &listener);
    ASSERT_TRUE(scheduler.add(generation).isOk());
    Status status;
    while (status.isOk() && !scheduler.isIdle())
      status = scheduler.step();
    EXPECT_EQ(status.getCode(), StatusCode::DeviceLost);
    EXPECT_EQ(generation.getFinishReason(), FinishReason::Failed);
    EXPECT_TRUE(scheduler.isIdle());
    ASSERT_LE(listener.tokens.size(), greedy.size());
    EXPECT_TRUE(std::equal(listener.tokens.begin(), listener.tokens.end(),
                           greedy.begin()));
  }
}

TEST_P(Speculation, AllocatesNothing) {
  auto load = LoadedModel::load(
      openFakeBundle(model),
      std::make_unique<UncountedDevice>(makeFakeDevice(model)));
  ASSERT_TRUE(load.isOk());
  Engine engine(std::move(*load));
  Scheduler scheduler(engine);
  std::unique_ptr<Sequence> sequence = std::move(*engine.createSequence());
  TokenCollector listener;
  listener.tokens.reserve(256);
  GenerationOptions options;
  options.draftDepth = depth;
  options.sampling.temperature = 0.8f;
  options.sampling.repetitionPenalty = 1.1f;
  std::vector<int32_t> prompt = makePrompt(20);
  Generation generation(*sequence, prompt, options, &listener);
  ASSERT_TRUE(scheduler.add(generation).isOk());
  uint64_t before = countAllocations();
  while (!scheduler.isIdle())
    ASSERT_TRUE(scheduler.step().isOk());
  EXPECT_EQ(countAllocations(), before);
  EXPECT_GT(listener.tokens.size(), 90u);
}

namespace {

/// Knows the right tokens, and says others as a pattern wants.
class KnownDrafts final : public Drafter {
public:
  KnownDrafts(std::vector<int32_t> text, std::vector<int> offsets)
      : text(std::move(text)), offsets(std::move(offsets)) {}
  uint32_t getMaxDepth() const override { return 3; }
  Status observe(Sequence &, uint32_t, int32_t,
                 const SamplingParameters &) override {
    ++observed;
    return Status::ok();
  }
  Result<uint32_t> propose(Sequence &sequence, int32_t next,
                           const SamplingParameters &,
                           std::span<int32_t> drafts) override {
    size_t length = sequence.getLength();
    EXPECT_EQ(next, text[length]);
    for (size_t i = 0; i != drafts.size(); ++i)
      drafts[i] = text[length + 1 + i] + offsets[round++ % offsets.size()];
    return uint32_t(drafts.size());
  }
  std::vector<int32_t> text;
  std::vector<int> offsets;
  size_t round = 0, observed = 0;
};

} // namespace

// The drafter is a part of its own: it needs no draft programs, and wrong or
// senseless drafts do no harm.
TEST(SpeculativeDecoder, TakesAnyDrafter) {
  std::vector<int32_t> prompt = makePrompt(12);
  std::vector<int32_t> greedy = continueGreedily(prompt, 50, 97);
  std::vector<int32_t> text = prompt;
  text.insert(text.end(), greedy.begin(), greedy.end());
  text.resize(128);
  for (const std::vector<int> &offsets :
       {std::vector<int>{0}, {0, 0, 1}, {1}, {1000, 0}, {-1000}, {0, -1000}}) {
    FakeModelOptions model;
    model.isHybrid = true;
    std::unique_ptr<Engine> engine = makeFakeEngine(model);
    auto drafter = std::make_unique<KnownDrafts>(text, offsets);
    KnownDrafts &known = *drafter;
    Scheduler scheduler(*engine, std::move(drafter));
    std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
    GenerationOptions options;
    options.draftDepth = 3;
    options.maxTokens = 50;
    Outcome found = run(*engine, scheduler, *sequence, prompt, options);
    EXPECT_EQ(found.ids, greedy);
    EXPECT_GT(known.observed, 10u);
    if (offsets == std::vector<int>{0}) {
      EXPECT_EQ(found.speculation.rounds, 12u); // 1 + 12 x 4, then 1 plain.
      EXPECT_EQ(found.speculation.accepted[2], 12u);
    }
  }
}

TEST(SpeculativeDecoder, RefusesBadDepths) {
  std::unique_ptr<Engine> engine = makeFakeEngine(makeDrafting(100, false));
  Scheduler scheduler(*engine);
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  std::vector<int32_t> prompt = {1};
  for (int32_t depth : {-2, 8}) {
    GenerationOptions options;
    options.draftDepth = depth;
    Generation generation(*sequence, prompt, options, nullptr);
    EXPECT_THAT(scheduler.add(generation).getMessage(),
                HasSubstr("the draft depth is " + std::to_string(depth)));
  }
}

TEST(Engine, SamplesAllRowsOfOneSmallEntry) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  struct : StepResults {
    void onResult(size_t, size_t, int32_t, std::span<const float>) override {}
  } results;
  std::vector<int32_t> tokens = makePrompt(5);
  StepEntry entry{sequence.get(), tokens, ResultRows::All, nullptr, true};
  EXPECT_THAT(engine->run({&entry, 1}, results).getMessage(),
              HasSubstr("at most 4 tokens samples all rows"));
}
