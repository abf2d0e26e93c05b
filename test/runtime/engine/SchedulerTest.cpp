//===- SchedulerTest.cpp - Generations that share steps -------------------===//

#include "test/runtime/engine/CountAllocations.h"
#include "test/runtime/engine/FakeModel.h"
#include "test/runtime/engine/Generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;
using testing::HasSubstr;

namespace {

/// One generation with everything that it refers to.
struct Job {
  Job(Engine &engine, std::vector<int32_t> prompt, GenerationOptions options)
      : prompt(std::move(prompt)),
        sequence(std::move(*engine.createSequence())),
        generation(*sequence, this->prompt, options, &listener) {
    listener.tokens.reserve(1024);
  }
  std::vector<int32_t> prompt;
  TokenCollector listener;
  std::unique_ptr<Sequence> sequence;
  Generation generation;
};

} // namespace

static std::vector<int32_t> generateAlone(std::vector<int32_t> prompt,
                                          const GenerationOptions &options) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  Scheduler scheduler(*engine);
  Job job(*engine, std::move(prompt), options);
  EXPECT_TRUE(scheduler.add(job.generation).isOk());
  runAll(scheduler);
  return job.listener.tokens;
}

TEST(Scheduler, GreedyContinuationForEveryChunk) {
  std::vector<int32_t> prompt = makePrompt(21);
  GenerationOptions options;
  options.maxTokens = 30;
  std::vector<int32_t> expected = continueGreedily(prompt, 30, 97);
  for (uint32_t chunk : {0, 1, 3, 4, 5, 16, 100}) {
    options.chunkTokens = chunk;
    EXPECT_EQ(generateAlone(prompt, options), expected) << chunk;
  }
}

// Generations that start at different times, with different lengths, chunks
// and parameters, give what each gives alone.
TEST(Scheduler, BatchingChangesNoResult) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  Scheduler scheduler(*engine);
  std::vector<std::unique_ptr<Job>> jobs;
  for (uint32_t i = 0; i != 4; ++i) {
    GenerationOptions options;
    options.maxTokens = 5 + 6 * i;
    options.chunkTokens = i == 1 ? 3 : 0;
    options.sampling.temperature = i == 0 ? 0 : 0.7f;
    options.sampling.topK = 30;
    options.sampling.topP = 0.9f;
    options.sampling.repetitionPenalty = i == 3 ? 1.3f : 1;
    options.sampling.seed = 5;
    options.sampling.stream = i;
    jobs.push_back(
        std::make_unique<Job>(*engine, makePrompt(7 + 9 * i, i), options));
    ASSERT_TRUE(scheduler.add(jobs[i]->generation).isOk());
    ASSERT_TRUE(scheduler.step().isOk());
    ASSERT_TRUE(scheduler.step().isOk());
  }
  runAll(scheduler);
  for (uint32_t i = 0; i != 4; ++i) {
    GenerationOptions options;
    options.maxTokens = 5 + 6 * i;
    options.sampling.temperature = i == 0 ? 0 : 0.7f;
    options.sampling.topK = 30;
    options.sampling.topP = 0.9f;
    options.sampling.repetitionPenalty = i == 3 ? 1.3f : 1;
    options.sampling.seed = 5;
    options.sampling.stream = i;
    EXPECT_EQ(jobs[i]->listener.tokens,
              generateAlone(jobs[i]->prompt, options));
    EXPECT_EQ(jobs[i]->generation.getFinishReason(), FinishReason::MaxTokens);
  }
}

TEST(Scheduler, SeedsAndStreamsDiffer) {
  GenerationOptions options;
  options.maxTokens = 20;
  options.sampling.temperature = 1;
  std::vector<int32_t> prompt = makePrompt(5);
  std::vector<int32_t> first = generateAlone(prompt, options);
  EXPECT_EQ(generateAlone(prompt, options), first);
  options.sampling.seed = 1;
  std::vector<int32_t> second = generateAlone(prompt, options);
  EXPECT_NE(second, first);
  options.sampling.stream = 1;
  EXPECT_NE(generateAlone(prompt, options), second);
}

TEST(Scheduler, StopsAtEndTokensUnlessToldNotTo) {
  std::vector<int32_t> prompt = makePrompt(9);
  std::vector<int32_t> expected = continueGreedily(prompt, 20, 97);
  FakeModelOptions model;
  model.endTokens = {96, expected[5]};
  if (expected[5] == 96)
    GTEST_FAIL() << "the prompt does not suit the test";
  size_t end =
      std::ranges::find_first_of(expected, model.endTokens) - expected.begin();
  for (bool ignore : {false, true}) {
    std::unique_ptr<Engine> engine = makeFakeEngine(model);
    Scheduler scheduler(*engine);
    GenerationOptions options;
    options.maxTokens = 20;
    options.ignoreEndOfSequence = ignore;
    Job job(*engine, prompt, options);
    ASSERT_TRUE(scheduler.add(job.generation).isOk());
    runAll(scheduler);
    std::vector<int32_t> wanted = expected;
    if (!ignore)
      wanted.resize(end + 1); // The end token is handed out.
    EXPECT_EQ(job.listener.tokens, wanted);
    EXPECT_EQ(job.generation.getFinishReason(),
              ignore ? FinishReason::MaxTokens : FinishReason::EndOfSequence);
  }
}

