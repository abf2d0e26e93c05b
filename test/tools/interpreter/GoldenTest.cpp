//===- GoldenTest.cpp - imported models against transformers --------------===//
//
// The oracle: imports the tiny checkpoints, interprets @forward in f32 and
// compares with what transformers computed (test/data/README.md).
//
//===----------------------------------------------------------------------===//
#include "test/support/Golden.h"
#include "frontend/Import.h"
#include "mlir/IR/MLIRContext.h"
#include "tools/interpreter/CompareHidden.h"
#include "tools/interpreter/ModelRunner.h"

#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

using namespace quern;
using namespace quern::test;

namespace {

/// A golden model, imported, with a runner.
class GoldenTest : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    model = TestModel::openGolden(GetParam());
    ASSERT_TRUE(model);
    importModel();
  }
  void importModel() {
    ImportReport report;
    auto imported = importCheckpoint(context, model->config, model->checkpoint,
                                     options, report);
    ASSERT_TRUE(mlir::succeeded(imported));
    module = std::move(*imported);
    runner.emplace(*module, checkpointWeights(model->checkpoint));
  }

  /// Logits [tokens, V] of ids at positions from `first` in a slot.
  HostTensor run(std::span<const int32_t> ids, int32_t first, int32_t slot,
                 const OpObserver &observer = {}) {
    Step step;
    for (size_t i = 0; i < ids.size(); ++i) {
      step.tokens.push_back({ids[i], static_cast<int32_t>(first + i), slot});
      step.rows.push_back(static_cast<int32_t>(i));
    }
    return run(step, observer).logits;
  }
  StepResult run(const Step &step, const OpObserver &observer = {}) {
    auto result = runner->run(step, observer);
    EXPECT_TRUE(mlir::succeeded(result));
    return mlir::succeeded(result) ? std::move(*result) : StepResult();
  }

  Golden golden{GetParam()};
  mlir::MLIRContext context;
  std::unique_ptr<TestModel> model;
  ImportOptions options = {.contextLength = 192, .numSlots = 4};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<ModelRunner> runner;
};

constexpr double tolerance = 1e-3;

} // namespace

TEST_P(GoldenTest, LogitsOfEveryPosition) {
  for (std::string prompt : goldenPrompts) {
    runner->getInterpreter().resetStates();
    HostTensor logits = run(golden.integers(prompt + ".input_ids"), 0, 0);
    EXPECT_LE(maxDifference(logits.floats, golden.floats(prompt + ".logits")),
              tolerance)
        << prompt;
  }
}

TEST_P(GoldenTest, HiddenStatesOfEveryLayer) {
  HiddenStates hidden;
  run(golden.integers("t41.input_ids"), 0, 0, hidden.observer());
  std::vector<std::vector<float>> expected;
  for (int64_t i = 0; i <= model->config.numHiddenLayers; ++i)
    expected.push_back(golden.floats("t41.hidden." + std::to_string(i)));
  std::optional<std::string> difference = hidden.compare(expected, 1e-4);
  EXPECT_FALSE(difference) << *difference;

  // The report names the first layer that differs.
  expected[2][70] += 1;
  expected.back()[0] += 1;
  difference = hidden.compare(expected, 1e-4);
  ASSERT_TRUE(difference);
  EXPECT_TRUE(difference->starts_with("layers.1: hidden state differs by "))
      << *difference;
}

TEST_P(GoldenTest, GreedyTokens) {
  for (std::string prompt : goldenPrompts) {
    runner->getInterpreter().resetStates();
    std::vector<int32_t> ids = golden.integers(prompt + ".input_ids");
    std::vector<int32_t> expected = golden.integers(prompt + ".greedy_ids");
    std::vector<float> logits = golden.floats(prompt + ".greedy_logits");
    size_t vocabulary = logits.size() / expected.size();
    int32_t position = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      Step step;
      for (int32_t id : ids)
        step.tokens.push_back({id, position++, 0});
      step.rows = {static_cast<int32_t>(ids.size()) - 1};
      StepResult result = run(step);
      std::vector<float> row(logits.begin() + i * vocabulary,
                             logits.begin() + (i + 1) * vocabulary);
      ASSERT_LE(maxDifference(result.logits.floats, row), tolerance)
          << prompt << " step " << i;
      // Margins of the random prompts are far above the tolerance.
      ASSERT_EQ(result.tokens, std::vector{expected[i]})
          << prompt << " step " << i;
      ids = result.tokens;
    }
  }
}

