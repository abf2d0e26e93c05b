//===- MoeImportTest.cpp - mixtures of experts to qwen IR -----------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "test/frontend/Models/ImportFixture.h"
#include "test/support/Experts.h"

using namespace quern;
using namespace quern::test;

namespace {

const std::string kFirstMlp = "model.layers.0.mlp";
const std::string kMlp = "model.layers.1.mlp";

class MoeImportTest : public ImportTest {
protected:
  std::string expert(int number, const std::string &matrix) {
    return kMlp + ".experts." + std::to_string(number) + "." + matrix +
           ".weight";
  }
  qwen::WeightOp weight(const std::string &name) {
    return module->lookupSymbol<qwen::WeightOp>(name);
  }
  static std::vector<int64_t> shapeOf(qwen::WeightOp weight) {
    return weight.getTensorType().getShape().vec();
  }
};

} // namespace

TEST_F(MoeImportTest, AccountsForEveryTensor) {
  open("qwen3-moe-bf16-sharded");
  ASSERT_EQ(import(model->checkpoint), "");
  // Embedding, head, final norm; in each of four layers eight tensors around
  // the mixture, the router and three matrices of eight experts.
  EXPECT_EQ(report.usedTensors.size(), 3u + 4 * (8 + 1 + 3 * 8));
  EXPECT_EQ(report.usedTensors.size(), model->checkpoint.getTensors().size());
  EXPECT_EQ(report.unexpectedTensors, std::vector<std::string>());
  EXPECT_EQ(report.warnings, std::vector<std::string>());
  auto routers = find<qwen::RouterOp>();
  auto experts = find<qwen::ExpertsOp>();
  ASSERT_EQ(routers.size(), 4u);
  ASSERT_EQ(experts.size(), 4u);
  EXPECT_TRUE(routers[1].getNormalize());
  EXPECT_EQ(routers[1].getGate(), kMlp + ".gate.weight");
  ASSERT_EQ(experts[1].getGateUp().size(), 16u);
  ASSERT_EQ(experts[1].getDown().size(), 8u);
  auto nameOf = [](mlir::Attribute name) {
    return mlir::cast<mlir::FlatSymbolRefAttr>(name).getValue().str();
  };
  EXPECT_EQ(nameOf(experts[1].getGateUp()[6]), expert(3, "gate_proj"));
  EXPECT_EQ(nameOf(experts[1].getGateUp()[7]), expert(3, "up_proj"));
  EXPECT_EQ(nameOf(experts[1].getDown()[3]), expert(3, "down_proj"));
  EXPECT_EQ(find<qwen::ScaleBySigmoidOp>().size(), 0u);
}

TEST_F(MoeImportTest, DenseLayersBetweenMixtures) {
  open("qwen3-moe-mixed-f32");
  ASSERT_EQ(import(model->checkpoint), "");
  // Every second of six layers but 3: layers 1 and 5.
  EXPECT_EQ(find<qwen::ExpertsOp>().size(), 2u);
  EXPECT_EQ(find<qwen::SwigluOp>().size(), 4u);
  EXPECT_FALSE(find<qwen::RouterOp>()[0].getNormalize());
  EXPECT_EQ(find<qwen::RouterOp>()[0].getExperts().getType().getDimSize(1), 3);
  EXPECT_EQ(report.usedTensors.size(), model->checkpoint.getTensors().size());
}

TEST_F(MoeImportTest, FusedExperts) {
  open("qwen3-moe-bf16-sharded");
  // Only one layer: both layouts in one checkpoint.
  fuseExperts(tensors, kMlp, 8, storage);
  ASSERT_EQ(importEdited(), "");
  EXPECT_EQ(report.usedTensors.size(), tensors.size());
  EXPECT_EQ(report.unexpectedTensors, std::vector<std::string>());
  auto experts = find<qwen::ExpertsOp>();
  ASSERT_EQ(experts.size(), 4u);
  EXPECT_EQ(experts[0].getGateUp().size(), 16u);
  EXPECT_EQ(experts[1].getGateUp().size(), 1u);
  EXPECT_EQ(experts[1].getDown().size(), 1u);
  mlir::SymbolTableCollection symbols;
  EXPECT_EQ(experts[1].getSizes(symbols).numExperts, 8);
  EXPECT_EQ(experts[1].getSizes(symbols).intermediateSize, 48);
}

