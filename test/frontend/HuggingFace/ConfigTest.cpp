//===- ConfigTest.cpp - config.json: groups 1 to 5 and 7 to 12 ------------===//

#include "frontend/HuggingFace/Config.h"
#include "test/frontend/HuggingFace/ConfigText.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"
#include "test/support/TempDir.h"

#include <cmath>
#include <sys/stat.h>

using namespace quern;
using namespace quern::test;

namespace {
/// One changed field and what the message must say.
struct BadField {
  std::string key;
  std::string value;
  std::string_view message;
  StatusCode code = StatusCode::Corrupt;
};
constexpr StatusCode U = StatusCode::Unsupported;
} // namespace

static void expectRefused(std::initializer_list<BadField> cases) {
  for (const BadField &c : cases)
    EXPECT_TRUE(failsWith(parseModelConfig(denseConfig({{c.key, c.value}})),
                          c.code, c.message))
        << c.key << ": " << c.value;
}

TEST(Config, DenseValues) {
  Result<ModelConfig> config = parseModelConfig(denseConfig());
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ(config->family, ModelFamily::Qwen3);
  EXPECT_EQ(config->hiddenSize, 64);
  EXPECT_EQ(config->intermediateSize, 192);
  EXPECT_EQ(config->numHiddenLayers, 4);
  EXPECT_EQ(config->numAttentionHeads, 4);
  EXPECT_EQ(config->numKeyValueHeads, 2);
  EXPECT_EQ(config->headDim, 32);
  EXPECT_EQ(config->vocabSize, 512);
  EXPECT_EQ(config->maxPositionEmbeddings, 40960);
  EXPECT_EQ(config->rmsNormEps, 1e-6);
  EXPECT_TRUE(config->tieWordEmbeddings);
  EXPECT_FALSE(config->attnOutputGate);
  EXPECT_EQ(config->rope.type, RopeType::Default);
  EXPECT_EQ(config->rope.theta, 1e6);
  EXPECT_EQ(config->rope.rotaryDim, 32);
  EXPECT_EQ(config->rope.attentionFactor, 1.0);
  EXPECT_EQ(config->dtype, DataType::BF16);
  EXPECT_EQ(config->eosTokenIds, std::vector<int64_t>{458});
  EXPECT_FALSE(config->moe);
  EXPECT_FALSE(config->linearAttention);
  EXPECT_EQ(config->layerTypes,
            std::vector<LayerType>(4, LayerType::FullAttention));
  EXPECT_EQ(config->moeLayers, std::vector<bool>(4, false));
  EXPECT_TRUE(config->warnings.empty());
}

TEST(Config, Defaults) {
  Result<ModelConfig> config =
      parseModelConfig(denseConfig({{"head_dim", ""},
                                    {"num_key_value_heads", "null"},
                                    {"tie_word_embeddings", ""},
                                    {"torch_dtype", ""},
                                    {"eos_token_id", "null"},
                                    {"architectures", ""}}));
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ(config->headDim, 16);
  EXPECT_EQ(config->numKeyValueHeads, 4);
  EXPECT_FALSE(config->tieWordEmbeddings);
  EXPECT_FALSE(config->dtype);
  EXPECT_TRUE(config->eosTokenIds.empty());
}

TEST(Config, UnknownKeysAreReported) {
  Result<ModelConfig> config =
      parseModelConfig(denseConfig({{"my_new_key", "1"}}));
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ(config->warnings,
            std::vector<std::string>{"$.my_new_key: unknown key, ignored"});
}