TEST_P(GoldenTest, ChunksAndSingleTokensEqualOnePrefill) {
  std::vector<int32_t> ids = golden.integers("t41.input_ids");
  std::vector<float> expected = run(ids, 0, 0).floats;
  for (size_t chunk : {1, 7, 16, 40}) {
    runner->getInterpreter().resetStates();
    std::vector<float> found;
    for (size_t first = 0; first < ids.size(); first += chunk) {
      size_t count = std::min(chunk, ids.size() - first);
      HostTensor part = run(std::span(ids).subspan(first, count), first, 3);
      found.insert(found.end(), part.floats.begin(), part.floats.end());
    }
    // The same operations on the same numbers: bit for bit.
    EXPECT_EQ(found, expected) << "chunks of " << chunk;
  }
}

TEST_P(GoldenTest, RaggedSequencesEqualOneAlone) {
  // Four prompts in four slots, advanced by different numbers of tokens in
  // each step and interleaved within it.
  std::vector<std::vector<int32_t>> ids;
  std::vector<std::vector<float>> expected, found(4);
  for (std::string prompt : goldenPrompts) {
    runner->getInterpreter().resetStates();
    ids.push_back(golden.integers(prompt + ".input_ids"));
    expected.push_back(run(ids.back(), 0, 0).floats);
  }
  runner->getInterpreter().resetStates();
  size_t done[4] = {}, stride[4] = {1, 2, 5, 13};
  for (bool isBusy = true; isBusy;) {
    Step step;
    std::vector<size_t> slots;
    for (size_t round = 0; round < 13; ++round)
      for (size_t slot = 0; slot < 4; ++slot) {
        if (round >= stride[slot] || done[slot] == ids[slot].size())
          continue;
        step.rows.push_back(static_cast<int32_t>(step.tokens.size()));
        step.tokens.push_back({ids[slot][done[slot]],
                               static_cast<int32_t>(done[slot]),
                               static_cast<int32_t>(slot)});
        slots.push_back(slot);
        ++done[slot];
      }
    isBusy = !step.tokens.empty();
    if (!isBusy)
      break;
    StepResult result = run(step);
    size_t vocabulary = result.logits.shape[1];
    for (size_t i = 0; i < slots.size(); ++i)
      found[slots[i]].insert(
          found[slots[i]].end(), result.logits.floats.begin() + i * vocabulary,
          result.logits.floats.begin() + (i + 1) * vocabulary);
  }
  for (size_t slot = 0; slot < 4; ++slot)
    EXPECT_EQ(found[slot], expected[slot]) << goldenPrompts[slot];
}

TEST_P(GoldenTest, Bfloat16IsAsCloseAsTransformers) {
  // Rounding of stored values as the ops define it, against f32; the golden
  // says how far a bfloat16 run of transformers is from it.
  options.compute = DataType::BF16;
  importModel();
  double squares = 0, errors = 0;
  for (std::string prompt : goldenPrompts) {
    runner->getInterpreter().resetStates();
    std::vector<float> found =
        run(golden.integers(prompt + ".input_ids"), 0, 0).floats;
    std::vector<float> expected = golden.floats(prompt + ".logits");
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      errors += std::pow(found[i] - expected[i], 2);
      squares += std::pow(expected[i], 2);
    }
  }
  double relative = std::sqrt(errors / squares);
  EXPECT_LE(relative, 2 * golden.bf16RelativeError());
  // Not f32 in disguise.
  EXPECT_GE(relative, 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, testing::ValuesIn(goldenModels),
                         [](const testing::TestParamInfo<const char *> &info) {
                           return toTestName(info.param);
                         });
