//===- CheckEachTest.cpp - a wrong pass is found and named ----------------===//
#include "tools/interpreter/CheckEach.h"

#include "frontend/Import.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Pipelines.h"
#include "test/support/Golden.h"
#include "tools/interpreter/CompareHidden.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

namespace {

/// Deliberately wrong: changes one op of layer 1 by `edit`.
class WrongPass
    : public mlir::PassWrapper<WrongPass,
                               mlir::OperationPass<mlir::func::FuncOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(WrongPass)

  using Edit = std::function<void(mlir::Operation *)>;
  WrongPass(std::string label, Edit edit)
      : label(std::move(label)), edit(std::move(edit)) {}
  WrongPass(const WrongPass &other) = default;

  llvm::StringRef getArgument() const override { return "test-wrong"; }
  void runOnOperation() override {
    mlir::Operation *found = nullptr;
    getOperation().walk([&](mlir::Operation *op) {
      if (llvm::is_contained(labelsOf(op->getLoc()), label))
        found = op;
    });
    // Other functions of the module have no such op.
    if (found)
      edit(found);
  }

private:
  std::string label;
  Edit edit;
};

class CheckEachTest : public testing::Test {
protected:
  void SetUp() override {
    context.disableMultithreading();
    importModel("qwen3-dense-untied-f32-sharded");
  }
  void importModel(const char *name) {
    model = TestModel::openGolden(name);
    ASSERT_TRUE(model);
    ImportReport report;
    auto imported = importCheckpoint(context, model->config, model->checkpoint,
                                     options, report);
    ASSERT_TRUE(mlir::succeeded(imported));
    module = std::move(*imported);
  }

  /// Runs the passes with the check; the diagnostics, one a line.
  std::string run(llvm::function_ref<void(mlir::OpPassManager &)> addPasses) {
    std::string messages;
    mlir::ScopedDiagnosticHandler handler(
        &context, [&](mlir::Diagnostic &diagnostic) {
          messages += diagnostic.str() + "\n";
          for (mlir::Diagnostic &note : diagnostic.getNotes())
            messages += note.str() + "\n";
          return mlir::success();
        });
    mlir::PassManager manager(&context);
    auto check = std::make_unique<CheckEachInstrumentation>(CheckEachOptions{});
    failure = check->getFailure();
    numChecked = check->getNumChecked();
    manager.addInstrumentation(std::move(check));
    addPasses(manager);
    EXPECT_TRUE(mlir::succeeded(manager.run(*module)));
    return messages;
  }
  /// The same with a right pass in front of and behind a wrong one.
  std::string runWrong(const std::string &label, WrongPass::Edit edit) {
    return run([&](mlir::OpPassManager &manager) {
      manager.addPass(mlir::createCSEPass());
      manager.addNestedPass<mlir::func::FuncOp>(
          std::make_unique<WrongPass>(label, edit));
      manager.addPass(mlir::createCanonicalizerPass());
    });
  }

  mlir::MLIRContext context;
  ImportOptions options = {.contextLength = 64, .numSlots = 3};
  std::unique_ptr<TestModel> model;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::shared_ptr<const bool> failure;
  std::shared_ptr<const unsigned> numChecked;
};

} // namespace

TEST_F(CheckEachTest, NamesTheWrongPassAndOp) {
  std::string messages =
      runWrong("layers.1.mlp.swiglu", [](mlir::Operation *op) {
        mlir::Value gate = op->getOperand(0);
        op->setOperand(0, op->getOperand(1));
        op->setOperand(1, gate);
      });
  EXPECT_TRUE(*failure);
  EXPECT_TRUE(llvm::StringRef(messages).starts_with(
      "pass test-wrong changes the logits of step 0 (12 tokens) by "))
      << messages;
  EXPECT_NE(messages.find("the first op that differs is qwen.swiglu of "
                          "layers.1.mlp.swiglu"),
            std::string::npos)
      << messages;
  EXPECT_EQ(messages.find("canonicalize"), std::string::npos) << messages;
}

