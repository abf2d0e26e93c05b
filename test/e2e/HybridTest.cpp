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
#include <iterator>
#include <tuple>

using namespace quern;
using namespace quern::test;

namespace {

constexpr double tolerance = 1e-3;

using Rows = std::vector<std::vector<float>>;

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
