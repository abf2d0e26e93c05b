//===- GoldenTest.cpp - Bundles on the device against the reference -------===//
//
// Logits and greedy tokens of Hugging Face transformers in f32, for every tiny
// checkpoint and prompt (shared/goldens describes the data).
//
//===----------------------------------------------------------------------===//
#include "test/support/Golden.h"
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>

using namespace quern;
using namespace quern::test;

/// The tolerance for f32 engines: the logits' standard deviation is about 2.5
/// and the reference itself is within 2e-4 of f64.
static constexpr double kLogitTolerance = 1e-3;

static std::string checkpointPath(const std::string &model) {
  return std::string(QUERN_SOURCE_DIR) + "/test/data/checkpoints/" + model;
}

namespace {

class GoldenTest
    : public testing::TestWithParam<std::tuple<const char *, const char *>> {
protected:
  void SetUp() override { QUERN_REQUIRE_VULKAN(); }

  void load(const std::string &compute) {
    CompileOptions options = testOptions(checkpointPath(getModel()), compute);
    options.target = std::get<1>(GetParam());
    auto bundle = compileForTest(options);
    ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
    auto loaded = loadForTest(*bundle);
    ASSERT_TRUE(loaded.isOk()) << loaded.getStatus().getMessage();
    engine = std::move(*loaded);
    golden = std::make_unique<Golden>(getModel());
  }

  static std::string getModel() { return std::get<0>(GetParam()); }

  /// Largest difference between rows and the golden [T, V] array.
  double compare(const std::vector<std::vector<float>> &rows,
                 const std::vector<float> &expected) {
    size_t vocab = engine->getGeometry().vocabSize;
    EXPECT_EQ(rows.size() * vocab, expected.size());
    double worst = 0;
    for (size_t t = 0; t < rows.size(); ++t)
      worst = std::max(
          worst, maxAbsDifference(rows[t].data(), &expected[t * vocab], vocab));
    return worst;
  }

  std::unique_ptr<Engine> engine;
  std::unique_ptr<Golden> golden;
};

class SixteenBitTest : public GoldenTest {};

} // namespace

/// Gap between the two largest logits of a row.
static double topMargin(const float *row, size_t count) {
  float best = -INFINITY, second = -INFINITY;
  for (size_t i = 0; i < count; ++i) {
    if (row[i] > best) {
      second = best;
      best = row[i];
    } else {
      second = std::max(second, row[i]);
    }
  }
  return best - second;
}

TEST_P(GoldenTest, LogitsOfEveryPosition) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  for (std::string prompt : goldenPrompts) {
    auto rows = promptLogits(*engine, golden->integers(prompt + ".input_ids"));
    ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
    EXPECT_LE(compare(*rows, golden->floats(prompt + ".logits")),
              kLogitTolerance)
        << prompt;
  }
}

TEST_P(GoldenTest, PrefillInChunksAndTokenByToken) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  std::vector<int32_t> ids = golden->integers("t150.input_ids");
  std::vector<float> expected = golden->floats("t150.logits");
  for (size_t chunk : {1, 5, 8, 9, 33, 64}) {
    auto rows = promptLogits(*engine, ids, chunk);
    ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
    EXPECT_LE(compare(*rows, expected), kLogitTolerance) << "chunk " << chunk;
  }
}

TEST_P(GoldenTest, GreedyContinuations) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  size_t vocab = engine->getGeometry().vocabSize;
  for (std::string prompt : goldenPrompts) {
    std::vector<int32_t> expected = golden->integers(prompt + ".greedy_ids");
    std::vector<float> logits = golden->floats(prompt + ".greedy_logits");
    auto greedy = greedyContinuation(
        *engine, golden->integers(prompt + ".input_ids"), expected.size());
    ASSERT_TRUE(greedy.isOk()) << greedy.getStatus().getMessage();
    for (size_t step = 0; step < expected.size(); ++step) {
      const float *reference = &logits[step * vocab];
      double error =
          maxAbsDifference(greedy->logits[step].data(), reference, vocab);
      EXPECT_LE(error, kLogitTolerance) << prompt << " step " << step;
      // Where the reference itself hesitates, either choice is right and the
      // texts part.
      if (topMargin(reference, vocab) < error)
        break;
      ASSERT_EQ(greedy->ids[step], expected[step])
          << prompt << " step " << step;
    }
  }
}

TEST_P(GoldenTest, FourRaggedSequencesEqualEachAlone) {
  ASSERT_NO_FATAL_FAILURE(load("f32"));
  std::vector<std::vector<int32_t>> prompts;
  for (std::string prompt : goldenPrompts) {
    prompts.push_back(golden->integers(prompt + ".input_ids"));
    prompts.back().resize(std::min<size_t>(prompts.back().size(), 60));
  }
  auto logits = raggedLogits(*engine, prompts);
  ASSERT_TRUE(logits.isOk()) << logits.getStatus().getMessage();
  size_t vocab = engine->getGeometry().vocabSize;
  for (size_t i = 0; i < prompts.size(); ++i) {
    std::vector<float> expected =
        golden->floats(std::string(goldenPrompts[i]) + ".logits");
    expected.resize(prompts[i].size() * vocab);
    EXPECT_LE(compare((*logits)[i], expected), kLogitTolerance)
        << goldenPrompts[i];
  }
}

/// 16-bit engines may have twice the error that transformers itself has in
/// bf16.
TEST_P(SixteenBitTest, IsAsCloseAsTransformers) {
  for (std::string compute : {"f16", "bf16"}) {
    ASSERT_NO_FATAL_FAILURE(load(compute));
    for (std::string prompt : goldenPrompts) {
      auto error = relativeError(*engine, *golden, {prompt});
      ASSERT_TRUE(error.isOk()) << error.getStatus().getMessage();
      EXPECT_LE(*error, 2 * golden->bf16RelativeError())
          << compute << " " << prompt;
    }
  }
}

static std::string
nameOf(const testing::TestParamInfo<std::tuple<const char *, const char *>>
           &info) {
  auto [model, target] = info.param;
  return toTestName(std::string(model) + "_" + target);
}

INSTANTIATE_TEST_SUITE_P(Qwen3, GoldenTest,
                         testing::Combine(testing::ValuesIn(goldenModels),
                                          testing::ValuesIn(testTargets)),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Qwen3, SixteenBitTest,
                         testing::Combine(testing::ValuesIn(goldenModels),
                                          testing::Values(testTargets[0])),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(CPU, SixteenBitTest,
                         testing::Combine(testing::Values(goldenModels[0]),
                                          testing::Values("cpu")),
                         nameOf);
#ifdef QUERN_TEST_CUDA_LIBRARY
/// One dense model and one of experts, or all.
static std::vector<const char *> chooseModels() {
  if (testsEverything())
    return {std::begin(goldenModels), std::end(goldenModels)};
  return {goldenModels[0], goldenModels[4]};
}

INSTANTIATE_TEST_SUITE_P(CUDA, GoldenTest,
                         testing::Combine(testing::ValuesIn(chooseModels()),
                                          testing::Values("cuda")),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(
    CUDA, SixteenBitTest,
    testing::Combine(testing::ValuesIn(testsEverything()
                                           ? chooseModels()
                                           : std::vector{goldenModels[0]}),
                     testing::Values("cuda")),
    nameOf);
#endif