TEST_F(MoeImportTest, SharedExpert) {
  open("qwen3-moe-bf16-sharded");
  model->config.moe->sharedExpertIntermediateSize = 40;
  for (int i = 0; i < 4; ++i) {
    std::string mlp = "model.layers." + std::to_string(i) + ".mlp";
    add(mlp + ".shared_expert.gate_proj.weight", DataType::BF16, {40, 64});
    add(mlp + ".shared_expert.up_proj.weight", DataType::BF16, {40, 64});
    add(mlp + ".shared_expert.down_proj.weight", DataType::BF16, {64, 40});
    add(mlp + ".shared_expert_gate.weight", DataType::BF16, {1, 64});
  }
  ASSERT_EQ(importEdited(), "");
  EXPECT_EQ(report.usedTensors.size(), tensors.size());
  auto scales = find<qwen::ScaleBySigmoidOp>();
  ASSERT_EQ(scales.size(), 4u);
  auto gate = scales[0].getGate().getDefiningOp<qwen::LinearOp>();
  ASSERT_TRUE(gate);
  EXPECT_TRUE(gate.getType().getElementType().isF32());
  // Attention, routed experts, shared expert.
  EXPECT_EQ(find<qwen::ResidualAddOp>().size(), 3u * 4);
}

TEST_F(MoeImportTest, SharedExpertThatTheConfigDoesNotKnow) {
  open("qwen3-moe-bf16-sharded");
  add(kMlp + ".shared_expert_gate.weight", DataType::BF16, {1, 64});
  expectRefused("'model.layers.1.mlp.shared_expert_gate.weight': a shared "
                "expert, but the config has no "
                "shared_expert_intermediate_size");
}

TEST_F(MoeImportTest, RouterOfAnotherNumberOfExperts) {
  open("qwen3-moe-bf16-sharded");
  SafetensorsTensor &router = at(kMlp + ".gate.weight");
  router.shape[0] = 6;
  router.data = router.data.first(6 * 64 * 2);
  expectRefused("model.safetensors: tensor 'model.layers.1.mlp.gate.weight': "
                "routes to 6 experts, expected num_experts 8 of the config");
}

TEST_F(MoeImportTest, MissingRouter) {
  open("qwen3-moe-bf16-sharded");
  remove(kMlp + ".gate.weight");
  expectRefused("tensor 'model.layers.1.mlp.gate.weight' is missing from the "
                "checkpoint");
}

TEST_F(MoeImportTest, FusedExpertsOfAnotherNumber) {
  open("qwen3-moe-bf16-sharded");
  fuseExperts(tensors, kMlp, 8, storage);
  SafetensorsTensor &down = at(kMlp + ".experts.down_proj");
  down.shape[0] = 4;
  down.data = down.data.first(down.data.size() / 2);
  expectRefused("'model.layers.1.mlp.experts.down_proj': has 4 experts, "
                "expected num_experts 8 of the config");
}

TEST_F(MoeImportTest, MissingExperts) {
  open("qwen3-moe-bf16-sharded");
  remove(expert(5, "up_proj"));
  expectRefused("tensor 'model.layers.1.mlp.experts.5.up_proj.weight' is "
                "missing from the checkpoint, expected num_experts 8");
}

TEST_F(MoeImportTest, MissingHalfOfFusedExperts) {
  open("qwen3-moe-bf16-sharded");
  fuseExperts(tensors, kMlp, 8, storage);
  remove(kMlp + ".experts.gate_up_proj");
  expectRefused("tensor 'model.layers.1.mlp.experts.gate_up_proj' is missing");
}

TEST_F(MoeImportTest, ExpertBeyondTheConfig) {
  open("qwen3-moe-bf16-sharded");
  add(expert(8, "up_proj"), DataType::BF16, {48, 64});
  expectRefused("'model.layers.1.mlp.experts.8.up_proj.weight': the number of "
                "the expert is not below num_experts 8 of the config");
  remove(expert(8, "up_proj"));
  add(kMlp + ".experts.99999999999999999999.up_proj.weight", DataType::BF16,
      {48, 64});
  expectRefused("is not below num_experts 8");
}

TEST_F(MoeImportTest, ExpertsInBothLayouts) {
  open("qwen3-moe-bf16-sharded");
  std::vector<SafetensorsTensor> separate = tensors;
  fuseExperts(tensors, kMlp, 8, storage);
  std::vector<SafetensorsTensor> fused = tensors;
  tensors = separate;
  tensors.push_back(fused[fused.size() - 2]);
  expectRefused("'model.layers.1.mlp.experts.gate_up_proj': the experts of "
                "this layer are in the checkpoint twice, also as "
                "'model.layers.1.mlp.experts.0.gate_proj.weight'");
}

