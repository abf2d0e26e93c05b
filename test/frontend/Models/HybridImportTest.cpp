//===- HybridImportTest.cpp - hybrids and their drafts to qwen IR ---------===//
#include "dialects/Qwen/IR/QwenOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "test/frontend/Models/ImportFixture.h"

using namespace quern;
using namespace quern::test;

namespace {

class HybridImportTest : public ImportTest {
protected:
  size_t count(const std::string &prefix) {
    return std::ranges::count_if(tensors, [&](const auto &tensor) {
      return tensor.name.starts_with(prefix);
    });
  }
  void removeAll(const std::string &prefix) {
    std::erase_if(tensors, [&](const auto &tensor) {
      return tensor.name.starts_with(prefix);
    });
  }
  /// "hidden, tokens": the roles of a function's results.
  std::string resultRoles(const std::string &name) {
    auto function = module->lookupSymbol<mlir::func::FuncOp>(name);
    std::string roles;
    for (unsigned i = 0; function && i < function.getNumResults(); ++i)
      roles +=
          (i ? ", " : "") +
          function.getResultAttrOfType<mlir::StringAttr>(i, "qwen.role").str();
    return roles;
  }
  void expectAccounted() {
    EXPECT_EQ(report.unexpectedTensors, std::vector<std::string>());
    EXPECT_EQ(report.warnings, std::vector<std::string>());
    EXPECT_EQ(report.usedTensors.size() + report.skippedTensors.size(),
              tensors.size());
  }
};

const std::string kDraftMlp = "mtp.layers.0.mlp.";
const std::string kLinear = "model.language_model.layers.0.linear_attn.";

} // namespace

TEST_F(HybridImportTest, AccountsForEveryTensor) {
  for (std::string name : hybridModels) {
    SCOPED_TRACE(name);
    tensors.clear();
    open(name);
    options.refuseUnexpectedTensors = true;
    ASSERT_EQ(import(model->checkpoint), "");
    expectAccounted();
    EXPECT_EQ(report.skippedTensors.size(), count("model.visual."));
    for (const ImportReport::SkippedTensor &skipped : report.skippedTensors)
      EXPECT_EQ(skipped.reason, "vision tower: images are not supported yet");
    // All of the draft is used.
    EXPECT_EQ(std::ranges::count_if(report.usedTensors,
                                    [](const std::string &tensor) {
                                      return tensor.starts_with("mtp.");
                                    }),
              static_cast<int64_t>(count("mtp.")));
  }
}

TEST_F(HybridImportTest, FunctionsOfAModelWithDraft) {
  open("qwen3_6-moe-bf16");
  ASSERT_EQ(import(model->checkpoint), "");
  EXPECT_EQ(resultRoles("forward"), "logits, tokens, hidden");
  EXPECT_EQ(resultRoles("draft"), "logits, tokens, draft_hidden");
  EXPECT_EQ(resultRoles("draft_next"), "logits, tokens, draft_hidden");
  // The two steps of the draft share its cache: with that of the attention
  // layer two pairs, and five states for each delta net.
  EXPECT_EQ(find<qwen::StateOp>().size(), 2u * 2 + 3 * 5);
  EXPECT_EQ(find<qwen::ExpertsOp>().size(), 4u + 2);
}

TEST_F(HybridImportTest, ModelWithoutDraft) {
  open("qwen3_5-dense-tied-bf16");
  removeAll("mtp.");
  ASSERT_EQ(importEdited(), "");
  expectAccounted();
  EXPECT_EQ(resultRoles("forward"), "logits, tokens");
  EXPECT_FALSE(module->lookupSymbol("draft"));
  EXPECT_FALSE(module->lookupSymbol("draft_next"));
}

TEST_F(HybridImportTest, DraftThatLacksATensor) {
  open("qwen3_5-dense-tied-bf16");
  remove("mtp.fc.weight");
  expectRefused("tensor 'mtp.fc.weight' is missing from the checkpoint");
}

