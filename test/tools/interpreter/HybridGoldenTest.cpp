//===- HybridGoldenTest.cpp - imported hybrids against transformers -------===//
//
// Every number that the goldens have of a text prompt: logits, hidden states,
// states of the delta nets, routing, drafts. Three models are in the
// repository, with fewer arrays; all are in ../shared.
//
//===----------------------------------------------------------------------===//
#include "frontend/Import.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "test/support/Golden.h"
#include "tools/interpreter/CompareHidden.h"
#include "tools/interpreter/ModelRunner.h"

#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>
#include <random>

using namespace quern;
using namespace quern::test;

namespace {

constexpr double tolerance = 1e-3;

class HybridGoldenTest : public testing::TestWithParam<GoldenModel> {
protected:
  void SetUp() override {
    if (!std::filesystem::is_directory(GetParam().root() + "/checkpoints"))
      GTEST_SKIP() << GetParam().root() << " is absent";
    model = TestModel::openGolden(GetParam().name, GetParam().root());
    ASSERT_TRUE(model);
    golden.emplace(GetParam().name, GetParam().root());
    importModel(DataType::F32);
  }
  void importModel(DataType compute) {
    ImportReport report;
    auto imported = importCheckpoint(
        context, model->config, model->checkpoint,
        {.compute = compute, .contextLength = 192, .numSlots = 4}, report);
    ASSERT_TRUE(mlir::succeeded(imported));
    module = std::move(*imported);
    runner.emplace(*module, checkpointWeights(model->checkpoint));
  }

  /// Tokens at positions from `first` in a slot; all are rows.
  static Step makeStep(std::span<const int32_t> ids, int32_t first = 0,
                       int32_t slot = 0) {
    Step step;
    for (size_t i = 0; i < ids.size(); ++i) {
      step.tokens.push_back({ids[i], static_cast<int32_t>(first + i), slot});
      step.rows.push_back(static_cast<int32_t>(i));
    }
    return step;
  }
  StepResult run(const Step &step, const OpObserver &observer = {}) {
    return expectOk(runner->run(step, observer));
  }
  static StepResult expectOk(mlir::FailureOr<StepResult> result) {
    EXPECT_TRUE(mlir::succeeded(result));
    return mlir::succeeded(result) ? std::move(*result) : StepResult();
  }
  std::vector<int32_t> prompt(const std::string &key) const {
    return golden->integers(key + ".input_ids");
  }

  /// The greatest difference of the last rows of logits to an array.
  double differenceTo(const HostTensor &logits, const std::string &key) const {
    std::vector<float> expected = golden->floats(key);
    if (expected.size() > logits.floats.size())
      return std::numeric_limits<double>::infinity();
    return maxDifference(
        {logits.floats.end() - expected.size(), logits.floats.end()}, expected);
  }
  /// The same for the logits that the golden has of a prompt.
  double promptDifference(const HostTensor &logits, const std::string &key) {
    bool hasAll = golden->has(key + ".logits");
    return differenceTo(logits, key + (hasAll ? ".logits" : ".last_logits"));
  }
  /// Compares the states of slot 0 after a prompt of `count` tokens.
  void compareStates(const std::string &key, int64_t count);

  std::optional<Golden> golden;
  mlir::MLIRContext context;
  std::unique_ptr<TestModel> model;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<ModelRunner> runner;
};

} // namespace

TEST_P(HybridGoldenTest, LogitsAndGreedyTokens) {
  for (std::string key : goldenPrompts) {
    std::vector<int32_t> ids = prompt(key);
    std::vector<int32_t> expected = golden->integers(key + ".greedy_ids");
    StepResult result = run(makeStep(ids));
    EXPECT_LE(promptDifference(result.logits, key), tolerance) << key;
    // Margins of the random prompts are far above the tolerance.
    int32_t position = ids.size(), next = result.tokens.back();
    std::vector<float> logits(result.logits.floats.end() -
                                  model->config.vocabSize,
                              result.logits.floats.end());
    std::vector<int32_t> found;
    for (size_t i = 0; i < expected.size(); ++i) {
      found.push_back(next);
      result = run(makeStep(std::span(&next, 1), position++));
      next = result.tokens.back();
      if (i + 1 < expected.size())
        logits.insert(logits.end(), result.logits.floats.begin(),
                      result.logits.floats.end());
    }
    EXPECT_EQ(found, expected) << key;
    if (golden->has(key + ".greedy_logits")) {
      EXPECT_LE(maxDifference(logits, golden->floats(key + ".greedy_logits")),
                tolerance)
          << key;
    }
  }
}

TEST_P(HybridGoldenTest, PromptsAroundTheChunkAndTheConvolution) {
  std::vector<EdgePrompt> prompts = golden->edgePrompts();
  EXPECT_GE(prompts.size(), 8u);
  for (const EdgePrompt &edge : prompts)
    EXPECT_LE(
        differenceTo(run(makeStep(edge.ids)).logits, edge.key + ".last_logits"),
        tolerance)
        << edge.key;
}

