//===- ImportTest.cpp - from checkpoints to qwen IR -----------------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "mlir/Parser/Parser.h"
#include "test/frontend/Models/ImportFixture.h"

using namespace quern;
using namespace quern::test;

TEST_F(ImportTest, AccountsForEveryTensor) {
  open("qwen3-dense-tied-bf16");
  ASSERT_EQ(import(model->checkpoint), "");
  // Embedding, final norm and eleven tensors in each of four layers.
  EXPECT_EQ(report.usedTensors.size(), 2u + 11 * 4);
  EXPECT_EQ(report.usedTensors.front(), "model.embed_tokens.weight");
  EXPECT_EQ(report.usedTensors.back(), "model.norm.weight");
  ASSERT_EQ(report.skippedTensors.size(), 1u);
  EXPECT_EQ(report.skippedTensors[0].name, "lm_head.weight");
  EXPECT_EQ(report.unexpectedTensors, std::vector<std::string>());
  EXPECT_EQ(report.warnings, std::vector<std::string>());
  EXPECT_EQ(report.usedTensors.size() + report.skippedTensors.size(),
            model->checkpoint.getTensors().size());
  uint64_t bytes = 0;
  for (const std::string &name : report.usedTensors)
    bytes += model->checkpoint.find(name)->bytes.size();
  EXPECT_EQ(report.weightBytes, bytes);
}

TEST_F(ImportTest, WeightsKeepTheirPlaceAndType) {
  open("qwen3-dense-untied-f32-sharded");
  ASSERT_EQ(import(model->checkpoint), "");
  EXPECT_EQ(report.skippedTensors.size(), 0u);
  unsigned count = 0;
  for (auto weight : module->getOps<qwen::WeightOp>()) {
    const StoredTensor *stored =
        model->checkpoint.find(weight.getSymName().str());
    ASSERT_TRUE(stored);
    EXPECT_EQ(weight.getFile().str(),
              model->checkpoint.getFiles()[stored->file]);
    EXPECT_EQ(weight.getOffset(), stored->offset);
    EXPECT_EQ(weight.getTensorType().getShape().vec(), stored->shape);
    EXPECT_TRUE(weight.getTensorType().getElementType().isF32());
    ++count;
  }
  EXPECT_EQ(count, model->checkpoint.getTensors().size());
}

TEST_F(ImportTest, ModuleSurvivesItsText) {
  open("qwen3-dense-tied-bf16");
  options.compute = DataType::BF16;
  options.numSlots = 3;
  options.contextLength = 40;
  options.pageSize = 16;
  ASSERT_EQ(import(model->checkpoint), "");
  auto limits = (*module)->getAttrOfType<qwen::ModelAttr>("qwen.model");
  EXPECT_EQ(limits.getPagesPerSlot(), 3);
  EXPECT_EQ(limits.getNumPages(), 9);
  EXPECT_TRUE(limits.getCompute().isBF16());
  std::string text, again;
  llvm::raw_string_ostream(text) << *module;
  auto parsed = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  ASSERT_TRUE(parsed);
  llvm::raw_string_ostream(again) << *parsed;
  EXPECT_EQ(text, again);
  for (auto state : module->getOps<qwen::StateOp>())
    EXPECT_EQ(state.getTensorType().getShape().vec(),
              (std::vector<int64_t>{9, 2, 16, 32}));
}

TEST_F(ImportTest, MissingTensor) {
  open("qwen3-dense-tied-bf16");
  remove("model.layers.2.mlp.up_proj.weight");
  EXPECT_NE(importEdited().find("'model.layers.2.mlp.up_proj.weight' is "
                                "missing from the checkpoint"),
            std::string::npos);
}

TEST_F(ImportTest, UntiedWithoutOutputMatrix) {
  open("qwen3-dense-untied-f32-sharded");
  remove("lm_head.weight");
  EXPECT_NE(importEdited().find("'lm_head.weight' is missing"),
            std::string::npos);
}