TEST_F(MoeImportTest, MixedElementTypes) {
  open("qwen3-moe-bf16-sharded");
  SafetensorsTensor &down = at(expert(3, "down_proj"));
  down.type = DataType::F32;
  down.data = storage.emplace_back(down.data.size() * 2);
  expectRefused("'model.layers.1.mlp.experts.3.down_proj.weight': element type "
                "F32, but 'model.layers.1.mlp.experts.0.gate_proj.weight' has "
                "BF16");
}

TEST_F(MoeImportTest, UnknownLayouts) {
  open("qwen3-moe-bf16-sharded");
  for (int i = 0; i < 8; ++i)
    for (std::string matrix : {"gate_proj", "up_proj", "down_proj"})
      remove(expert(i, matrix));
  expectRefused("found no experts 'model.layers.1.mlp.experts.', expected "
                "'model.layers.1.mlp.experts.gate_up_proj' or "
                "'model.layers.1.mlp.experts.0.gate_proj.weight'");
  add(kMlp + ".experts.w1", DataType::BF16, {8, 48, 64});
  expectRefused("'model.layers.1.mlp.experts.w1': unknown layout of experts: "
                "found no experts");
}

TEST_F(MoeImportTest, TransposedExperts) {
  open("qwen3-moe-bf16-sharded");
  fuseExperts(tensors, kMlp, 8, storage);
  fuseExperts(tensors, kFirstMlp, 8, storage);
  transposeExperts(tensors, kMlp, storage);
  ASSERT_EQ(importEdited(), "");
  EXPECT_EQ(report.usedTensors.size(), tensors.size());
  for (std::string mlp : {kFirstMlp, kMlp}) {
    qwen::WeightOp gateUp = weight(mlp + ".experts.gate_up_proj");
    qwen::WeightOp down = weight(mlp + ".experts.down_proj");
    ASSERT_TRUE(gateUp && down);
    EXPECT_EQ(gateUp.getTransposed(), mlp == kMlp);
    EXPECT_EQ(down.getTransposed(), mlp == kMlp);
    // The shapes that ops see.
    EXPECT_EQ(shapeOf(gateUp), std::vector<int64_t>({8, 96, 64}));
    EXPECT_EQ(shapeOf(down), std::vector<int64_t>({8, 64, 48}));
  }
}

TEST_F(MoeImportTest, SquareExpertsLieAsTheOtherTensor) {
  for (bool isTransposed : {false, true}) {
    tensors.clear();
    open("qwen3-moe-bf16-sharded");
    model->config.moe->moeIntermediateSize = 32;
    for (int i = 0; i < 4; ++i) {
      std::string mlp = "model.layers." + std::to_string(i) + ".mlp";
      fuseExperts(tensors, mlp, 8, storage);
      remove(mlp + ".experts.gate_up_proj");
      remove(mlp + ".experts.down_proj");
      // Gate and up have 64 rows of 64 columns, down has 64 of 32.
      add(mlp + ".experts.gate_up_proj", DataType::BF16, {8, 64, 64});
      if (isTransposed)
        add(mlp + ".experts.down_proj", DataType::BF16, {8, 32, 64});
      else
        add(mlp + ".experts.down_proj", DataType::BF16, {8, 64, 32});
    }
    ASSERT_EQ(importEdited(), "");
    EXPECT_EQ(weight(kMlp + ".experts.gate_up_proj").getTransposed(),
              isTransposed);
    EXPECT_EQ(weight(kMlp + ".experts.down_proj").getTransposed(),
              isTransposed);
  }
}

TEST_F(MoeImportTest, FusedExpertsOfAnotherShape) {
  open("qwen3-moe-bf16-sharded");
  fuseExperts(tensors, kMlp, 8, storage);
  at(kMlp + ".experts.gate_up_proj").shape = {8, 48, 128};
  expectRefused("'model.layers.1.mlp.experts.gate_up_proj': expected shape "
                "[8, 96, 64], found [8, 48, 128]");
}

TEST_F(MoeImportTest, WrongShapeOfAnExpert) {
  open("qwen3-moe-bf16-sharded");
  at(expert(7, "gate_proj")).shape = {64, 48};
  expectRefused("'model.layers.1.mlp.experts.7.gate_proj.weight': expected "
                "shape [48, 64], found [64, 48]");
}