TEST_P(HybridGoldenTest, HiddenStatesOfEveryLayer) {
  HiddenStates hidden;
  StepResult result = run(makeStep(prompt("t41")), hidden.observer());
  std::vector<std::vector<float>> expected;
  for (int64_t i = 0; i <= model->config.numHiddenLayers; ++i)
    expected.push_back(golden->floats("t41.hidden." + std::to_string(i)));
  std::optional<std::string> difference = hidden.compare(expected, 1e-4);
  EXPECT_FALSE(difference) << *difference;
  // What the draft goes on from is the last of them.
  ASSERT_TRUE(runner->hasDraft());
  EXPECT_LE(maxDifference(result.hidden.floats, expected.back()), 1e-4);
}

void HybridGoldenTest::compareStates(const std::string &key, int64_t count) {
  const LinearAttentionConfig &linear = *model->config.linearAttention;
  int64_t channels = 2 * linear.numKeyHeads * linear.keyHeadDim +
                     linear.numValueHeads * linear.valueHeadDim;
  for (int64_t i = 0; i < model->config.numHiddenLayers; ++i) {
    std::string number = std::to_string(i), layer = "layers." + number;
    std::string path = key + ".layer" + number;
    bool isLinear = model->config.layerTypes[i] == LayerType::LinearAttention;
    ASSERT_EQ(golden->has(path + ".recurrent_state"), isLinear) << path;
    if (!isLinear)
      continue;
    EXPECT_LE(
        maxDifference(runner->readState(qwen::StateKind::Recurrent, layer, 0),
                      golden->floats(path + ".recurrent_state")),
        1e-4)
        << path;
    // The golden has the last four inputs of each channel, oldest first.
    std::vector<float> ring =
        runner->readState(qwen::StateKind::Convolution, layer, 0);
    std::vector<float> inputs(channels * 4);
    int64_t rows = ring.size() / channels;
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t j = 0; j < 4; ++j)
        if (int64_t p = count - 4 + j; p >= 0)
          inputs[c * 4 + j] = ring[p % rows * channels + c];
    EXPECT_LE(maxDifference(inputs, golden->floats(path + ".conv_state")), 1e-4)
        << path;
  }
}

TEST_P(HybridGoldenTest, StatesAfterAPrompt) {
  for (std::string key : {"t41", "t150"}) {
    std::vector<int32_t> ids = prompt(key);
    run(makeStep(ids));
    compareStates(key, ids.size());
  }
}

TEST_P(HybridGoldenTest, RoutersChooseAsTransformersDo) {
  if (!model->config.moe)
    GTEST_SKIP() << "dense";
  double limit = 1e-5 + golden->routerWeightError();
  std::map<std::string, std::pair<std::vector<int32_t>, std::vector<float>>>
      choices;
  run(makeStep(prompt("t41")), [&](mlir::Operation *op, auto results) {
    if (mlir::isa<qwen::RouterOp>(op))
      choices[labelsOf(op->getLoc()).front().str()] = {results[0].integers,
                                                       results[1].floats};
  });
  for (int64_t i = 0; i < model->config.numHiddenLayers; ++i) {
    std::string number = std::to_string(i), key = "t41.layer" + number;
    const auto &[experts, weights] = choices["layers." + number + ".mlp.gate"];
    EXPECT_EQ(experts, golden->integers(key + ".router_experts")) << key;
    EXPECT_LE(maxDifference(weights, golden->floats(key + ".router_weights")),
              limit)
        << key;
  }
}

TEST_P(HybridGoldenTest, DraftPredictsWhatTheGoldenSays) {
  std::vector<DraftPrompt> prompts = golden->draftPrompts();
  EXPECT_EQ(prompts.size(), 4u);
  for (const DraftPrompt &draft : prompts) {
    std::string path = "mtp." + draft.key;
    StepResult main = run(makeStep(prompt(draft.key)));
    // Positions are those of the hidden states.
    StepResult result =
        expectOk(runner->runDraft(makeStep(draft.nextIds), main.hidden));
    EXPECT_LE(differenceTo(result.logits, path + ".logits"), tolerance) << path;

    // A chain of drafts: each from the hidden state of the one before it.
    std::vector<float> chain = golden->floats(path + ".chain_logits");
    size_t width = model->config.vocabSize;
    int32_t position = draft.nextIds.size();
    for (size_t i = 0; i < draft.chainIds.size(); ++i) {
      std::vector<float> row(result.logits.floats.end() - width,
                             result.logits.floats.end());
      EXPECT_LE(maxDifference(row, {chain.begin() + i * width,
                                    chain.begin() + (i + 1) * width}),
                tolerance)
          << path << " draft " << i;
      EXPECT_EQ(result.tokens.back(), draft.chainIds[i]) << path;
      HostTensor hidden = HostTensor::ofFloats(
          {1, model->config.hiddenSize},
          {result.hidden.floats.end() - model->config.hiddenSize,
           result.hidden.floats.end()});
      result = expectOk(runner->runDraftNext(
          makeStep(std::span(&draft.chainIds[i], 1), position++), hidden));
    }
  }
}

