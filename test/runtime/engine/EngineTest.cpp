//===- EngineTest.cpp - Steps of ragged sequences -------------------------===//

#include "runtime/engine/Random.h"
#include "runtime/reference/Reference.h"
#include "test/runtime/engine/FakeModel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

using namespace quern;
using namespace quern::test;
using testing::HasSubstr;

namespace {

/// Keeps everything that a step gives, by entry and token index.
struct Recorder final : StepResults {
  struct Result {
    int32_t token;
    std::vector<float> logits;
  };
  std::map<std::pair<size_t, size_t>, Result> results;

  void onResult(size_t entry, size_t index, int32_t token,
                std::span<const float> logits) override {
    results[{entry, index}] = {token, {logits.begin(), logits.end()}};
  }
};

} // namespace

/// Logits of every position of `prompt`, fed in chunks.
static std::vector<std::vector<float>>
feedInChunks(Engine &engine, std::span<const int32_t> prompt, size_t chunk) {
  Result<std::unique_ptr<Sequence>> sequence = engine.createSequence();
  EXPECT_TRUE(sequence.isOk());
  EXPECT_TRUE(engine.setLogitsWanted(true).isOk());
  std::vector<std::vector<float>> logits;
  for (size_t begin = 0; begin < prompt.size(); begin += chunk) {
    Recorder recorder;
    size_t count = std::min(chunk, prompt.size() - begin);
    StepEntry entry{sequence->get(), prompt.subspan(begin, count),
                    ResultRows::All, nullptr};
    Status status = engine.run({&entry, 1}, recorder);
    EXPECT_TRUE(status.isOk()) << status.getMessage();
    EXPECT_EQ(recorder.results.size(), count);
    for (auto &[key, result] : recorder.results)
      logits.push_back(result.logits);
  }
  return logits;
}

/// Decode, verify, prefill with one and several head calls, and mixtures.
class Chunks : public testing::TestWithParam<size_t> {};

TEST_P(Chunks, GiveTheLogitsOfEveryPosition) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  std::vector<int32_t> prompt = makePrompt(37);
  std::vector<std::vector<float>> logits =
      feedInChunks(*engine, prompt, GetParam());
  ASSERT_EQ(logits.size(), prompt.size());
  for (size_t i = 0; i != prompt.size(); ++i)
    EXPECT_EQ(logits[i], computeFakeLogits(std::span(prompt).first(i + 1), 97))
        << "position " << i;
}

INSTANTIATE_TEST_SUITE_P(Engine, Chunks, testing::Values(1, 2, 4, 5, 7, 16));

TEST(Engine, WorksWithTheDecodeProgramAlone) {
  FakeModelOptions options;
  options.verifyTokens = options.prefillTokens = 0;
  std::unique_ptr<Engine> engine = makeFakeEngine(options);
  EXPECT_EQ(engine->getGeometry().maxStepTokens, 1u);
  std::vector<int32_t> prompt = makePrompt(5);
  EXPECT_EQ(feedInChunks(*engine, prompt, 1).back(),
            computeFakeLogits(prompt, 97));
}

// Four sequences with chunks of different sizes in one step, interleaved pages.
TEST(Engine, RaggedStepsGiveEachSequenceItsOwnLogits) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  ASSERT_TRUE(engine->setLogitsWanted(true).isOk());
  std::vector<std::unique_ptr<Sequence>> sequences;
  std::vector<std::vector<int32_t>> prompts;
  for (uint32_t i = 0; i != 4; ++i) {
    sequences.push_back(std::move(*engine->createSequence()));
    prompts.push_back(makePrompt(20, i + 10));
  }
  // Sizes of each sequence's share per step; 0: not in the step.
  const size_t shares[][4] = {{3, 1, 7, 5}, {1, 1, 1, 1}, {0, 2, 0, 1},
                              {6, 0, 9, 1}, {0, 0, 1, 0}, {10, 5, 1, 0}};
  size_t fed[4] = {};
  for (const auto &step : shares) {
    std::vector<StepEntry> entries;
    std::vector<size_t> which;
    for (size_t i = 0; i != 4; ++i)
      if (step[i]) {
        entries.push_back(
            {sequences[i].get(), std::span(prompts[i]).subspan(fed[i], step[i]),
             i % 2 ? ResultRows::Last : ResultRows::All, nullptr});
        fed[i] += step[i];
        which.push_back(i);
      }
    Recorder recorder;
    Status status = engine->run(entries, recorder);
    ASSERT_TRUE(status.isOk()) << status.getMessage();
    size_t expected = 0;
    for (size_t e = 0; e != entries.size(); ++e)
      expected +=
          entries[e].rows == ResultRows::All ? entries[e].tokens.size() : 1;
    EXPECT_EQ(recorder.results.size(), expected);
    for (auto &[key, result] : recorder.results) {
      size_t i = which[key.first];
      size_t length =
          fed[i] - entries[key.first].tokens.size() + key.second + 1;
      EXPECT_EQ(result.logits,
                computeFakeLogits(std::span(prompts[i]).first(length), 97));
    }
  }
}

