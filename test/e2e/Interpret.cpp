//===- Interpret.cpp - Logits by the interpreter --------------------------===//
#include "test/e2e/Interpret.h"

#include "frontend/Import.h"
#include "passes/Pipelines.h"
#include "test/support/Golden.h"
#include "tools/interpreter/ModelRunner.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

std::vector<std::vector<float>> test::interpretPrompts(
    const std::string &name, const std::vector<std::vector<int32_t>> &prompts,
    llvm::function_ref<void(mlir::PassManager &)> addPasses) {
  std::unique_ptr<TestModel> model = TestModel::openGolden(name);
  if (!model)
    return {};
  mlir::MLIRContext context;
  ImportReport report;
  auto module = importCheckpoint(context, model->config, model->checkpoint,
                                 {.contextLength = 256, .numSlots = 4}, report);
  EXPECT_TRUE(mlir::succeeded(module));
  if (mlir::failed(module))
    return {};
  mlir::PassManager manager(&context);
  addPhases(manager, Phase::Graph, {});
  addPasses(manager);
  EXPECT_TRUE(mlir::succeeded(manager.run(**module)));
  ModelRunner runner(**module, checkpointWeights(model->checkpoint));
  Step step;
  for (size_t slot = 0; slot != prompts.size(); ++slot)
    for (size_t i = 0; i != prompts[slot].size(); ++i) {
      step.rows.push_back(static_cast<int32_t>(step.tokens.size()));
      step.tokens.push_back({prompts[slot][i], static_cast<int32_t>(i),
                             static_cast<int32_t>(slot)});
    }
  auto result = runner.run(step);
  EXPECT_TRUE(mlir::succeeded(result));
  if (mlir::failed(result))
    return {};
  std::vector<std::vector<float>> logits;
  auto next = result->logits.floats.begin();
  for (const std::vector<int32_t> &prompt : prompts) {
    auto end =
        next + static_cast<ptrdiff_t>(prompt.size()) * result->logits.shape[1];
    logits.emplace_back(next, end);
    next = end;
  }
  return logits;
}