// Groups 60 and 65.
TEST(Scheduler, StopsWhenContextOrPagesAreFullOrTheListenerSaysSo) {
  FakeModelOptions model;
  model.numPages = 18;
  std::unique_ptr<Engine> engine = makeFakeEngine(model);
  Scheduler scheduler(*engine);
  {
    Job job(*engine, makePrompt(60), {});
    ASSERT_TRUE(scheduler.add(job.generation).isOk());
    runAll(scheduler);
    EXPECT_EQ(job.generation.getFinishReason(), FinishReason::ContextFull);
    EXPECT_EQ(job.sequence->getLength(), 64u);
    EXPECT_EQ(job.listener.tokens.size(), 5u); // After positions 60 to 64.
    EXPECT_EQ(job.listener.tokens, continueGreedily(job.prompt, 5, 97));

    // Two pages are left: 8 tokens.
    Job second(*engine, makePrompt(6, 2), {});
    ASSERT_TRUE(scheduler.add(second.generation).isOk());
    runAll(scheduler);
    EXPECT_EQ(second.generation.getFinishReason(), FinishReason::CacheFull);
    EXPECT_EQ(second.listener.tokens, continueGreedily(second.prompt, 3, 97));
  }
  Job third(*engine, makePrompt(6, 3), {});
  third.listener.stopAfter = 4;
  ASSERT_TRUE(scheduler.add(third.generation).isOk());
  runAll(scheduler);
  EXPECT_EQ(third.generation.getFinishReason(), FinishReason::Stopped);
  EXPECT_EQ(third.listener.tokens.size(), 4u);
}

TEST(Scheduler, RefusesBadGenerations) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  Scheduler scheduler(*engine);
  auto expectBad = [&](std::vector<int32_t> prompt, GenerationOptions options,
                       const char *text) {
    Job job(*engine, std::move(prompt), options);
    Status status = scheduler.add(job.generation);
    EXPECT_EQ(status.getCode(), StatusCode::InvalidArgument);
    EXPECT_THAT(status.getMessage(), HasSubstr(text));
    EXPECT_TRUE(scheduler.isIdle());
  };
  expectBad({}, {}, "the prompt is empty");
  expectBad({1, 97}, {}, "prompt token 1 is 97, expected 0 to 96");
  expectBad({-1}, {}, "prompt token 0 is -1");
  expectBad(makePrompt(65), {}, "the prompt has 65 tokens, 64 of the context");
  GenerationOptions options;
  options.maxTokens = 0;
  expectBad({1}, options, "max_tokens is 0");
  options = {};
  options.sampling.minP = -1;
  expectBad({1}, options, "min_p");
  Job job(*engine, {1, 2}, {});
  ASSERT_TRUE(scheduler.add(job.generation).isOk());
  EXPECT_THAT(scheduler.add(job.generation).getMessage(),
              HasSubstr("running already"));
  scheduler.cancel(job.generation);
  EXPECT_TRUE(scheduler.isIdle());
  EXPECT_EQ(job.generation.getFinishReason(), FinishReason::Stopped);
}

TEST(Scheduler, DecodingAllocatesNothing) {
  FakeModelOptions model;
  auto load = LoadedModel::load(
      openFakeBundle(model),
      std::make_unique<UncountedDevice>(makeFakeDevice(model)));
  ASSERT_TRUE(load.isOk());
  Engine engine(std::move(*load));
  Scheduler scheduler(engine);
  std::vector<std::unique_ptr<Job>> jobs;
  for (uint32_t i = 0; i != 3; ++i) {
    GenerationOptions options;
    options.sampling.temperature = float(i);
    options.sampling.repetitionPenalty = 1.1f;
    jobs.push_back(std::make_unique<Job>(engine, makePrompt(3, i), options));
    ASSERT_TRUE(scheduler.add(jobs[i]->generation).isOk());
  }
  ASSERT_TRUE(scheduler.step().isOk());
  ASSERT_TRUE(scheduler.step().isOk());
  uint64_t before = countAllocations();
  for (int step = 0; step != 50; ++step)
    ASSERT_TRUE(scheduler.step().isOk());
  EXPECT_EQ(countAllocations(), before);
  EXPECT_GE(jobs[0]->listener.tokens.size(), 50u);
  // The counter works.
  jobs.push_back(nullptr);
  jobs.push_back(nullptr);
  std::make_unique<int>(3);
  EXPECT_GT(countAllocations(), before);
}
