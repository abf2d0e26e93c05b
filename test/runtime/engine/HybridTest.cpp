//===- HybridTest.cpp - Recurrent states beside the cache -----------------===//
//
// The kernels of the fake model compare what the recurrent states say with the
// cache and check the room in the rings, in every call.
//
//===----------------------------------------------------------------------===//

#include "test/runtime/engine/FakeModel.h"
#include "test/runtime/engine/Generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

namespace {

struct LastToken final : StepResults {
  int32_t token = -1;
  void onResult(size_t, size_t, int32_t chosen,
                std::span<const float>) override {
    token = chosen;
  }
};

} // namespace

static FakeModelOptions makeHybrid() {
  FakeModelOptions options;
  options.isHybrid = true;
  return options;
}

/// Feeds tokens and expects what follows them.
static void feed(Engine &engine, Sequence &sequence,
                 std::span<const int32_t> tokens) {
  LastToken last;
  StepEntry entry{&sequence, tokens, ResultRows::Last, nullptr};
  Status status = engine.run({&entry, 1}, last);
  ASSERT_TRUE(status.isOk()) << status.getMessage();
  std::vector<int32_t> history(sequence.getTokens().begin(),
                               sequence.getTokens().end());
  EXPECT_EQ(last.token, continueGreedily(history, 1, 97)[0])
      << "length " << history.size();
}

// Every size of step, many times around the rings of 8 tokens.
TEST(Hybrid, StepsOfEverySizeFoldInTime) {
  for (size_t chunk = 1; chunk != 17; ++chunk) {
    std::unique_ptr<Engine> engine = makeFakeEngine(makeHybrid());
    std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
    std::vector<int32_t> prompt = makePrompt(60);
    for (size_t begin = 0; begin < prompt.size(); begin += chunk)
      feed(*engine, *sequence,
           std::span(prompt).subspan(begin,
                                     std::min(chunk, prompt.size() - begin)));
    EXPECT_EQ(sequence->getLength(), 60u);
  }
}

TEST(Hybrid, StepsOfMixedSizes) {
  std::unique_ptr<Engine> engine = makeFakeEngine(makeHybrid());
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  std::vector<int32_t> prompt = makePrompt(64);
  size_t begin = 0;
  for (size_t count : {3, 1, 1, 4, 9, 1, 4, 4, 2, 16, 3, 1, 1, 4, 1, 4, 5}) {
    feed(*engine, *sequence, std::span(prompt).subspan(begin, count));
    begin += count;
  }
  EXPECT_EQ(begin, 64u);
}

// Four sequences in one step, some of them in prefill steps of others.
TEST(Hybrid, SequencesShareSteps) {
  std::unique_ptr<Engine> engine = makeFakeEngine(makeHybrid());
  std::vector<std::unique_ptr<Sequence>> sequences;
  std::vector<std::vector<int32_t>> prompts;
  for (uint32_t i = 0; i != 4; ++i) {
    sequences.push_back(std::move(*engine->createSequence()));
    prompts.push_back(makePrompt(40, i + 1));
  }
  LastToken last;
  for (size_t step = 0; step != 24; ++step) {
    std::vector<StepEntry> entries;
    for (size_t i = 0; i != 4; ++i) {
      size_t count = step % (i + 2) == 0 ? 1 + (step + i) % 4 : i % 2;
      size_t length = sequences[i]->getLength();
      count = std::min(count, prompts[i].size() - length);
      if (count)
        entries.push_back({sequences[i].get(),
                           std::span(prompts[i]).subspan(length, count),
                           ResultRows::Last, nullptr});
    }
    if (entries.empty())
      continue;
    Status status = engine->run(entries, last);
    ASSERT_TRUE(status.isOk()) << status.getMessage();
  }
  for (size_t i = 0; i != 4; ++i)
    EXPECT_GT(sequences[i]->getLength(), 10u);
}

TEST(Hybrid, CutsWhatIsNotFolded) {
  std::unique_ptr<Engine> engine = makeFakeEngine(makeHybrid());
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  std::vector<int32_t> prompt = makePrompt(40);
  feed(*engine, *sequence, std::span(prompt).first(9)); // Prefill folds.
  EXPECT_EQ(sequence->getShortestLength(), 9u);
  EXPECT_EQ(sequence->getReachableLength(8), 0u);
  for (uint32_t i = 0; i != 30; ++i) {
    // A draft of three tokens, of which `accepted` are kept.
    uint32_t length = sequence->getLength();
    std::vector<int32_t> draft = makePrompt(4, i + 7);
    draft[0] = prompt[i];
    feed(*engine, *sequence, draft);
    EXPECT_LE(sequence->getShortestLength(), length);
    uint32_t accepted = i % 3 == 2 ? i % 4 : 1;
    EXPECT_EQ(sequence->getReachableLength(length + accepted),
              length + accepted);
    sequence->truncate(length + accepted);
    EXPECT_EQ(sequence->getLength(), length + accepted);
  }
  // Further back than the states go, nothing is left.
  sequence->truncate(sequence->getShortestLength() - 1);
  EXPECT_EQ(sequence->getLength(), 0u);
  EXPECT_EQ(sequence->getNumPages(), 0u);
  EXPECT_EQ(sequence->getShortestLength(), 0u);
  feed(*engine, *sequence, prompt = makePrompt(5, 99));
}

