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

  /// Runs a prompt in chunks and compares the last rows of each.
  void checkChunks(const std::string &prompt, size_t chunk) {
    runner->getInterpreter().resetStates();
    std::vector<int32_t> ids = golden->integers(prompt + ".input_ids");
    std::vector<float> expected = golden->floats(prompt + ".logits");
    size_t vocabulary = expected.size() / ids.size();
    for (size_t first = 0; first < ids.size(); first += chunk) {
      size_t count = std::min(chunk, ids.size() - first);
      size_t numRows = std::min(count, size_t(kSmallPrograms.verifyTokens));
      auto end = expected.begin() + (first + count) * vocabulary;
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

TEST_P(GoldenPipelineTest, SingleTokens) { checkChunks("t7", 1); }
TEST_P(GoldenPipelineTest, SmallBatches) { checkChunks("t41", 3); }
TEST_P(GoldenPipelineTest, Prefill) { checkChunks("t41", 16); }
TEST_P(GoldenPipelineTest, RaggedPrefill) { checkChunks("t150", 13); }

TEST(Pipeline, EveryComputeTypeReachesTheLastPhase) {
  for (const char *name : goldenModels)
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

INSTANTIATE_TEST_SUITE_P(
    Models, GoldenPipelineTest,
    testing::Combine(testing::ValuesIn(goldenModels),
                     testing::Values(Phase::Graph, Phase::Shape),
                     testing::Bool()),
    [](const testing::TestParamInfo<Parameter> &info) {
      std::string name = std::get<0>(info.param);
      name += "_" + getPhaseName(std::get<1>(info.param)).str();
      name += std::get<2>(info.param) ? "_fused" : "_unfused";
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });
