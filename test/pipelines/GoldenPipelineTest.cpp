//===- GoldenPipelineTest.cpp - IR after each phase against transformers --===//
//
// Imports the tiny checkpoints, runs phases, interprets what came out in f32
// and compares with what transformers computed (test/data/README.md).
//
//===----------------------------------------------------------------------===//
#include "frontend/Import.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/support/Golden.h"
#include "tools/interpreter/CompareHidden.h"
#include "tools/interpreter/ModelRunner.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

namespace {

/// Programs small enough for every prompt to need several steps.
constexpr PipelineOptions kSmallPrograms = {
    .decodeTokens = 1, .verifyTokens = 4, .prefillTokens = 16};
constexpr double kTolerance = 1e-3;

using Parameter = std::tuple<const char *, Phase, bool>;

class GoldenPipelineTest : public testing::TestWithParam<Parameter> {
protected:
  void SetUp() override {
    auto [name, phase, fuse] = GetParam();
    model = TestModel::openGolden(name);
    ASSERT_TRUE(model);
    golden.emplace(name);
    ImportReport report;
    auto imported =
        importCheckpoint(context, model->config, model->checkpoint,
                         {.contextLength = 192, .numSlots = 4}, report);
    ASSERT_TRUE(mlir::succeeded(imported));
    module = std::move(*imported);
    PipelineOptions options = kSmallPrograms;
    options.fuse = fuse;
    mlir::PassManager manager(&context);
    addPhases(manager, phase, options);
    ASSERT_TRUE(mlir::succeeded(manager.run(*module)));
    runner.emplace(*module, checkpointWeights(model->checkpoint));
  }

  /// Runs ids[first, first + count) at their positions in slot 1; the logits
  /// of the last rows of the step.
  std::vector<float> run(std::span<const int32_t> ids, size_t first,
                         size_t count, size_t numRows) {
    Step step;
    for (size_t i = first; i < first + count; ++i)
      step.tokens.push_back({ids[i], static_cast<int32_t>(i), 1});
    for (size_t i = count - numRows; i < count; ++i)
      step.rows.push_back(static_cast<int32_t>(i));
    auto result = runner->run(step);
    EXPECT_TRUE(mlir::succeeded(result));
    return mlir::succeeded(result) ? result->logits.floats
                                   : std::vector<float>();
  }

  /// Runs a prompt in chunks, the draft behind each, then a chain of drafts;
  /// compares the drafts behind the prompt.
  void checkDraft(const DraftPrompt &prompt, size_t chunk);

  /// Runs a prompt in chunks and compares the last rows of each.
  void checkChunks(const std::string &prompt, size_t chunk) {
    runner->getInterpreter().resetStates();
    std::vector<int32_t> ids = golden->integers(prompt + ".input_ids");
    bool hasAll = golden->has(prompt + ".logits");
    std::vector<float> expected =
        golden->floats(prompt + (hasAll ? ".logits" : ".last_logits"));
    size_t vocabulary = model->config.vocabSize;
    size_t skipped = ids.size() - expected.size() / vocabulary;
    for (size_t first = 0; first < ids.size(); first += chunk) {
      size_t count = std::min(chunk, ids.size() - first);
      size_t numRows = std::min(count, size_t(kSmallPrograms.verifyTokens));
      if (first + count < skipped + numRows) {
        run(ids, first, count, numRows);
        continue;
      }
      auto end = expected.begin() + (first + count - skipped) * vocabulary;
      std::vector<float> rows(end - numRows * vocabulary, end);
      EXPECT_LE(maxDifference(run(ids, first, count, numRows), rows),
                kTolerance)
          << prompt << ", chunks of " << chunk << ", at " << first;
    }
  }

  mlir::MLIRContext context;
  std::unique_ptr<TestModel> model;
  std::optional<Golden> golden;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<ModelRunner> runner;
};

} // namespace

void GoldenPipelineTest::checkDraft(const DraftPrompt &prompt, size_t chunk) {
  runner->getInterpreter().resetStates();
  std::vector<int32_t> ids = golden->integers(prompt.key + ".input_ids");
  StepResult draft;
  for (size_t first = 0; first < ids.size(); first += chunk) {
    size_t count = std::min(chunk, ids.size() - first);
    Step step, next;
    for (size_t i = first; i < first + count; ++i) {
      step.tokens.push_back({ids[i], static_cast<int32_t>(i), 1});
      next.tokens.push_back({prompt.nextIds[i], static_cast<int32_t>(i), 1});
    }
    step.rows = next.rows = {static_cast<int32_t>(count) - 1};
    auto result = runner->run(step);
    ASSERT_TRUE(mlir::succeeded(result));
    auto drafted = runner->runDraft(next, result->hidden);
    ASSERT_TRUE(mlir::succeeded(drafted));
    draft = std::move(*drafted);
  }
  std::string key = "mtp." + prompt.key + ".chain_logits";
  std::vector<float> chain = golden->floats(key);
  size_t width = model->config.vocabSize;
  int32_t position = static_cast<int32_t>(ids.size());
  for (size_t i = 0; i < prompt.chainIds.size(); ++i) {
    EXPECT_LE(
        maxDifference(draft.logits.floats, {chain.begin() + i * width,
                                            chain.begin() + (i + 1) * width}),
        kTolerance)
        << key << " draft " << i;
    EXPECT_EQ(draft.tokens, std::vector{prompt.chainIds[i]}) << key;
    auto drafted = runner->runDraftNext(
        {{{prompt.chainIds[i], position++, 1}}, {0}}, draft.hidden);
    ASSERT_TRUE(mlir::succeeded(drafted));
    draft = std::move(*drafted);
  }
}

namespace {

/// Models with a draft.
class DraftPipelineTest : public GoldenPipelineTest {};

} // namespace

TEST_P(DraftPipelineTest, Drafts) {
  ASSERT_TRUE(runner->hasDraft());
  for (const DraftPrompt &prompt : golden->draftPrompts())
    for (size_t chunk : {1, 3, 14})
      if (prompt.nextIds.size() <= 10 * chunk)
        checkDraft(prompt, chunk);
}

TEST_P(GoldenPipelineTest, SingleTokens) { checkChunks("t7", 1); }
TEST_P(GoldenPipelineTest, SmallBatches) { checkChunks("t41", 3); }
TEST_P(GoldenPipelineTest, Prefill) { checkChunks("t41", 16); }
TEST_P(GoldenPipelineTest, RaggedPrefill) { checkChunks("t150", 13); }

TEST(Pipeline, EveryComputeTypeReachesTheLastPhase) {
  std::vector<const char *> names(std::begin(goldenModels),
                                  std::end(goldenModels));
  names.insert(names.end(), std::begin(hybridModels), std::end(hybridModels));
  for (const char *name : names)
    for (DataType compute : {DataType::F32, DataType::F16, DataType::BF16})
      for (bool fuse : {false, true}) {
        auto model = TestModel::openGolden(name);
        ASSERT_TRUE(model);
        mlir::MLIRContext context;
        ImportReport report;
        auto module =
            importCheckpoint(context, model->config, model->checkpoint,
                             {.compute = compute, .numSlots = 4}, report);
        ASSERT_TRUE(mlir::succeeded(module));
        PipelineOptions options;
        options.fuse = fuse;
        mlir::PassManager manager(&context);
        addPhases(manager, Phase::Memory, options);
        EXPECT_TRUE(mlir::succeeded(manager.run(**module)))
            << name << (fuse ? " fused" : " unfused");
      }
}

static std::string nameOf(const testing::TestParamInfo<Parameter> &info) {
  std::string name = std::get<0>(info.param);
  name += "_" + getPhaseName(std::get<1>(info.param)).str();
  name += std::get<2>(info.param) ? "_fused" : "_unfused";
  return toTestName(name);
}

static auto modelsAndPhases(llvm::ArrayRef<const char *> models) {
  return testing::Combine(testing::ValuesIn(models.begin(), models.end()),
                          testing::Values(Phase::Graph, Phase::Shape),
                          testing::Bool());
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenPipelineTest,
                         modelsAndPhases(goldenModels), nameOf);
INSTANTIATE_TEST_SUITE_P(Hybrids, GoldenPipelineTest,
                         modelsAndPhases(hybridModels), nameOf);
INSTANTIATE_TEST_SUITE_P(Hybrids, DraftPipelineTest,
                         modelsAndPhases(hybridModels), nameOf);