// Half of a convolution's ring can be taken back, however little is folded.
TEST(Hybrid, ConvolutionsLimitCuts) {
  FakeModelOptions options = makeHybrid();
  options.ring = 64;
  std::unique_ptr<Engine> engine = makeFakeEngine(options);
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  std::vector<int32_t> prompt = makePrompt(40);
  for (int32_t token : std::span(prompt).first(20))
    feed(*engine, *sequence, std::span(&token, 1));
  EXPECT_EQ(sequence->getShortestLength(), 16u);
  sequence->truncate(16);
  feed(*engine, *sequence, std::span(prompt).subspan(30, 2));
  // What was written up to position 20 is still there.
  EXPECT_EQ(sequence->getShortestLength(), 16u);
  sequence->truncate(17);
  feed(*engine, *sequence, std::span(prompt).subspan(31, 4));
}

TEST(Hybrid, SlotsAreUsedAgain) {
  FakeModelOptions options = makeHybrid();
  options.numSlots = 1;
  std::unique_ptr<Engine> engine = makeFakeEngine(options);
  for (uint32_t i = 0; i != 4; ++i) {
    std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
    std::vector<int32_t> prompt = makePrompt(4 + 4 * i, i);
    feed(*engine, *sequence, prompt);
    feed(*engine, *sequence, std::span(prompt).first(2));
  }
}

TEST(Hybrid, GenerationsReuseWhatTheStatesAllow) {
  std::unique_ptr<Engine> engine = makeFakeEngine(makeHybrid());
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  GenerationOptions options;
  options.maxTokens = 12;
  std::vector<int32_t> prompt = makePrompt(20);
  auto run = [&](size_t reused) {
    std::vector<int32_t> ids;
    GenerateResult result =
        generateIds(*engine, *sequence, prompt, options, ids);
    EXPECT_EQ(result.reusedTokens, reused);
    EXPECT_EQ(ids, continueGreedily(prompt, 12, 97));
    prompt.insert(prompt.end(), ids.begin(), ids.end());
  };
  run(0);
  prompt.push_back(3); // The next turn: the last token was not fed yet.
  run(31);
  // A turn that begins in front of what is folded starts over.
  prompt.resize(22);
  run(0);
}

// The device has folded a step that fails afterwards: nothing is left. One that
// only appended is as if it had not been.
TEST(Hybrid, StepsThatFail) {
  FakeModelOptions options = makeHybrid();
  std::unique_ptr<NullDevice> device = makeFakeDevice(options);
  NullDevice *raw = device.get();
  Result<std::unique_ptr<LoadedModel>> model =
      LoadedModel::load(openFakeBundle(options), std::move(device));
  ASSERT_TRUE(model.isOk());
  Engine engine(std::move(*model));
  std::vector<int32_t> prompt = makePrompt(60);
  LastToken last;
  for (size_t before = 0; before != 20; ++before) {
    for (size_t count : {1, 3, 4, 7}) {
      std::unique_ptr<Sequence> sequence = std::move(*engine.createSequence());
      for (size_t i = 0; i != before; ++i)
        feed(engine, *sequence, std::span(prompt).subspan(i, 1));
      uint32_t shortest = sequence->getShortestLength();
      raw->setKernelFunction("sample_decode", [](const auto &) {});
      raw->setKernelFunction("sample_verify", [](const auto &) {});
      raw->setKernelFunction("sample_head", [](const auto &) {});
      StepEntry entry{sequence.get(), std::span(prompt).subspan(before, count),
                      ResultRows::Last, nullptr};
      EXPECT_EQ(engine.run({&entry, 1}, last).getCode(),
                StatusCode::DeviceError);
      EXPECT_EQ(sequence->getLength(), count > 4 ? 0 : before);
      EXPECT_TRUE(sequence->getShortestLength() >= shortest || count > 4);
      for (const char *name : {"sample_decode", "sample_verify", "sample_head"})
        raw->setKernelFunction(name, makeFakeSampler(options));
      feed(engine, *sequence, std::span(prompt).subspan(before, 2));
    }
  }
}