TEST_F(CheckEachTest, FindsASmallChange) {
  std::string messages = runWrong("norm", [](mlir::Operation *op) {
    op->setAttr("epsilon",
                mlir::Builder(op->getContext()).getF64FloatAttr(1e-3));
  });
  EXPECT_TRUE(*failure);
  EXPECT_NE(messages.find("qwen.rms_norm of norm"), std::string::npos)
      << messages;
}

TEST_F(CheckEachTest, FindsAWrongState) {
  // The last layer's append into layer 0's cache: wrong from the next step on.
  std::string messages =
      runWrong("layers.2.self_attn.cache_append", [](mlir::Operation *op) {
        auto append = mlir::cast<qwen::CacheAppendOp>(op);
        append.setKeyCacheAttr(mlir::FlatSymbolRefAttr::get(
            op->getContext(), "layers.0.self_attn.k_cache"));
      });
  EXPECT_TRUE(*failure);
  EXPECT_NE(messages.find("pass test-wrong changes"), std::string::npos)
      << messages;
}

TEST_F(CheckEachTest, FindsAWrongSampler) {
  std::string messages = runWrong("sample", [](mlir::Operation *op) {
    // The logits before the sampler stay; the tokens are those of row 0's
    // selection.
    op->getResult(0).replaceAllUsesWith(
        op->getBlock()->getArgument(4)); // %rows
  });
  EXPECT_TRUE(*failure);
  EXPECT_NE(messages.find("pass test-wrong changes the tokens of step 0"),
            std::string::npos)
      << messages;
}

TEST_F(CheckEachTest, AcceptsOurPipeline) {
  PipelineOptions pipeline;
  pipeline.prefillTokens = 16;
  std::string messages = run([&](mlir::OpPassManager &manager) {
    addPhases(manager, Phase::Shape, pipeline);
  });
  EXPECT_EQ(messages, "");
  EXPECT_FALSE(*failure);
  // All of Graph and Shape, not only what stands before the first rewrite.
  EXPECT_GE(*numChecked, 8u);
  EXPECT_TRUE(module->lookupSymbol("decode"));
  EXPECT_TRUE(canInterpret(*module));
}

TEST_F(CheckEachTest, AcceptsOurPipelineOnHybridsAndTheirDrafts) {
  for (const char *name : hybridModels) {
    importModel(name);
    std::string messages = run([&](mlir::OpPassManager &manager) {
      addPhases(manager, Phase::Shape, {.prefillTokens = 16});
    });
    EXPECT_EQ(messages, "") << name;
    EXPECT_GE(*numChecked, 12u);
    EXPECT_TRUE(module->lookupSymbol("draft_decode"));
    // Everything that the fusions are for is gone.
    module->walk([&](mlir::Operation *op) {
      EXPECT_FALSE((mlir::isa<qwen::SigmoidGateOp, qwen::SliceFeaturesOp,
                              qwen::CausalConv1dOp, qwen::L2NormOp,
                              qwen::DeltaGatesOp, qwen::CacheAppendOp>(op)))
          << name << ": " << op->getName().getStringRef().str();
    });
  }
}

TEST_F(CheckEachTest, FindsAWrongDraft) {
  importModel("qwen3_5-dense-tied-bf16");
  std::string messages =
      runWrong("mtp.layers.0.mlp.swiglu", [](mlir::Operation *op) {
        mlir::Value gate = op->getOperand(0);
        op->setOperand(0, op->getOperand(1));
        op->setOperand(1, gate);
      });
  EXPECT_TRUE(*failure);
  EXPECT_TRUE(llvm::StringRef(messages).starts_with(
      "pass test-wrong changes the logits of draft of step 0 (12 tokens) by "))
      << messages;
  EXPECT_NE(messages.find("the first op that differs is qwen.swiglu of "
                          "mtp.layers.0.mlp.swiglu"),
            std::string::npos)
      << messages;
}

TEST_F(CheckEachTest, LeavesLoweredModulesAlone) {
  std::string messages = run([&](mlir::OpPassManager &manager) {
    addPhases(manager, Phase::Memory, {});
  });
  EXPECT_EQ(messages, "");
  EXPECT_FALSE(*failure);
  EXPECT_FALSE(canInterpret(*module));
}
