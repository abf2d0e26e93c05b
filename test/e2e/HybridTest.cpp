//===- HybridTest.cpp - Hybrids on the device against the reference -------===//
//
// As GoldenTest, for models with gated delta nets: every way of splitting a
// prompt into steps goes through other kernels (scan, rings, folding), and all
// have to agree. Three models are in the repository, all in ../shared.
//
//===----------------------------------------------------------------------===//
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"
#include "test/support/Golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

using namespace quern;
using namespace quern::test;

namespace {

struct HybridModel {
  const char *name;
  bool isShared;
  std::string root() const {
    return isShared ? sharedGoldens() : storedGoldens();
  }
};

constexpr double tolerance = 1e-3;

using Rows = std::vector<std::vector<float>>;

class HybridTest : public testing::TestWithParam<HybridModel> {
protected:
  void SetUp() override {
    QUERN_REQUIRE_VULKAN();
    if (!std::filesystem::is_directory(GetParam().root() + "/checkpoints"))
      GTEST_SKIP() << GetParam().root() << " is absent";
  }

  void load(const std::string &compute, bool fuse = true) {
    CompileOptions options = testOptions(
        GetParam().root() + "/checkpoints/" + GetParam().name, compute);
    options.fuse = fuse;
    auto bundle = compileForTest(options);
    ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
    auto loaded = loadForTest(*bundle);
    ASSERT_TRUE(loaded.isOk()) << loaded.getStatus().getMessage();
    engine = std::move(*loaded);
    golden.emplace(GetParam().name, GetParam().root());
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

  std::unique_ptr<Engine> engine;
  std::optional<Golden> golden;
};

/// What three models are enough for.
class StoredHybridTest : public HybridTest {};

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

/// Four prompts with uneven shares, so that steps mix prompts that begin, go on
/// and end.
TEST_P(HybridTest, FourRaggedSequencesEqualEachAlone) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  ASSERT_TRUE(engine->setLogitsWanted(true).isOk());
  struct Collected : StepResults {
    void onResult(size_t entry, size_t, int32_t,
                  std::span<const float> row) override {
      logits[entry].emplace_back(row.begin(), row.end());
    }
    Rows logits[4];
  };
  Rows logits[4];
  std::vector<int32_t> prompts[4];
  std::unique_ptr<Sequence> sequences[4];
  for (size_t i = 0; i < 4; ++i) {
    prompts[i] = golden->integers(std::string(goldenPrompts[i]) + ".input_ids");
    auto sequence = engine->createSequence();
    ASSERT_TRUE(sequence.isOk()) << sequence.getStatus().getMessage();
    sequences[i] = std::move(*sequence);
  }
  size_t share[4] = {1, 2, 13, 17}, fed[4] = {};
  while (true) {
    std::vector<StepEntry> entries;
    std::vector<size_t> order;
    for (size_t i = 0; i < 4; ++i) {
      size_t count = std::min(share[i], prompts[i].size() - fed[i]);
      if (count == 0)
        continue;
      entries.push_back({sequences[i].get(),
                         std::span(prompts[i]).subspan(fed[i], count),
                         ResultRows::All, nullptr});
      order.push_back(i);
      fed[i] += count;
    }
    if (entries.empty())
      break;
    Collected step;
    Status status = engine->run(entries, step);
    ASSERT_TRUE(status.isOk()) << status.getMessage();
    for (size_t e = 0; e < order.size(); ++e)
      for (auto &row : step.logits[e])
        logits[order[e]].push_back(std::move(row));
    // The short prompts are followed by single tokens of the long ones.
    std::ranges::for_each(share, [](size_t &s) { s = s % 17 + 1; });
  }
  for (size_t i = 0; i < 4; ++i)
    EXPECT_LE(differenceTo(logits[i], logitsKey(goldenPrompts[i])), tolerance)
        << goldenPrompts[i];
  Status status = engine->getModel().getDevice().checkDiagnostics();
  EXPECT_TRUE(status.isOk()) << status.getMessage();
}

TEST_P(StoredHybridTest, SixteenBitComputeIsAsCloseAsTransformers) {
  for (std::string compute : {"f16", "bf16"}) {
    ASSERT_NO_FATAL_FAILURE(load(compute));
    double limit = golden->bf16RelativeError(), errors = 0, squares = 0;
    size_t vocab = engine->getGeometry().vocabSize;
    for (std::string prompt : {"t7", "t41"}) {
      auto rows =
          promptLogits(*engine, golden->integers(prompt + ".input_ids"));
      ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
      std::vector<float> expected = golden->floats(prompt + ".logits");
      ASSERT_EQ(expected.size(), rows->size() * vocab);
      for (size_t i = 0; i < expected.size(); ++i) {
        errors += std::pow((*rows)[i / vocab][i % vocab] - expected[i], 2);
        squares += std::pow(expected[i], 2);
      }
    }
    EXPECT_LE(std::sqrt(errors / squares), 2 * limit) << compute;
  }
}

std::string nameOf(const testing::TestParamInfo<HybridModel> &info) {
  std::string name = info.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}

const HybridModel storedModels[] = {{hybridModels[0], false},
                                    {hybridModels[1], false},
                                    {hybridModels[2], false}};

INSTANTIATE_TEST_SUITE_P(Stored, HybridTest, testing::ValuesIn(storedModels),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Stored, StoredHybridTest,
                         testing::ValuesIn(storedModels), nameOf);
INSTANTIATE_TEST_SUITE_P(
    Shared, HybridTest,
    testing::Values(HybridModel{"qwen3-next-bf16-sharded", true},
                    HybridModel{"qwen3-next-eps-f32", true},
                    HybridModel{"qwen3_5-moe-bf16-sharded", true},
                    HybridModel{"qwen3_6-dense-untied-bf16-sharded", true}),
    nameOf);

} // namespace