TEST(ConfigBad, Group1FileProblems) {
  TempDir dir;
  Result<ModelDir> folder = ModelDir::open(dir.str());
  ASSERT_TRUE(succeeds(folder));
  auto load = [&] { return loadModelConfig(*folder); };
  EXPECT_TRUE(failsWith(load(), StatusCode::NotFound, "config.json: cannot"));
  dir.write("config.json", "");
  EXPECT_TRUE(
      failsWith(load(), StatusCode::Corrupt, "config.json: byte 0: expected"));
  dir.write("config.json", std::string((8u << 20) + 1, ' '));
  EXPECT_TRUE(failsWith(load(), StatusCode::Corrupt, "expected at most"));
  dir.write("config.json", denseConfig({{"hidden_size", "0"}}));
  EXPECT_TRUE(failsWith(load(), StatusCode::Corrupt,
                        dir.str() + "/config.json: $.hidden_size: expected"));
  std::filesystem::remove(dir.file("config.json"));
  ASSERT_EQ(::mkdir(dir.file("config.json").c_str(), 0700), 0);
  EXPECT_TRUE(failsWith(load(), StatusCode::InvalidArgument, "a directory"));
}

TEST(ConfigBad, Group2Syntax) {
  auto refused = [](std::string_view text, std::string_view message) {
    return failsWith(parseModelConfig(text), StatusCode::Corrupt, message);
  };
  std::string good = denseConfig();
  EXPECT_TRUE(refused("\xEF\xBB\xBF" + good, "byte order mark"));
  EXPECT_TRUE(refused(good + "x", "expected the end of the text"));
  EXPECT_TRUE(refused(denseConfig({{"x", "\"\xff\""}}), "not UTF-8"));
  EXPECT_TRUE(refused(denseConfig({{"x", std::string(65, '[')}}),
                      "nested deeper than 64"));
  EXPECT_TRUE(refused("{\"model_type\":\"qwen3\",\"model_type\":\"qwen3\"}",
                      "$.model_type: duplicate key"));
  EXPECT_TRUE(refused("[]", "$: expected an object, found an array"));
  // Every truncation is an error, none an accepted shorter config.
  for (size_t length = 0; length < good.size(); ++length)
    EXPECT_TRUE(refused(good.substr(0, length), "byte ")) << length;
}

TEST(ConfigBad, Group3Types) {
  expectRefused({
      {"hidden_size", "\"4096\"", "$.hidden_size: expected an integer from 1"},
      {"hidden_size", "4096.5", "found 4096.5"},
      {"hidden_size", "64.0", "$.hidden_size: expected an integer"},
      {"hidden_size", "true", "found true"},
      {"hidden_size", "null", "found null"},
      {"hidden_size", "", "expected a member 'hidden_size', found none"},
      {"hidden_size", "18446744073709551616", "does not fit 64 bits"},
      {"hidden_size", "18446744073709551615", "$.hidden_size: expected"},
      {"rope_theta", "1e400", "number 1e400 does not fit"},
      {"rope_theta", "NaN", "expected a value, found 'N'"},
      {"rope_theta", "\"1e6\"", "$.rope_theta: expected a number"},
      {"tie_word_embeddings", "1", "$.tie_word_embeddings: expected a boolean"},
      {"attention_bias", "0", "$.attention_bias: expected a boolean"},
      {"model_type", "3", "$.model_type: expected a string, found 3"},
      {"model_type", "", "expected a member 'model_type'"},
      {"architectures", "\"x\"", "$.architectures: expected an array"},
      {"architectures", "[1]", "$.architectures[0]: expected a string"},
      {"hidden_act", "1", "$.hidden_act: expected a string"},
      {"layer_types", "{}", "$.layer_types: expected an array"},
      {"rope_scaling", "4", "$.rope_scaling: expected an object"},
      {"torch_dtype", "16", "$.torch_dtype: expected a string"},
      {"sliding_window", "\"x\"", "$.sliding_window: expected an integer"},
  });
}

TEST(ConfigBad, Group4Ranges) {
  for (std::string key :
       {"num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "hidden_size", "intermediate_size", "vocab_size", "head_dim",
        "max_position_embeddings"})
    for (std::string value : {"0", "-1", "-9223372036854775808",
                              "9223372036854775807", "1000000000"})
      expectRefused({{key, value, "expected an integer from 1 to"}});
  expectRefused({
      {"num_hidden_layers", "1025", "from 1 to 1024, found 1025"},
      {"vocab_size", "4194305", "from 1 to 4194304"},
      {"max_position_embeddings", "16777217", "from 1 to 16777216"},
  });
}

