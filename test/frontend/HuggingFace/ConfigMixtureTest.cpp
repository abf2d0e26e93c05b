//===- ConfigMixtureTest.cpp - config.json of MoE and hybrids: group 6 ----===//

#include "frontend/HuggingFace/Config.h"
#include "test/frontend/HuggingFace/ConfigText.h"
#include "test/support/Expect.h"

using namespace quern;
using namespace quern::test;

static Result<ModelConfig> parseAnyFamily(std::string_view text) {
  ConfigOptions options;
  options.onlySupportedFamilies = false;
  return parseModelConfig(text, options);
}

static std::string moeConfig(const ConfigFields &changes) {
  ConfigFields fields = {{"model_type", "\"qwen3_moe\""},
                         {"architectures", "[\"Qwen3MoeForCausalLM\"]"},
                         {"num_experts", "8"},
                         {"num_experts_per_tok", "2"},
                         {"moe_intermediate_size", "48"},
                         {"norm_topk_prob", "true"}};
  for (const auto &[key, value] : changes)
    fields[key] = value;
  return denseConfig(fields);
}

static std::string hybridConfig(const ConfigFields &changes) {
  ConfigFields fields = {{"model_type", "\"qwen3_next\""},
                         {"architectures", "[\"Qwen3NextForCausalLM\"]"},
                         {"linear_num_key_heads", "2"},
                         {"linear_num_value_heads", "4"},
                         {"linear_key_head_dim", "16"},
                         {"linear_value_head_dim", "24"},
                         {"shared_expert_intermediate_size", "40"}};
  for (const auto &[key, value] : changes)
    fields[key] = value;
  return moeConfig(fields);
}

TEST(ConfigMoe, ValuesAndLayers) {
  Result<ModelConfig> config =
      parseAnyFamily(moeConfig({{"num_hidden_layers", "6"},
                                {"decoder_sparse_step", "2"},
                                {"mlp_only_layers", "[3]"},
                                {"norm_topk_prob", "false"}}));
  ASSERT_TRUE(succeeds(config));
  ASSERT_TRUE(config->moe);
  EXPECT_EQ(config->moe->numExperts, 8);
  EXPECT_EQ(config->moe->numExpertsPerTok, 2);
  EXPECT_EQ(config->moe->moeIntermediateSize, 48);
  EXPECT_EQ(config->moe->sharedExpertIntermediateSize, 0);
  EXPECT_FALSE(config->moe->normTopkProb);
  EXPECT_EQ(config->moeLayers,
            (std::vector<bool>{false, true, false, false, false, true}));
}

TEST(ConfigMoe, NewerNameOfTheNumberOfExperts) {
  Result<ModelConfig> config = parseAnyFamily(
      moeConfig({{"num_experts", ""}, {"num_local_experts", "16"}}));
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ(config->moe->numExperts, 16);
}

TEST(ConfigHybrid, ValuesAndLayers) {
  Result<ModelConfig> config = parseAnyFamily(hybridConfig({}));
  ASSERT_TRUE(succeeds(config));
  ASSERT_TRUE(config->linearAttention);
  EXPECT_EQ(config->linearAttention->numValueHeads, 4);
  EXPECT_EQ(config->linearAttention->convKernelDim, 4);
  EXPECT_TRUE(config->attnOutputGate);
  EXPECT_EQ(config->rope.rotaryDim, 8);
  EXPECT_EQ(config->layerTypes,
            (std::vector<LayerType>{
                LayerType::LinearAttention, LayerType::LinearAttention,
                LayerType::LinearAttention, LayerType::FullAttention}));
}

TEST(ConfigBad, Group6Experts) {
  struct {
    std::string key, value;
    std::string_view message;
  } cases[] = {
      {"num_experts", "0", "$.num_experts: expected an integer from 1"},
      {"num_local_experts", "16",
       "$.num_local_experts: 16, but num_experts is 8"},
      {"num_experts_per_tok", "9",
       "$.num_experts_per_tok: expected an integer from 1 to 8, found 9"},
      {"num_experts_per_tok", "0", "from 1 to 8, found 0"},
      {"num_experts_per_tok", "", "expected a member 'num_experts_per_tok'"},
      {"decoder_sparse_step", "0", "$.decoder_sparse_step: expected"},
      {"mlp_only_layers", "[4]",
       "$.mlp_only_layers[0]: expected an integer "
       "from 0 to 3, found 4"},
      {"mlp_only_layers", "[-1]", "found -1"},
      {"mlp_only_layers", "3", "$.mlp_only_layers: expected an array"},
      {"moe_intermediate_size", "0", "$.moe_intermediate_size: expected"},
      {"norm_topk_prob", "\"yes\"", "$.norm_topk_prob: expected a boolean"},
  };
  for (const auto &c : cases)
    EXPECT_TRUE(failsWith(parseAnyFamily(moeConfig({{c.key, c.value}})),
                          StatusCode::Corrupt, c.message))
        << c.key;
}

