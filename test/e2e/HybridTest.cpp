//===- HybridTest.cpp - Hybrids on the device against the reference -------===//
//
// As GoldenTest, for models with gated delta nets: every way of splitting a
// prompt into steps goes through other kernels (scan, rings, folding), and all
// have to agree, and so do the drafts of their draft layers. Three models are
// in the repository, all in ../shared.
//
//===----------------------------------------------------------------------===//
#include "runtime/device/DeviceRegistry.h"
#include "runtime/engine/Scheduler.h"
#include "test/e2e/EndToEnd.h"
#include "test/support/Golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <tuple>

using namespace quern;
using namespace quern::test;
using namespace std::string_literals;

namespace {

constexpr double tolerance = 1e-3;

using Rows = std::vector<std::vector<float>>;

struct NoResults final : StepResults {
  void onResult(size_t, size_t, int32_t, std::span<const float>) override {}
};

class HybridTest
    : public testing::TestWithParam<std::tuple<GoldenModel, const char *>> {
protected:
  void SetUp() override {
    QUERN_REQUIRE_VULKAN();
    if (!std::filesystem::is_directory(getModel().root() + "/checkpoints"))
      GTEST_SKIP() << getModel().root() << " is absent";
  }

  static const GoldenModel &getModel() { return std::get<0>(GetParam()); }

  void load(const std::string &compute, bool fuse = true) {
    CompileOptions options = testOptions(
        getModel().root() + "/checkpoints/" + getModel().name, compute);
    options.fuse = fuse;
    options.target = std::get<1>(GetParam());
    auto bundle = compileForTest(options);
    ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
    auto loaded = loadForTest(*bundle);
    ASSERT_TRUE(loaded.isOk()) << loaded.getStatus().getMessage();
    engine = std::move(*loaded);
    golden.emplace(getModel().name, getModel().root());
  }

  /// The greatest difference of the last rows to a golden array.
  double differenceTo(const Rows &rows, const std::string &key) {
    std::vector<float> expected = golden->floats(key);
    size_t vocab = engine->getGeometry().vocabSize;
    size_t count = expected.size() / vocab;
    EXPECT_GE(rows.size(), count) << key;
    double worst = 0;
    for (size_t i = 0; i < std::min(count, rows.size()); ++i)
      worst =
          std::max(worst, maxAbsDifference(rows[rows.size() - count + i].data(),
                                           &expected[i * vocab], vocab));
    return worst;
  }

  /// What the golden has of a prompt: all rows, or the last ones.
  std::string logitsKey(const std::string &prompt) {
    return prompt +
           (golden->has(prompt + ".logits") ? ".logits" : ".last_logits");
  }

  void expectPrompt(const std::vector<int32_t> &ids, const std::string &key,
                    size_t chunk = SIZE_MAX) {
    auto rows = promptLogits(*engine, ids, chunk);
    ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
    EXPECT_LE(differenceTo(*rows, key), tolerance)
        << key << " in steps of " << chunk;
  }

  /// The logits that a draft program has left of its row.
  std::vector<float> draftLogits(bundle::ProgramKind kind);
  /// Runs a draft program on the tokens that follow the positions from `begin`
  /// on, and gives the token it chose.
  int32_t runDraft(Sequence &sequence, bundle::ProgramKind kind, size_t begin,
                   std::span<const int32_t> followers);
  /// Feeds a prompt in steps with the draft layer behind each, then drafts.
  void expectDrafts(const DraftPrompt &draft, size_t chunk);

  std::unique_ptr<Engine> engine;
  std::optional<Golden> golden;
};

/// What three models are enough for.
class StoredHybridTest : public HybridTest {};

} // namespace

TEST_P(HybridTest, LogitsOfEveryPrompt) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  for (std::string prompt : goldenPrompts)
    expectPrompt(golden->integers(prompt + ".input_ids"), logitsKey(prompt));
  // Lengths around the chunk and the width of the convolution.
  for (const EdgePrompt &edge : golden->edgePrompts())
    expectPrompt(edge.ids, edge.key + ".last_logits");
}

TEST_P(StoredHybridTest, OpsOnTheirOwn) {
  ASSERT_NO_FATAL_FAILURE(load("f32", /*fuse=*/false));
  std::vector<int32_t> ids = golden->integers("t150.input_ids");
  for (size_t chunk : {1, 64})
    expectPrompt(ids, logitsKey("t150"), chunk);
}

TEST_P(HybridTest, PrefillInChunksAndTokenByToken) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  std::vector<int32_t> ids = golden->integers("t150.input_ids");
  // Steps of up to 8 tokens append to rings of 32, which they fold when full.
  for (size_t chunk : {1, 3, 5, 8, 9, 33})
    expectPrompt(ids, logitsKey("t150"), chunk);
}