TEST_F(ImportTest, WrongShape) {
  open("qwen3-dense-tied-bf16");
  SafetensorsTensor &tensor = at("model.layers.0.self_attn.k_proj.weight");
  std::swap(tensor.shape[0], tensor.shape[1]);
  tensor.shape = {32, 128};
  std::string message = importEdited();
  EXPECT_NE(message.find("model.layers.0.self_attn.k_proj.weight"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("expected shape [64, 64], found [32, 128]"),
            std::string::npos)
      << message;
}

TEST_F(ImportTest, WrongElementType) {
  open("qwen3-dense-untied-f32-sharded");
  at("model.layers.0.mlp.up_proj.weight").type = DataType::I32;
  std::string message = importEdited();
  EXPECT_NE(message.find("expected element type F32, F16 or BF16, found I32"),
            std::string::npos)
      << message;
}

TEST_F(ImportTest, ElementTypeAgainstConfigIsAWarning) {
  open("qwen3-dense-untied-f32-sharded");
  model->config.dtype = DataType::BF16;
  ASSERT_EQ(importEdited(), "");
  ASSERT_FALSE(report.warnings.empty());
  EXPECT_NE(report.warnings[0].find("has element type F32, config.json says "
                                    "BF16"),
            std::string::npos)
      << report.warnings[0];
}

TEST_F(ImportTest, UnexpectedTensor) {
  open("qwen3-dense-tied-bf16");
  std::vector<float> values = {1, 2};
  tensors.push_back({"model.layers.0.self_attn.q_proj.bias",
                     DataType::F32,
                     {2},
                     std::as_bytes(std::span(values))});
  ASSERT_EQ(importEdited(), "");
  EXPECT_EQ(report.unexpectedTensors,
            std::vector<std::string>{"model.layers.0.self_attn.q_proj.bias"});
  options.refuseUnexpectedTensors = true;
  std::string message = importEdited();
  EXPECT_NE(message.find("the model has no such tensor"), std::string::npos)
      << message;
}

TEST_F(ImportTest, TiedButDifferentOutputMatrix) {
  open("qwen3-dense-tied-bf16");
  SafetensorsTensor &head = at("lm_head.weight");
  std::vector<std::byte> changed(head.data.begin(), head.data.end());
  changed.back() ^= std::byte(1);
  head.data = changed;
  std::string message = importEdited();
  EXPECT_NE(message.find("although tie_word_embeddings is true"),
            std::string::npos)
      << message;
}

TEST_F(ImportTest, OptionsOutOfRange) {
  open("qwen3-dense-tied-bf16");
  options.contextLength = 0;
  EXPECT_EQ(import(model->checkpoint),
            "context length is 0, expected 1 to 16777216");
  options = {.pageSize = 5000};
  EXPECT_EQ(import(model->checkpoint), "page size is 5000, expected 1 to 4096");
  options = {.numSlots = -1};
  EXPECT_EQ(import(model->checkpoint),
            "number of slots is -1, expected 1 to 4096");
  options = {.compute = DataType::I8};
  EXPECT_EQ(import(model->checkpoint),
            "compute type is I8, expected F32, F16 or BF16");
}

TEST_F(ImportTest, ContextBeyondTheTrainedOneIsAWarning) {
  open("qwen3-yarn-ropescaling-f32");
  options.contextLength = 257;
  ASSERT_EQ(import(model->checkpoint), "");
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_NE(report.warnings[0].find(
                "context length 257 is beyond max_position_embeddings 256"),
            std::string::npos);
}

TEST_F(ImportTest, FamilyThatIsNotBuiltYet) {
  open("qwen3-dense-tied-bf16");
  model->config.family = ModelFamily::Qwen3VL;
  EXPECT_EQ(import(model->checkpoint),
            "the model family qwen3_vl cannot be built yet");
}