TEST_P(HybridGoldenTest, AnyStepsAndUpdatesAgree) {
  std::vector<int32_t> ids = prompt("t41");
  HostTensor whole = run(makeStep(ids)).logits;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    std::mt19937_64 engine(seed);
    std::vector<float> found;
    size_t first = 0, folded = 0;
    while (first < ids.size()) {
      size_t count = std::min<size_t>(1 + engine() % 9, ids.size() - first);
      Step step = makeStep(std::span(ids).subspan(first, count), first, 2);
      // The ring holds 32 tokens.
      step.update = first + count - folded > 32 ? 2 : engine() % 3;
      if (step.update != 0)
        folded = first + (step.update == 2 ? count : 0);
      first += count;
      HostTensor logits = run(step).logits;
      found.insert(found.end(), logits.floats.begin(), logits.floats.end());
    }
    EXPECT_LE(maxDifference(found, whole.floats), 1e-4) << seed;
  }
}

TEST_P(HybridGoldenTest, RefusesAStepThatSplitsASequence) {
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context,
                                        [&](mlir::Diagnostic &diagnostic) {
                                          message += diagnostic.str();
                                          return mlir::success();
                                        });
  Step step = {{{1, 0, 0}, {2, 0, 1}, {3, 1, 0}}, {2}};
  EXPECT_TRUE(mlir::failed(runner->run(step)));
  EXPECT_NE(message.find("the tokens of a slot do not stand side by side"),
            std::string::npos)
      << message;
}

TEST_P(HybridGoldenTest, RaggedSequencesEqualOneAlone) {
  // Four prompts in four slots, advanced by different numbers of tokens in
  // each step; the order of the slots changes from step to step.
  std::vector<std::vector<int32_t>> ids;
  std::vector<std::vector<float>> expected, found(4);
  for (std::string key : goldenPrompts) {
    ids.push_back(prompt(key));
    expected.push_back(run(makeStep(ids.back())).logits.floats);
  }
  size_t done[4] = {}, stride[4] = {1, 2, 5, 29},
         width = model->config.vocabSize;
  for (size_t round = 0;; ++round) {
    Step step;
    step.update = 2;
    std::vector<std::pair<size_t, size_t>> parts;
    for (size_t i = 0; i < 4; ++i) {
      size_t slot = (i + round) % 4;
      size_t count = std::min(stride[slot], ids[slot].size() - done[slot]);
      for (size_t t = 0; t < count; ++t, ++done[slot]) {
        step.rows.push_back(static_cast<int32_t>(step.tokens.size()));
        step.tokens.push_back({ids[slot][done[slot]],
                               static_cast<int32_t>(done[slot]),
                               static_cast<int32_t>(slot)});
      }
      parts.push_back({slot, count});
    }
    if (step.tokens.empty())
      break;
    StepResult result = run(step);
    auto row = result.logits.floats.begin();
    for (auto [slot, count] : parts) {
      found[slot].insert(found[slot].end(), row, row + count * width);
      row += count * width;
    }
  }
  // The state is rounded to f32 between steps.
  for (size_t slot = 0; slot < 4; ++slot)
    EXPECT_LE(maxDifference(found[slot], expected[slot]), 1e-4)
        << goldenPrompts[slot];
}

TEST_P(HybridGoldenTest, Bfloat16IsAsCloseAsTransformers) {
  double limit = golden->bf16RelativeError();
  // This model makes small numbers visible; it is meant for f32.
  if (std::string(GetParam().name) == "qwen3-next-eps-f32")
    GTEST_SKIP() << "for float32 only";
  importModel(DataType::BF16);
  double squares = 0, errors = 0;
  for (std::string key : {"t7", "t41"}) {
    std::vector<float> found = run(makeStep(prompt(key))).logits.floats;
    std::vector<float> expected = golden->floats(key + ".logits");
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      errors += std::pow(found[i] - expected[i], 2);
      squares += std::pow(expected[i], 2);
    }
  }
  double relative = std::sqrt(errors / squares);
  EXPECT_LE(relative, 2 * limit);
  // Not f32 in disguise.
  EXPECT_GE(relative, 1e-3);
}

static std::string nameOf(const testing::TestParamInfo<GoldenModel> &info) {
  return toTestName(info.param.name);
}

INSTANTIATE_TEST_SUITE_P(
    Stored, HybridGoldenTest,
    testing::Values(GoldenModel{"qwen3-next-small-f32", false},
                    GoldenModel{"qwen3_5-dense-tied-bf16", false},
                    GoldenModel{"qwen3_6-moe-bf16", false}),
    nameOf);
INSTANTIATE_TEST_SUITE_P(
    Shared, HybridGoldenTest,
    testing::Values(GoldenModel{"qwen3-next-bf16-sharded", true},
                    GoldenModel{"qwen3-next-small-f32", true},
                    GoldenModel{"qwen3-next-eps-f32", true},
                    GoldenModel{"qwen3_5-dense-tied-bf16", true},
                    GoldenModel{"qwen3_5-moe-bf16-sharded", true},
                    GoldenModel{"qwen3_6-dense-untied-bf16-sharded", true},
                    GoldenModel{"qwen3_6-moe-bf16", true}),
    nameOf);