TEST(Engine, TruncatedSequencesForgetAndReuse) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  std::vector<int32_t> first = makePrompt(14), second = makePrompt(14, 99);
  std::copy_n(first.begin(), 6, second.begin());
  second[6] = (first[6] + 1) % 97;
  Recorder recorder;
  StepEntry entry{sequence.get(), first, ResultRows::Last, nullptr};
  ASSERT_TRUE(engine->run({&entry, 1}, recorder).isOk());
  EXPECT_EQ(sequence->getNumPages(), 4u);
  EXPECT_EQ(sequence->getCommonPrefix(second), 6u);
  sequence->truncate(6);
  EXPECT_EQ(sequence->getNumPages(), 2u);
  EXPECT_EQ(engine->getNumFreePages(), 62u);
  ASSERT_TRUE(engine->setLogitsWanted(true).isOk());
  entry.tokens = std::span(second).subspan(6);
  ASSERT_TRUE(engine->run({&entry, 1}, recorder).isOk());
  EXPECT_EQ((recorder.results[{0, 7}].logits), computeFakeLogits(second, 97));
  for (int32_t v = 0; v != 97; ++v)
    EXPECT_EQ(sequence->getSeenTokens()[v / 32] >> (v % 32) & 1,
              unsigned(std::ranges::count(second, v) != 0));
  sequence.reset();
  EXPECT_EQ(engine->getNumFreePages(), 64u);
}

// Groups 60 to 62: refused, and nothing has happened.
TEST(Engine, RefusesBadSteps) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  std::unique_ptr<Engine> other = makeFakeEngine();
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  std::unique_ptr<Sequence> foreign = std::move(*other->createSequence());
  std::vector<int32_t> good = makePrompt(3), big = makePrompt(17);
  Recorder recorder;
  auto expectBad = [&](std::vector<StepEntry> entries, const char *text) {
    Status status = engine->run(entries, recorder);
    EXPECT_EQ(status.getCode(), StatusCode::InvalidArgument);
    EXPECT_THAT(status.getMessage(), HasSubstr(text));
    EXPECT_EQ(sequence->getLength(), 0u);
    EXPECT_EQ(engine->getNumFreePages(), 64u);
  };
  StepEntry entry{sequence.get(), good, ResultRows::Last, nullptr};
  expectBad({}, "a step without sequences");
  expectBad({entry, entry}, "occurs twice");
  expectBad({5, entry}, "a step of 5 sequences, the model has 4 slots");
  expectBad({{sequence.get(), {}, ResultRows::Last, nullptr}}, "no tokens");
  expectBad({{sequence.get(), big, ResultRows::Last, nullptr}},
            "a step of 17 tokens, the model takes 16 at a time");
  expectBad({{foreign.get(), good, ResultRows::Last, nullptr}},
            "another engine");
  expectBad({{nullptr, good, ResultRows::Last, nullptr}}, "another engine");
  for (int32_t bad : {-1, 97, INT32_MAX, INT32_MIN}) {
    std::vector<int32_t> ids = {1, bad};
    expectBad({{sequence.get(), ids, ResultRows::Last, nullptr}},
              "expected 0 to 96");
  }
  SamplingParameters parameters;
  parameters.topP = 2;
  expectBad({{sequence.get(), good, ResultRows::Last, &parameters}}, "top_p");
  EXPECT_TRUE(recorder.results.empty());
  EXPECT_TRUE(engine->run({&entry, 1}, recorder).isOk());
}

