//===- MoeGoldenTest.cpp - routing of imported mixtures of experts --------===//
#include "frontend/Import.h"
#include "mlir/IR/MLIRContext.h"
#include "test/support/Experts.h"
#include "test/support/Golden.h"
#include "test/support/TempDir.h"
#include "tools/interpreter/CompareHidden.h"
#include "tools/interpreter/ModelRunner.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

namespace {

struct RouterChoice {
  std::vector<int32_t> experts;
  std::vector<float> weights;
};

struct Outcome {
  std::vector<float> logits;
  /// By label of the router.
  std::map<std::string, RouterChoice> routers;
};

} // namespace

/// Imports a model and runs a prompt in one step.
static Outcome runPrompt(const TestModel &model,
                         const std::vector<int32_t> &ids) {
  mlir::MLIRContext context;
  ImportReport report;
  auto module = importCheckpoint(context, model.config, model.checkpoint,
                                 {.contextLength = 192}, report);
  EXPECT_TRUE(mlir::succeeded(module));
  if (mlir::failed(module))
    return {};
  ModelRunner runner(**module, checkpointWeights(model.checkpoint));
  Outcome outcome;
  Step step;
  for (int32_t id : ids) {
    step.rows.push_back(static_cast<int32_t>(step.tokens.size()));
    step.tokens.push_back({id, static_cast<int32_t>(step.tokens.size()), 0});
  }
  auto result = runner.run(
      step, [&](mlir::Operation *op, llvm::ArrayRef<HostTensor> results) {
        if (mlir::isa<qwen::RouterOp>(op))
          outcome.routers[labelsOf(op->getLoc()).front().str()] = {
              results[0].integers, results[1].floats};
      });
  EXPECT_TRUE(mlir::succeeded(result));
  if (mlir::succeeded(result))
    outcome.logits = result->logits.floats;
  return outcome;
}

namespace {

class MoeGoldenTest : public testing::TestWithParam<const char *> {};

} // namespace

TEST_P(MoeGoldenTest, RoutersChooseAsTransformersDo) {
  auto model = TestModel::openGolden(GetParam());
  ASSERT_TRUE(model);
  Golden golden(GetParam());
  Outcome outcome = runPrompt(*model, golden.integers("t41.input_ids"));
  size_t compared = 0;
  for (int64_t i = 0; i != model->config.numHiddenLayers; ++i) {
    std::string layer = std::to_string(i), key = "t41.layer" + layer;
    EXPECT_EQ(golden.has(key + ".router_experts"), model->config.moeLayers[i]);
    if (!model->config.moeLayers[i])
      continue;
    const RouterChoice &found =
        outcome.routers["layers." + layer + ".mlp.gate"];
    EXPECT_EQ(found.experts, golden.integers(key + ".router_experts"));
    EXPECT_LE(
        maxDifference(found.weights, golden.floats(key + ".router_weights")),
        1e-5);
    ++compared;
  }
  EXPECT_EQ(outcome.routers.size(), compared);
}

TEST_P(MoeGoldenTest, FusedExpertsComputeTheSame) {
  auto separate = TestModel::openGolden(GetParam());
  ASSERT_TRUE(separate);
  std::vector<int32_t> ids = Golden(GetParam()).integers("t7.input_ids");
  std::vector<float> expected = runPrompt(*separate, ids).logits;
  for (bool isTransposed : {false, true}) {
    TempDir folder;
    ASSERT_NO_FATAL_FAILURE(
        writeFusedCheckpoint(GetParam(), folder.str(), isTransposed));
    auto fused = TestModel::open(folder.str());
    ASSERT_TRUE(fused);
    EXPECT_EQ(runPrompt(*fused, ids).logits, expected)
        << (isTransposed ? "transposed" : "as ops have them");
  }
}

INSTANTIATE_TEST_SUITE_P(Models, MoeGoldenTest,
                         testing::Values("qwen3-moe-bf16-sharded",
                                         "qwen3-moe-mixed-f32"),
                         [](const testing::TestParamInfo<const char *> &info) {
                           return toTestName(info.param);
                         });