TEST_P(HybridTest, GreedyTokens) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  for (std::string prompt : goldenPrompts) {
    std::vector<int32_t> expected = golden->integers(prompt + ".greedy_ids");
    auto greedy = greedyContinuation(
        *engine, golden->integers(prompt + ".input_ids"), expected.size());
    ASSERT_TRUE(greedy.isOk()) << greedy.getStatus().getMessage();
    // Margins of the random prompts are far above the tolerance.
    EXPECT_EQ(greedy->ids, expected) << prompt;
    if (golden->has(prompt + ".greedy_logits")) {
      EXPECT_LE(differenceTo(greedy->logits, prompt + ".greedy_logits"),
                tolerance)
          << prompt;
    }
  }
}

TEST_P(HybridTest, FourRaggedSequencesEqualEachAlone) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  std::vector<std::vector<int32_t>> prompts;
  for (std::string prompt : goldenPrompts)
    prompts.push_back(golden->integers(prompt + ".input_ids"));
  auto logits = raggedLogits(*engine, prompts);
  ASSERT_TRUE(logits.isOk()) << logits.getStatus().getMessage();
  for (size_t i = 0; i < prompts.size(); ++i)
    EXPECT_LE(differenceTo((*logits)[i], logitsKey(goldenPrompts[i])),
              tolerance)
        << goldenPrompts[i];
}

std::vector<float> HybridTest::draftLogits(bundle::ProgramKind kind) {
  LoadedModel &model = engine->getModel();
  std::vector<float> row(engine->getGeometry().vocabSize);
  Status status = model.getDevice().download(
      model.getArena(), model.getProgram(kind)->logitsOffset,
      std::as_writable_bytes(std::span(row)));
  EXPECT_TRUE(status.isOk()) << status.getMessage();
  return row;
}

int32_t HybridTest::runDraft(Sequence &sequence, bundle::ProgramKind kind,
                             size_t begin, std::span<const int32_t> followers) {
  auto token = engine->runDraft(
      {kind, &sequence, followers, uint32_t(begin), /*sampling=*/nullptr});
  EXPECT_TRUE(token.isOk()) << token.getStatus().getMessage();
  return token.isOk() ? *token : -1;
}

void HybridTest::expectDrafts(const DraftPrompt &draft, size_t chunk) {
  using bundle::ProgramKind;
  const std::string key = "mtp." + draft.key;
  const std::string name = key + " in steps of " + std::to_string(chunk);
  const size_t vocab = engine->getGeometry().vocabSize;
  std::vector<int32_t> ids = golden->integers(draft.key + ".input_ids");
  std::vector<float> rows = golden->floats(key + ".logits");
  std::vector<float> chain = golden->floats(key + ".chain_logits");
  ASSERT_EQ(draft.nextIds.size(), ids.size()) << key;
  ASSERT_EQ(rows.size(), (ids.size() - draft.firstRow) * vocab) << key;
  ASSERT_EQ(chain.size(), draft.chainIds.size() * vocab) << key;
  auto made = engine->createSequence();
  ASSERT_TRUE(made.isOk()) << made.getStatus().getMessage();
  Sequence &sequence = **made;
  auto difference = [&](ProgramKind kind, const float *expected) {
    return maxAbsDifference(draftLogits(kind).data(), expected, vocab);
  };

  NoResults ignored;
  ProgramKind kind = ProgramKind::DraftPrefill;
  int32_t token = -1;
  for (size_t begin = 0; begin < ids.size(); begin += chunk) {
    size_t end = std::min(begin + chunk, ids.size()), count = end - begin;
    StepEntry entry{&sequence, std::span(ids).subspan(begin, count),
                    ResultRows::None, nullptr};
    Status status = engine->run({&entry, 1}, ignored);
    ASSERT_TRUE(status.isOk()) << status.getMessage();
    kind = count <= engine->getGeometry().maxSmallTokens
               ? ProgramKind::DraftVerify
               : ProgramKind::DraftPrefill;
    token = runDraft(sequence, kind, begin,
                     std::span(draft.nextIds).subspan(begin, count));
    // The program looks at the last row of its step alone.
    if (int64_t row = int64_t(end) - 1 - draft.firstRow; row >= 0) {
      EXPECT_LE(difference(kind, &rows[row * vocab]), tolerance)
          << name << ", row " << end - 1;
    }
  }
  ASSERT_TRUE(engine->reserve(sequence, draft.chainIds.size()));
  for (size_t i = 0; i != draft.chainIds.size(); ++i) {
    if (i != 0) {
      kind = ProgramKind::DraftDecode;
      token = runDraft(sequence, kind, ids.size() + i - 1,
                       std::span(draft.chainIds).subspan(i - 1, 1));
    }
    EXPECT_LE(difference(kind, &chain[i * vocab]), tolerance)
        << name << ", draft " << i;
    EXPECT_EQ(token, draft.chainIds[i]) << name << ", draft " << i;
  }
  EXPECT_TRUE(engine->getModel().getDevice().checkDiagnostics().isOk());
}

TEST_P(HybridTest, DraftsPredictWhatTheGoldenSays) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  std::vector<DraftPrompt> prompts = golden->draftPrompts();
  ASSERT_EQ(prompts.size(), 4u);
  for (const DraftPrompt &draft : prompts)
    ASSERT_NO_FATAL_FAILURE(expectDrafts(draft, 64));
  // Steps of decode, of verify, and of both verify and prefill.
  for (size_t chunk : {1, 8, 33})
    ASSERT_NO_FATAL_FAILURE(expectDrafts(prompts[2], chunk));
}