TEST_F(HybridImportTest, DraftThatLacksItsRouter) {
  for (std::string name : {"qwen3-next-small-f32", "qwen3_6-moe-bf16"}) {
    SCOPED_TRACE(name);
    tensors.clear();
    open(name);
    remove(kDraftMlp + "gate.weight");
    expectRefused("tensor 'mtp.layers.0.mlp.gate.weight' is missing from the "
                  "checkpoint");
  }
}

TEST_F(HybridImportTest, DraftThatLacksExperts) {
  open("qwen3-next-small-f32");
  remove(kDraftMlp + "experts.3.up_proj.weight");
  expectRefused("tensor 'mtp.layers.0.mlp.experts.3.up_proj.weight' is missing "
                "from the checkpoint, expected num_experts 6");
  tensors.clear();
  open("qwen3_6-moe-bf16");
  removeAll(kDraftMlp);
  expectRefused("found no experts 'mtp.layers.0.mlp.experts.'");
}

TEST_F(HybridImportTest, DraftWithAnotherNumberOfExperts) {
  open("qwen3_6-moe-bf16");
  SafetensorsTensor &router = at(kDraftMlp + "gate.weight");
  router.data = router.data.first(router.data.size() / router.shape[0] * 6);
  router.shape[0] = 6;
  expectRefused("'mtp.layers.0.mlp.gate.weight': routes to 6 experts, expected "
                "num_experts 12 of the config");
}

TEST_F(HybridImportTest, DenseDraftOfAMixture) {
  open("qwen3_6-moe-bf16");
  removeAll(kDraftMlp);
  uint64_t hidden = model->config.hiddenSize;
  model->config.intermediateSize = 40;
  add(kDraftMlp + "gate_proj.weight", DataType::BF16, {40, hidden});
  add(kDraftMlp + "up_proj.weight", DataType::BF16, {40, hidden});
  expectRefused("tensor 'mtp.layers.0.mlp.down_proj.weight' is missing from "
                "the checkpoint");
  add(kDraftMlp + "down_proj.weight", DataType::BF16, {hidden, 40});
  ASSERT_EQ(importEdited(), "");
  expectAccounted();
  EXPECT_EQ(find<qwen::ExpertsOp>().size(), 4u);
}

TEST_F(HybridImportTest, TextOnlyNames) {
  // The prefix of text-only checkpoints, and no vision tower.
  open("qwen3_6-moe-bf16");
  removeAll("model.visual.");
  for (SafetensorsTensor &tensor : tensors)
    if (tensor.name.starts_with("model.language_model."))
      tensor.name = "model." + tensor.name.substr(21);
  ASSERT_EQ(importEdited(), "");
  expectAccounted();
  EXPECT_TRUE(module->lookupSymbol("model.layers.0.linear_attn.A_log"));
}

TEST_F(HybridImportTest, StatesOfADeltaNet) {
  open("qwen3-next-small-f32");
  options.numSlots = 3;
  options.compute = DataType::BF16;
  ASSERT_EQ(import(model->checkpoint), "");
  auto typeOf = [&](const std::string &name) {
    auto state =
        module->lookupSymbol<qwen::StateOp>("layers.0.linear_attn." + name);
    std::string text;
    llvm::raw_string_ostream(text) << qwen::stringifyStateKind(state.getKind())
                                   << " " << state.getTensorType();
    return text;
  };
  EXPECT_EQ(typeOf("conv_state"), "convolution tensor<3x16x208xbf16>");
  EXPECT_EQ(typeOf("recurrent_state"), "recurrent tensor<3x6x16x24xf32>");
  EXPECT_EQ(typeOf("delta_keys"), "delta_keys tensor<3x32x2x16xf32>");
  EXPECT_EQ(typeOf("delta_updates"), "delta_updates tensor<3x32x6x24xf32>");
  EXPECT_EQ(typeOf("delta_decays"), "delta_decays tensor<3x32x6xf32>");
}