TEST(Engine, RefusesTokensBeyondTheContext) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  std::vector<int32_t> prompt = makePrompt(64);
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  Recorder recorder;
  for (size_t begin = 0; begin != 64; begin += 16) {
    StepEntry entry{sequence.get(), std::span(prompt).subspan(begin, 16),
                    ResultRows::Last, nullptr};
    ASSERT_TRUE(engine->run({&entry, 1}, recorder).isOk());
  }
  StepEntry entry{sequence.get(), std::span(prompt).first(1), ResultRows::Last,
                  nullptr};
  Status status = engine->run({&entry, 1}, recorder);
  EXPECT_EQ(status.getCode(), StatusCode::InvalidArgument);
  EXPECT_THAT(status.getMessage(),
              HasSubstr("1 tokens after 64 exceed the context of 64 tokens"));
}

TEST(Engine, SlotsAndPagesRunOut) {
  FakeModelOptions options;
  options.numPages = 16; // The least: one full sequence.
  std::unique_ptr<Engine> engine = makeFakeEngine(options);
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (int i = 0; i != 4; ++i)
    sequences.push_back(std::move(*engine->createSequence()));
  Result<std::unique_ptr<Sequence>> fifth = engine->createSequence();
  ASSERT_FALSE(fifth.isOk());
  EXPECT_THAT(fifth.getStatus().getMessage(), HasSubstr("all 4 slots"));
  std::vector<int32_t> prompt = makePrompt(16);
  Recorder recorder;
  for (int i = 0; i != 3; ++i) {
    StepEntry entry{sequences[i].get(), prompt, ResultRows::None, nullptr};
    ASSERT_TRUE(engine->run({&entry, 1}, recorder).isOk());
  }
  // Two of four pages each: together more than are left, so neither is taken.
  StepEntry entries[] = {{sequences[0].get(), std::span(prompt).first(8),
                          ResultRows::None, nullptr},
                         {sequences[3].get(), std::span(prompt).first(8),
                          ResultRows::None, nullptr}};
  StepEntry more[] = {entries[0], entries[1]};
  ASSERT_TRUE(engine->run(more, recorder).isOk());
  EXPECT_EQ(engine->getNumFreePages(), 0u);
  StepEntry last{sequences[1].get(), std::span(prompt).first(1),
                 ResultRows::None, nullptr};
  Status status = engine->run({&last, 1}, recorder);
  EXPECT_EQ(status.getCode(), StatusCode::ResourceExhausted);
  EXPECT_THAT(status.getMessage(), HasSubstr("0 of 16 are free"));
  EXPECT_EQ(sequences[1]->getLength(), 16u);
  sequences[3].reset();
  EXPECT_EQ(engine->getNumFreePages(), 2u);
  EXPECT_TRUE(engine->run({&last, 1}, recorder).isOk());
}

// The parameters reach the row that they are for, in every program.
TEST(Engine, SamplesWithTheSequencesOwnParameters) {
  for (size_t length : {1, 3, 12}) {
    std::unique_ptr<Engine> engine = makeFakeEngine();
    std::vector<SamplingParameters> parameters(4);
    std::vector<std::unique_ptr<Sequence>> sequences;
    std::vector<std::vector<int32_t>> prompts;
    std::vector<StepEntry> entries;
    for (uint32_t i = 0; i != 4; ++i) {
      parameters[i] = {
          0.5f + float(i),     int64_t(i) * 9, 0.95f, 0.01f * float(i),
          1 + 0.5f * float(i), i % 2,          i / 2};
      sequences.push_back(std::move(*engine->createSequence()));
      prompts.push_back(makePrompt(length + (length == 1 ? 0 : i % 2), i));
    }
    for (uint32_t i = 0; i != 4 && entries.size() * length < 12; ++i)
      entries.push_back(
          {sequences[i].get(), prompts[i], ResultRows::Last, &parameters[i]});
    Recorder recorder;
    ASSERT_TRUE(engine->run(entries, recorder).isOk());
    ASSERT_EQ(recorder.results.size(), entries.size());
    for (auto &[key, result] : recorder.results) {
      const SamplingParameters &p = parameters[key.first];
      const std::vector<int32_t> &prompt = prompts[key.first];
      std::vector<float> logits = computeFakeLogits(prompt, 97);
      const float row[8] = {p.temperature,
                            float(p.topK),
                            p.topP,
                            p.minP,
                            p.repetitionPenalty,
                            uniformAt(p.seed, p.stream, prompt.size()),
                            0,
                            0};
      std::vector<int32_t> seen(4), token(1);
      for (int32_t id : prompt)
        seen[id / 32] |= int32_t(1u << id % 32);
      reference::sample(logits, 97, row, seen, token);
      EXPECT_EQ(result.token, token[0]) << length << ", " << key.first;
    }
  }
}