TEST(ConfigBad, Group5Heads) {
  expectRefused({
      {"num_key_value_heads", "3",
       "$.num_key_value_heads: 3 does not divide num_attention_heads 4"},
      {"num_key_value_heads", "8", "8 does not divide num_attention_heads 4"},
      {"head_dim", "31", "even number of dimensions, found 31"},
      {"head_dim", "1", "even number of dimensions, found 1"},
  });
  EXPECT_TRUE(failsWith(
      parseModelConfig(denseConfig({{"head_dim", ""}, {"hidden_size", "66"}})),
      StatusCode::Corrupt,
      "num_attention_heads 4 does not divide hidden_size"));
  // The largest accepted sizes cannot overflow any product.
  int64_t most =
      ConfigLimits::maxHiddenSize * ConfigLimits::maxIntermediateSize;
  EXPECT_LT(most, int64_t(1) << 40);
  EXPECT_LT(ConfigLimits::maxHeads * ConfigLimits::maxHeadDim *
                ConfigLimits::maxHiddenSize,
            int64_t(1) << 42);
}

TEST(ConfigBad, Group7Layers) {
  expectRefused({
      {"layer_types", "[\"full_attention\"]",
       "one entry for each of the 4 layers, found 1"},
      {"layer_types", "[]", "found 0"},
      {"layer_types",
       "[\"full_attention\",\"full_attention\",\"full_attention\",\"x\"]",
       "$.layer_types[3]: layer type 'x' is not supported", U},
      {"layer_types",
       "[\"sliding_attention\",\"full_attention\",\"full_attention\",1]",
       "'sliding_attention' is not supported", U},
      {"layer_types",
       "[\"linear_attention\",\"full_attention\",\"full_attention\",1]",
       "'linear_attention' is not supported", U},
  });
}

TEST(ConfigBad, Group8Floats) {
  expectRefused({
      {"rms_norm_eps", "0", "$.rms_norm_eps: expected a number above 0"},
      {"rms_norm_eps", "-1e-6", "expected a number above 0"},
      {"rms_norm_eps", "2", "at most 1, found 2"},
      {"rms_norm_eps", "", "$.rms_norm_eps: expected a number, found none"},
      {"rms_norm_eps", "1e-60", "too small for a float32"},
      {"rope_theta", "0", "$.rope_theta: expected a number above 0"},
      {"rope_theta", "-10000", "$.rope_theta: expected a number above 0"},
      {"rope_theta", "1e13", "at most 1e+12"},
      {"rope_theta", "", "$.rope_theta: expected a number, found none"},
  });
}

TEST(ConfigBad, Group9UnknownModels) {
  expectRefused({
      {"model_type", "\"llama\"",
       "$.model_type: unknown model type 'llama'; supported: qwen3", U},
      {"model_type", "\"qwen3_vl\"",
       "'qwen3_vl' is not supported yet; supported: qwen3", U},
      {"model_type", "\"qwen3_vl_moe\"", "not supported yet", U},
      {"model_type", "\"qwen3_omni_moe\"", "not supported yet", U},
      {"model_type", "\"a\\u001b[31m\\n\"", "'a\\x1b[31m\\n'", U},
      {"architectures", "[\"Qwen3ForSequenceClassification\"]",
       "unknown architecture 'Qwen3ForSequenceClassification' of model type "
       "'qwen3'; supported: Qwen3ForCausalLM",
       U},
  });
}