TEST(ConfigBad, Group7HybridLayers) {
  EXPECT_TRUE(failsWith(
      parseAnyFamily(hybridConfig({{"linear_num_value_heads", "3"}})),
      StatusCode::Corrupt, "expected a multiple of linear_num_key_heads 2"));
  EXPECT_TRUE(failsWith(
      parseAnyFamily(hybridConfig({{"full_attention_interval", "0"}})),
      StatusCode::Corrupt, "$.full_attention_interval: expected"));
  EXPECT_TRUE(failsWith(
      parseAnyFamily(hybridConfig({{"layer_types", "[\"linear_attention\"]"}})),
      StatusCode::Corrupt, "4 layers, found 1"));
}

TEST(ConfigBad, Group7LinearAttention) {
  struct {
    std::string key, value;
    std::string_view message;
    StatusCode code = StatusCode::Corrupt;
  } cases[] = {
      {"layer_types",
       "[\"linear_attention\",\"full_attention\",\"linear_attention\","
       "\"sliding_attention\"]",
       "$.layer_types[3]: layer type 'sliding_attention' is not supported, "
       "only 'full_attention' and 'linear_attention'",
       StatusCode::Unsupported},
      {"linear_conv_kernel_dim", "0",
       "$.linear_conv_kernel_dim: expected an integer from 1 to 64, found 0"},
      {"linear_conv_kernel_dim", "65", "found 65"},
      {"linear_num_key_heads", "0", "$.linear_num_key_heads: expected"},
      {"linear_key_head_dim", "", "expected a member 'linear_key_head_dim'"},
      {"linear_value_head_dim", "-1", "found -1"},
      {"output_gate_type", "\"sigmoid\"",
       "$.output_gate_type: output gate 'sigmoid' is not supported, only "
       "'swish'",
       StatusCode::Unsupported},
      {"mtp_num_hidden_layers", "2",
       "$.mtp_num_hidden_layers: expected an integer from 0 to 1, found 2"},
      {"mtp_use_dedicated_embeddings", "true",
       "$.mtp_use_dedicated_embeddings: a draft with embeddings of its own is "
       "not supported",
       StatusCode::Unsupported},
  };
  for (const auto &c : cases)
    EXPECT_TRUE(failsWith(parseAnyFamily(hybridConfig({{c.key, c.value}})),
                          c.code, c.message))
        << c.key;
}

TEST(ConfigHybrid, OutputGateByEitherName) {
  for (std::string name : {"\"swish\"", "\"silu\"", "null"})
    EXPECT_TRUE(
        succeeds(parseModelConfig(hybridConfig({{"output_gate_type", name}}))));
}

TEST(ConfigHybrid, TextConfigAlone) {
  // What a text-only checkpoint says: the text config without its frame.
  ConfigFields flat = {{"model_type", "\"qwen3_5_moe_text\""},
                       {"architectures", "[\"Qwen3_5MoeForCausalLM\"]"}};
  Result<ModelConfig> config = parseModelConfig(hybridConfig(flat));
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ(config->family, ModelFamily::Qwen3_5Moe);
  EXPECT_TRUE(config->moe && config->linearAttention);
  flat = {{"model_type", "\"qwen3_5_text\""},
          {"architectures", "[\"Qwen3_5ForCausalLM\"]"},
          {"mlp_only_layers", "[]"}};
  config = parseModelConfig(hybridConfig(flat));
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ(config->family, ModelFamily::Qwen3_5);
  EXPECT_FALSE(config->moe);

  flat["architectures"] = "[\"Qwen3_5ForConditionalGeneration\"]";
  EXPECT_TRUE(failsWith(parseModelConfig(hybridConfig(flat)),
                        StatusCode::Unsupported,
                        "unknown architecture "
                        "'Qwen3_5ForConditionalGeneration' of model type "
                        "'qwen3_5_text'; supported: Qwen3_5ForCausalLM"));
  // No text-only checkpoints of this family exist.
  flat = {{"model_type", "\"qwen3_vl_text\""}};
  EXPECT_TRUE(failsWith(parseModelConfig(hybridConfig(flat)),
                        StatusCode::Unsupported,
                        "unknown model type 'qwen3_vl_text'"));
}

TEST(ConfigBad, NestedTextConfig) {
  std::string text = denseConfig();
  auto nested = [&](std::string inner) {
    return "{\"model_type\":\"qwen3_vl\",\"text_config\":" + inner + "}";
  };
  EXPECT_TRUE(failsWith(parseAnyFamily(nested("3")), StatusCode::Corrupt,
                        "$.text_config: expected an object, found 3"));
  EXPECT_TRUE(failsWith(parseAnyFamily("{\"model_type\":\"qwen3_vl\"}"),
                        StatusCode::Corrupt, "'text_config'"));
  EXPECT_TRUE(
      failsWith(parseAnyFamily(nested(denseConfig({{"hidden_size", "\"1\""}}))),
                StatusCode::Corrupt, "$.text_config.hidden_size: expected"));
  EXPECT_TRUE(
      failsWith(parseAnyFamily("{\"model_type\":\"qwen3_omni_moe\","
                               "\"thinker_config\":{\"text_config\":[]}}"),
                StatusCode::Corrupt, "$.thinker_config.text_config: expected"));
  EXPECT_TRUE(succeeds(parseAnyFamily(nested(text))));
}
