//===- QuantizationConfigTest.cpp - quantization_config -------------------===//
#include "frontend/HuggingFace/QuantizationConfig.h"
#include "test/support/Expect.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

namespace {

std::vector<std::string> warnings;

Result<QuantizationConfig> read(const std::string &members) {
  warnings.clear();
  std::string text = "{\"quantization_config\": {" + members + "}}";
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text));
  ConfigReader reader(document.root());
  std::optional<QuantizationConfig> config;
  QUERN_RETURN_IF_ERROR(readQuantization(reader, config, warnings));
  return std::move(*config);
}

} // namespace

// As Qwen publishes them.
TEST(QuantizationConfig, Fp8) {
  auto config = read(R"("activation_scheme": "dynamic", "fmt": "e4m3",
      "quant_method": "fp8", "weight_block_size": [128, 64],
      "modules_to_not_convert": ["lm_head", "model.layers.0.mlp.gate"])");
  ASSERT_TRUE(succeeds(config));
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(config->method, QuantMethod::Fp8);
  EXPECT_EQ(config->blockRows, 128);
  EXPECT_EQ(config->blockColumns, 64);
  EXPECT_EQ(config->unconvertedModules,
            (std::vector<std::string>{"lm_head", "model.layers.0.mlp.gate"}));
}

TEST(QuantizationConfig, Gptq) {
  auto config = read(R"("bits": 4, "checkpoint_format": "gptq",
      "damp_percent": 0.01, "desc_act": false, "group_size": 128,
      "lm_head": false, "model_file_base_name": null,
      "model_name_or_path": null, "quant_method": "gptq",
      "static_groups": false, "sym": true, "true_sequential": true)");
  ASSERT_TRUE(succeeds(config));
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(config->method, QuantMethod::Gptq);
  EXPECT_EQ(config->bits, 4u);
  EXPECT_EQ(config->groupSize, 128);
  EXPECT_TRUE(config->isSymmetric);
  EXPECT_FALSE(config->hasActOrder);
  EXPECT_EQ(config->zeroOffset, 1u);
  config = read(R"("bits": 8, "checkpoint_format": "gptq_v2",
      "desc_act": true, "group_size": -1, "quant_method": "gptq",
      "sym": false, "dynamic": {}, "shade": 7)");
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ(warnings,
            (std::vector<std::string>{
                "$.quantization_config.shade: unknown key, ignored"}));
  EXPECT_EQ(config->bits, 8u);
  EXPECT_EQ(config->groupSize, 0);
  EXPECT_FALSE(config->isSymmetric);
  EXPECT_TRUE(config->hasActOrder);
  EXPECT_EQ(config->zeroOffset, 0u);
}

TEST(QuantizationConfig, Awq) {
  auto config = read(R"("bits": 4, "group_size": 128,
      "modules_to_not_convert": null, "quant_method": "awq",
      "version": "gemm", "zero_point": true)");
  ASSERT_TRUE(succeeds(config));
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(config->method, QuantMethod::Awq);
  EXPECT_EQ(config->bits, 4u);
  EXPECT_EQ(config->groupSize, 128);
  EXPECT_EQ(config->zeroOffset, 0u);
}

TEST(QuantizationConfig, Bad) {
  constexpr StatusCode C = StatusCode::Corrupt, U = StatusCode::Unsupported;
  struct {
    const char *members;
    StatusCode code;
    const char *message;
  } cases[] = {
      {"", U, "$.quantization_config: weights quantized by an unknown method"},
      {R"("quant_method": "compressed-tensors")", U,
       "by 'compressed-tensors' are not supported, only by fp8, gptq and awq"},
      {R"("quant_method": 4)", C, "$.quantization_config.quant_method"},
      {R"("quant_method": "fp8")", U,
       "$.quantization_config.weight_block_size: FP8 weights without blocks"},
      {R"("quant_method": "fp8", "weight_block_size": [128])", C,
       "expected the rows and the columns of a block, found 1 numbers"},
      {R"("quant_method": "fp8", "weight_block_size": [0, 128])", C,
       "weight_block_size[0]"},
      {R"("quant_method": "fp8", "weight_block_size": 128)", C,
       "weight_block_size"},
      {R"("quant_method": "fp8", "weight_block_size": [1, 1], "fmt": "e5m2")",
       U, "$.quantization_config.fmt: 'e5m2' is not supported, only 'e4m3'"},
      {R"("quant_method": "fp8", "weight_block_size": [1, 1],
          "activation_scheme": "static")",
       U, "'static' is not supported"},
      {R"("quant_method": "fp8", "weight_block_size": [1, 1],
          "modules_to_not_convert": [3])",
       C, "modules_to_not_convert[0]"},
      {R"("quant_method": "gptq", "group_size": 128)", C,
       "$.quantization_config: expected a member 'bits', found none"},
      {R"("quant_method": "gptq", "bits": 3, "group_size": 128)", U,
       "$.quantization_config.bits: codes of 3 bits are not supported, only 4 "
       "and 8"},
      {R"("quant_method": "gptq", "bits": 4)", C, "group_size"},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 0)", C,
       "expected -1 or a number above 0, found 0"},
      {R"("quant_method": "gptq", "bits": 4, "group_size": -2)", C,
       "group_size"},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 128,
          "checkpoint_format": "marlin")",
       U, "'marlin' is not supported, only 'gptq' or 'gptq_v2'"},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 128,
          "dynamic": {"+:.*down": {"bits": 8}})",
       U, "$.quantization_config.dynamic: other bits or groups"},
      {R"("quant_method": "gptq", "bits": 4, "group_size": 128,
          "pack_dtype": "int8")",
       U, "'int8' is not supported, only 'int32'"},
      {R"("quant_method": "awq", "bits": 8, "group_size": 128)", U,
       "codes of 8 bits are not supported, only 4"},
      {R"("quant_method": "awq", "bits": 4, "group_size": 128,
          "version": "gemv")",
       U, "'gemv' is not supported, only 'gemm'"},
      {R"("quant_method": "awq", "bits": 4, "group_size": 128,
          "zero_point": false)",
       U, "AWQ without zero points is not supported"},
  };
  for (const auto &bad : cases)
    EXPECT_TRUE(failsWith(read(bad.members), bad.code, bad.message));
}
