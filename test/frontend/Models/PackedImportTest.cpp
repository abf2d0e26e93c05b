//===- PackedImportTest.cpp - Import of quantised checkpoints -------------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "test/frontend/Models/ImportFixture.h"
#include "test/support/PackedCheckpoint.h"

using namespace quern;
using namespace quern::test;

namespace {

class PackedImportTest : public ImportTest {
protected:
  /// Opens a quantised copy of a stored checkpoint.
  void openPacked(const char *name, const PackFormat &format) {
    writePackedCheckpoint(name, format, packed.str(), decoded.str());
    model = TestModel::open(packed.str());
    ASSERT_TRUE(model);
  }

  /// The numbers of projections that are stored with this type.
  int countStored(mlir::Type type) {
    int count = 0;
    for (auto weight : module->getOps<qwen::WeightOp>())
      if (weight.getSymName().ends_with("_proj.weight")) {
        EXPECT_TRUE(weight.getTensorType().getElementType().isF32());
        count += weight.getStoredElementType() == type;
      } else {
        EXPECT_FALSE(weight.getStored());
      }
    return count;
  }
  mlir::Type encoded(Encoding encoding) {
    return qwen::EncodedType::get(&context, encoding);
  }

  TempDir packed, decoded;
};

} // namespace

TEST_F(PackedImportTest, CodesAreKept) {
  openPacked("qwen3-dense-untied-f32-sharded", {.method = "gptq"});
  ASSERT_EQ(import(model->checkpoint), "");
  // Three layers of q, k, v, o, gate, up and down.
  EXPECT_EQ(countStored(encoded(Encoding::Q4)), 21);
  EXPECT_EQ(report.exactWeights, 21u);
  EXPECT_EQ(report.decodedWeights, 0u);
  EXPECT_EQ(report.unexpectedTensors.size(), 0u);
  EXPECT_TRUE(report.warnings.empty()) << report.warnings.front();
  // Four parts of each, and the bytes of the file but for its header.
  for (const char *part : {"qweight", "qzeros", "scales", "g_idx"})
    EXPECT_EQ(
        std::ranges::count(report.usedTensors,
                           std::string("model.layers.1.mlp.up_proj.") + part),
        1);
  uint64_t size = std::filesystem::file_size(packed.file("model.safetensors"));
  EXPECT_LT(report.weightBytes, size);
  EXPECT_GT(report.weightBytes, size - 16000);
}

TEST_F(PackedImportTest, ZeroPoints) {
  openPacked("qwen3-dense-untied-f32-sharded",
             {.method = "awq", .isSymmetric = false});
  ASSERT_EQ(import(model->checkpoint), "");
  EXPECT_EQ(countStored(encoded(Encoding::Q4ZeroPoint)), 21);
}

TEST_F(PackedImportTest, FloatsAreDecoded) {
  openPacked("qwen3-moe-bf16-sharded", {.method = "fp8"});
  ASSERT_EQ(import(model->checkpoint), "");
  // Four layers of q, k, v, o and eight experts.
  EXPECT_EQ(countStored(mlir::BFloat16Type::get(&context)), 4 * (4 + 3 * 8));
  EXPECT_EQ(report.decodedWeights, uint64_t(4 * (4 + 3 * 8)));
  EXPECT_EQ(report.whyDecoded, "");
}

TEST_F(PackedImportTest, SaysWhyItDecodes) {
  openPacked("qwen3-dense-untied-f32-sharded",
             {.method = "gptq", .hasActOrder = true});
  ASSERT_EQ(import(model->checkpoint), "");
  EXPECT_EQ(countStored(mlir::Float32Type::get(&context)), 21);
  EXPECT_EQ(report.decodedWeights, 21u);
  EXPECT_EQ(report.whyDecoded, "model.layers.0.self_attn.q_proj.weight: "
                               "g_idx permutes its groups");
}

TEST_F(PackedImportTest, WrongShape) {
  openPacked("qwen3-dense-untied-f32-sharded", {.method = "gptq"});
  model->config.intermediateSize = 128;
  EXPECT_NE(import(model->checkpoint)
                .find("tensor 'model.layers.0.mlp.gate_proj.weight': expected "
                      "shape [128, 96], found [160, 96]"),
            std::string::npos);
}