// Generations that join one that drafts, and leave it: each gives what it gives
// alone without drafts.
TEST_P(HybridTest, GenerationsWithDraftsEqualEachAlone) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  struct Ids final : TokenListener {
    bool onToken(int32_t token) override {
      ids.push_back(token);
      return true;
    }
    std::vector<int32_t> ids;
  };
  constexpr size_t count = std::size(goldenPrompts);
  const uint64_t lengths[count] = {40, 12, 9, 30};
  std::vector<std::vector<int32_t>> prompts, expected;
  for (size_t i = 0; i != count; ++i) {
    prompts.push_back(golden->integers(goldenPrompts[i] + ".input_ids"s));
    auto greedy = greedyContinuation(*engine, prompts[i], lengths[i]);
    ASSERT_TRUE(greedy.isOk()) << greedy.getStatus().getMessage();
    expected.push_back(greedy->ids);
  }
  Scheduler scheduler(*engine);
  Ids found[count];
  std::vector<std::unique_ptr<Sequence>> sequences;
  std::vector<std::unique_ptr<Generation>> generations;
  for (size_t step = 0; step == 0 || !scheduler.isIdle(); ++step) {
    // The first drafts alone, then all share the steps; the last drafts alone.
    size_t next = generations.size();
    if (next != count && step == 5 * next) {
      auto sequence = engine->createSequence();
      ASSERT_TRUE(sequence.isOk());
      sequences.push_back(std::move(*sequence));
      GenerationOptions options;
      options.draftDepth = 3;
      options.maxTokens = lengths[next];
      options.ignoreEndOfSequence = true;
      generations.push_back(std::make_unique<Generation>(
          *sequences[next], prompts[next], options, &found[next]));
      ASSERT_TRUE(scheduler.add(*generations[next]).isOk());
    }
    Status status = scheduler.step();
    ASSERT_TRUE(status.isOk()) << status.getMessage();
  }
  ASSERT_EQ(generations.size(), count);
  for (size_t i = 0; i != count; ++i)
    EXPECT_EQ(found[i].ids, expected[i]) << goldenPrompts[i];
  EXPECT_GT(generations.front()->getSpeculation().rounds, 0u);
  EXPECT_GT(generations.back()->getSpeculation().rounds, 0u);
  EXPECT_TRUE(engine->getModel().getDevice().checkDiagnostics().isOk());
}

TEST_P(StoredHybridTest, SixteenBitComputeIsAsCloseAsTransformers) {
  for (std::string compute : {"f16", "bf16"}) {
    ASSERT_NO_FATAL_FAILURE(load(compute));
    auto error = relativeError(*engine, *golden, {"t7", "t41"});
    ASSERT_TRUE(error.isOk()) << error.getStatus().getMessage();
    EXPECT_LE(*error, 2 * golden->bf16RelativeError()) << compute;
  }
}

static std::string nameOf(
    const testing::TestParamInfo<std::tuple<GoldenModel, const char *>> &info) {
  auto [model, target] = info.param;
  return toTestName(std::string(model.name) + "_" + target);
}

static const GoldenModel storedModels[] = {{hybridModels[0], false},
                                           {hybridModels[1], false},
                                           {hybridModels[2], false}};

INSTANTIATE_TEST_SUITE_P(Stored, HybridTest,
                         testing::Combine(testing::ValuesIn(storedModels),
                                          testing::ValuesIn(testTargets)),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Stored, StoredHybridTest,
                         testing::Combine(testing::ValuesIn(storedModels),
                                          testing::Values(testTargets[0])),
                         nameOf);
static const GoldenModel sharedModels[] = {
    {"qwen3-next-bf16-sharded", true},
    {"qwen3-next-eps-f32", true},
    {"qwen3_5-moe-bf16-sharded", true},
    {"qwen3_6-dense-untied-bf16-sharded", true}};

INSTANTIATE_TEST_SUITE_P(Shared, HybridTest,
                         testing::Combine(testing::ValuesIn(sharedModels),
                                          testing::Values(testTargets[0])),
                         nameOf);
#ifdef QUERN_TEST_CUDA_LIBRARY
static std::vector<GoldenModel> chooseModels() {
  if (!testsEverything())
    return {storedModels[2]};
  std::vector<GoldenModel> all(std::begin(sharedModels),
                               std::end(sharedModels));
  all.insert(all.end(), std::begin(storedModels), std::end(storedModels));
  return all;
}

INSTANTIATE_TEST_SUITE_P(CUDA, HybridTest,
                         testing::Combine(testing::ValuesIn(chooseModels()),
                                          testing::Values("cuda")),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(
    CUDA, StoredHybridTest,
    testing::Combine(testing::ValuesIn(testsEverything()
                                           ? chooseModels()
                                           : std::vector<GoldenModel>()),
                     testing::Values("cuda")),
    nameOf);
#endif
