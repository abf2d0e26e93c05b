//===- GoldenTest.cpp - Bundles on the device against the reference -------===//
//
// Logits and greedy tokens of Hugging Face transformers in f32, for every tiny
// checkpoint and prompt (shared/goldens describes the data).
//
//===----------------------------------------------------------------------===//
#include "test/support/Golden.h"
#include "runtime/base/File.h"
#include "runtime/base/Json.h"
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace quern;
using namespace quern::test;

namespace {

/// The tolerance for f32 engines: the logits' standard deviation is about 2.5
/// and the reference itself is within 2e-4 of f64.
constexpr double kLogitTolerance = 1e-3;

std::string checkpointPath(const std::string &model) {
  return std::string(QUERN_SOURCE_DIR) + "/test/data/checkpoints/" + model;
}

class GoldenTest : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override { QUERN_REQUIRE_VULKAN(); }

  void load(const std::string &compute) {
    auto bundle =
        compileForTest(testOptions(checkpointPath(GetParam()), compute));
    ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
    auto loaded = loadForTest(*bundle);
    ASSERT_TRUE(loaded.isOk()) << loaded.getStatus().getMessage();
    engine = std::move(*loaded);
    golden = std::make_unique<Golden>(GetParam());
  }

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

/// Gap between the two largest logits of a row.
double topMargin(const float *row, size_t count) {
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
  ASSERT_TRUE(engine->setLogitsWanted(true).isOk());
  struct Rows : StepResults {
    void onResult(size_t entry, size_t, int32_t,
                  std::span<const float> row) override {
      logits[entry].emplace_back(row.begin(), row.end());
    }
    std::vector<std::vector<float>> logits[4];
  } results;
  std::vector<int32_t> prompts[4];
  std::unique_ptr<Sequence> sequences[4];
  for (size_t i = 0; i < 4; ++i) {
    prompts[i] = golden->integers(std::string(goldenPrompts[i]) + ".input_ids");
    prompts[i].resize(std::min<size_t>(prompts[i].size(), 60));
    auto sequence = engine->createSequence();
    ASSERT_TRUE(sequence.isOk()) << sequence.getStatus().getMessage();
    sequences[i] = std::move(*sequence);
  }
  // Uneven shares, so that steps mix prompts that begin, go on and end.
  size_t share[4] = {1, 2, 13, 17}, fed[4] = {};
  for (bool more = true; more;) {
    more = false;
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
      more = true;
    }
    if (!more)
      break;
    Rows step;
    Status status = engine->run(entries, step);
    ASSERT_TRUE(status.isOk()) << status.getMessage();
    for (size_t e = 0; e < order.size(); ++e)
      for (auto &row : step.logits[e])
        results.logits[order[e]].push_back(std::move(row));
  }
  size_t vocab = engine->getGeometry().vocabSize;
  for (size_t i = 0; i < 4; ++i) {
    std::vector<float> expected =
        golden->floats(std::string(goldenPrompts[i]) + ".logits");
    expected.resize(prompts[i].size() * vocab);
    EXPECT_LE(compare(results.logits[i], expected), kLogitTolerance)
        << goldenPrompts[i];
  }
  Status status = engine->getModel().getDevice().checkDiagnostics();
  EXPECT_TRUE(status.isOk()) << status.getMessage();
}

/// The relative RMS error that transformers itself has in bf16, from
/// golden.json; 16-bit engines may have twice that.
double referenceError16(const std::string &model) {
  auto text = readWholeFile(std::string(QUERN_SOURCE_DIR) +
                                "/test/data/goldens/" + model + "/golden.json",
                            1 << 20);
  if (!text.isOk())
    return 0;
  auto document = parseJson(*text);
  if (!document.isOk())
    return 0;
  auto measured = document->root().get("measured");
  auto run = measured->get("bf16_run_vs_float32");
  return *run->get("rel_rms")->asDouble();
}

TEST_P(GoldenTest, SixteenBitComputeIsAsCloseAsTransformers) {
  for (std::string compute : {"f16", "bf16"}) {
    ASSERT_NO_FATAL_FAILURE(load(compute));
    for (std::string prompt : goldenPrompts) {
      auto rows =
          promptLogits(*engine, golden->integers(prompt + ".input_ids"));
      ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
      std::vector<float> expected = golden->floats(prompt + ".logits");
      size_t vocab = engine->getGeometry().vocabSize;
      double error = 0, norm = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        double difference = (*rows)[i / vocab][i % vocab] - double(expected[i]);
        error += difference * difference;
        norm += double(expected[i]) * expected[i];
      }
      EXPECT_LE(std::sqrt(error / norm), 2 * referenceError16(GetParam()))
          << compute << " " << prompt;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Qwen3, GoldenTest, testing::ValuesIn(goldenModels),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