TEST(ConfigBad, Group10UnimplementedSwitches) {
  expectRefused({
      {"use_sliding_window", "true",
       "$.use_sliding_window: sliding window attention is not supported", U},
      {"attention_bias", "true", "attention bias is not supported", U},
      {"mlp_bias", "true", "MLP bias is not supported", U},
      {"hidden_act", "\"gelu\"", "activation 'gelu' is not supported", U},
      {"torch_dtype", "\"float8_e4m3fn\"", "'float8_e4m3fn' is not", U},
      {"quantization_config", "{\"quant_method\":\"bitsandbytes\"}",
       "$.quantization_config: weights quantized by 'bitsandbytes' are not "
       "supported, only by fp8, gptq and awq",
       U},
      {"quantization_config", "{}", "an unknown method", U},
      {"compression_config", "{}",
       "$.compression_config: compressed weights are not supported", U},
      {"rope_scaling", "{\"rope_type\":\"linear\",\"factor\":2}",
       "$.rope_scaling.rope_type: RoPE of type 'linear' is not supported", U},
      {"rope_scaling", "{\"type\":\"dynamic\",\"factor\":2}", "'dynamic'", U},
      {"rope_parameters", "{\"rope_type\":\"llama3\",\"rope_theta\":1000000}",
       "$.rope_parameters.rope_type: RoPE of type 'llama3'", U},
      {"rope_parameters", "{\"full_attention\":{\"rope_theta\":1000000}}",
       "$.rope_parameters.full_attention: unknown RoPE parameter", U},
  });
  EXPECT_TRUE(succeeds(parseModelConfig(denseConfig(
      {{"sliding_window", "4096"}, {"use_sliding_window", "false"}}))));
}

TEST(ConfigBad, Group11RemoteCode) {
  expectRefused({{"auto_map", "{\"AutoModel\":\"modeling_x.X\"}",
                  "$.auto_map: the model wants to run code of its own; remote "
                  "code is never run",
                  U}});
}

TEST(ConfigBad, Group12TokenIds) {
  expectRefused({
      {"eos_token_id", "512",
       "$.eos_token_id: expected an integer from 0 to "
       "511, found 512"},
      {"eos_token_id", "-1", "$.eos_token_id: expected"},
      {"eos_token_id", "[1,512]", "$.eos_token_id[1]: expected"},
      {"eos_token_id", "[]", "expected at least one token, found an empty"},
      {"eos_token_id", "\"</s>\"", "an integer or a list of integers"},
      {"eos_token_id", "1.5", "an integer or a list of integers"},
      {"bos_token_id", "512", "$.bos_token_id: expected"},
      {"bos_token_id", "[1]", "$.bos_token_id: expected"},
      {"pad_token_id", "-1", "$.pad_token_id: expected"},
  });
  Result<ModelConfig> config =
      parseModelConfig(denseConfig({{"eos_token_id", "[3,1,3]"}}));
  ASSERT_TRUE(succeeds(config));
  EXPECT_EQ(config->eosTokenIds, (std::vector<int64_t>{3, 1}));
}

TEST(ConfigRope, AllSpellingsOfYarnAgree) {
  ConfigFields spellings[] = {
      {{"rope_scaling", R"({"rope_type":"yarn","factor":4.0,
                            "original_max_position_embeddings":64})"}},
      {{"rope_scaling", R"({"type":"yarn","factor":4.0,
                            "original_max_position_embeddings":64})"}},
      {{"rope_theta", ""},
       {"rope_parameters", R"({"rope_type":"yarn","rope_theta":1000000,
         "factor":4.0,"original_max_position_embeddings":64})"}},
  };
  for (const ConfigFields &spelling : spellings) {
    Result<ModelConfig> config = parseModelConfig(denseConfig(spelling));
    ASSERT_TRUE(succeeds(config));
    const RopeConfig &rope = config->rope;
    EXPECT_EQ(rope.type, RopeType::Yarn);
    EXPECT_EQ(rope.theta, 1e6);
    EXPECT_EQ(rope.factor, 4.0);
    EXPECT_EQ(rope.originalMaxPositionEmbeddings, 64);
    EXPECT_EQ(rope.betaFast, 32.0);
    EXPECT_EQ(rope.betaSlow, 1.0);
    EXPECT_TRUE(rope.truncate);
    EXPECT_DOUBLE_EQ(rope.attentionFactor, 0.1 * std::log(4.0) + 1.0);
  }
}