TEST_F(HybridImportTest, RowsThatAreGroupedByHeadAreTakenApart) {
  open("qwen3-next-small-f32");
  ASSERT_EQ(import(model->checkpoint), "");
  std::map<std::string, std::vector<int64_t>> parts;
  for (qwen::LinearOp linear : find<qwen::LinearOp>())
    if (auto lists = linear.getParts())
      parts[mlir::cast<mlir::FlatSymbolRefAttr>(linear.getWeights()[0])
                .getValue()
                .str()] =
          mlir::cast<mlir::DenseI64ArrayAttr>((*lists)[0]).asArrayRef().vec();
  // Two key heads of 16, six value heads of 24; query and gate heads of 32.
  using Sizes = std::vector<int64_t>;
  EXPECT_EQ(parts["model.layers.0.linear_attn.in_proj_qkvz.weight"],
            (Sizes{16, 16, 72, 72}));
  EXPECT_EQ(parts["model.layers.0.linear_attn.in_proj_ba.weight"],
            (Sizes{3, 3}));
  EXPECT_EQ(parts["model.layers.3.self_attn.q_proj.weight"], (Sizes{32, 32}));
  EXPECT_EQ(parts["mtp.layers.0.self_attn.q_proj.weight"], (Sizes{32, 32}));
}

TEST_F(HybridImportTest, MissingTensorOfADeltaNet) {
  for (std::string name : {"A_log", "conv1d.weight", "in_proj_z.weight",
                           "norm.weight", "out_proj.weight"}) {
    tensors.clear();
    open("qwen3_5-dense-tied-bf16");
    remove(kLinear + name);
    expectRefused("tensor '" + kLinear + name +
                  "' is missing from the checkpoint");
  }
}

TEST_F(HybridImportTest, WrongConvolution) {
  open("qwen3_5-dense-tied-bf16");
  model->config.linearAttention->convKernelDim = 3;
  expectRefused("tensor '" + kLinear +
                "conv1d.weight': expected shape [128, 1, 3], found [128, 1, "
                "4]");
  model->config.linearAttention->convKernelDim = 4;
  at(kLinear + "conv1d.weight").shape = {128, 4};
  expectRefused("expected shape [128, 1, 4], found [128, 4]");
}

TEST_F(HybridImportTest, WrongNumberOfHeads) {
  open("qwen3_6-moe-bf16");
  model->config.linearAttention->numValueHeads = 2;
  expectRefused(kLinear);
}

TEST_F(HybridImportTest, LayerTypesAgainstTheTensors) {
  open("qwen3_5-dense-tied-bf16");
  std::swap(model->config.layerTypes[2], model->config.layerTypes[3]);
  expectRefused("is missing from the checkpoint");
}

TEST_F(HybridImportTest, VectorsMayBeF32AndMatricesMayNotDiffer) {
  // This checkpoint has F32 vectors among bf16 tensors.
  open("qwen3_5-dense-tied-bf16");
  EXPECT_EQ(at(kLinear + "A_log").type, DataType::F32);
  EXPECT_TRUE(succeeds(checkUniformWeightType(model->checkpoint)));
  TempDir folder;
  SafetensorsTensor &tensor = at(kLinear + "in_proj_a.weight");
  tensor.type = DataType::F16;
  ASSERT_TRUE(
      succeeds(writeSafetensors(folder.file("model.safetensors"), tensors)));
  Result<ModelDir> directory = ModelDir::open(folder.str());
  ASSERT_TRUE(succeeds(directory));
  Result<Checkpoint> checkpoint = Checkpoint::open(*directory);
  EXPECT_TRUE(failsWith(checkpoint, StatusCode::Unsupported,
                        "tensor '" + kLinear +
                            "in_proj_a.weight' has element type F16"));
}