TEST(ConfigRope, YarnParameters) {
  auto rope = [](std::string more) {
    Result<ModelConfig> config = parseModelConfig(denseConfig(
        {{"rope_scaling", R"({"rope_type":"yarn","factor":8)" + more + "}"}}));
    EXPECT_TRUE(succeeds(config)) << more;
    return config.isOk() ? config->rope : RopeConfig();
  };
  EXPECT_EQ(rope("").originalMaxPositionEmbeddings, 40960);
  EXPECT_EQ(rope(",\"attention_factor\":1.5").attentionFactor, 1.5);
  EXPECT_EQ(rope(",\"beta_fast\":16,\"beta_slow\":2").betaFast, 16.0);
  EXPECT_FALSE(rope(",\"truncate\":false").truncate);
  double scale = std::log(8.0) * 0.1;
  EXPECT_DOUBLE_EQ(rope(",\"mscale\":2,\"mscale_all_dim\":0.5").attentionFactor,
                   (2 * scale + 1) / (0.5 * scale + 1));
}

TEST(ConfigRope, BadParameters) {
  auto yarn = [](std::string more) {
    return "{\"rope_type\":\"yarn\"" + more + "}";
  };
  expectRefused({
      {"rope_scaling", yarn(""), "$.rope_scaling.factor: YaRN needs"},
      {"rope_scaling", yarn(",\"factor\":0.5"), "at least 1"},
      {"rope_scaling", yarn(",\"factor\":\"4\""), "expected a number"},
      {"rope_scaling", yarn(",\"factor\":-4"), "expected a number above 0"},
      {"rope_scaling",
       yarn(",\"factor\":2,\"original_max_position_embeddings\":0"),
       "$.rope_scaling.original_max_position_embeddings: expected"},
      {"rope_scaling", yarn(",\"factor\":2,\"beta_fast\":1,\"beta_slow\":4"),
       "expected at least beta_slow"},
      {"rope_scaling", yarn(",\"factor\":2,\"shiny\":4"),
       "$.rope_scaling.shiny: unknown RoPE parameter", U},
      {"rope_scaling", yarn(",\"factor\":2,\"type\":\"default\""),
       "contradicts rope_type"},
      {"rope_parameters", "{\"rope_theta\":5}",
       "$.rope_parameters.rope_theta: contradicts $.rope_theta"},
      {"partial_rotary_factor", "1.5", "at most 1"},
      {"partial_rotary_factor", "0.1", "even number of dimensions, found 3"},
      {"rope_scaling", "{\"mrope_section\":[1,2]}", "expected three numbers"},
      {"rope_scaling", "{\"mrope_section\":[1,2,3]}", "expected the sum 16"},
  });
  EXPECT_TRUE(failsWith(
      parseModelConfig(denseConfig({{"rope_scaling", yarn(",\"factor\":2")},
                                    {"rope_parameters", "{}"}})),
      StatusCode::Corrupt, "found both"));
  EXPECT_TRUE(
      failsWith(parseModelConfig(denseConfig({{"dtype", "\"float32\""}})),
                StatusCode::Corrupt, "contradicts another dtype"));
}

TEST(ConfigFault, F8OutOfMemory) {
  std::string text =
      denseConfig({{"layer_types", "[\"full_attention\",\"full_attention\","
                                   "\"full_attention\",\"full_attention\"]"},
                   {"some_unknown_key_with_a_long_name", "[1,2]"}});
  EXPECT_GT(sweepAllocationFailures([&] { return parseModelConfig(text); }),
            10u);
}
