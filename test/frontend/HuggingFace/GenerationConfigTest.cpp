//===- GenerationConfigTest.cpp -------------------------------------------===//

#include "frontend/HuggingFace/GenerationConfig.h"
#include "test/frontend/HuggingFace/ConfigText.h"
#include "test/support/Expect.h"
#include "test/support/FailingAllocator.h"
#include "test/support/TempDir.h"

using namespace quern;
using namespace quern::test;

static ModelConfig config() {
  ModelConfig config;
  config.vocabSize = 512;
  config.eosTokenIds = {7};
  config.bosTokenId = 8;
  return config;
}

TEST(GenerationConfig, Values) {
  Result<GenerationConfig> generation = parseGenerationConfig(
      R"({"do_sample":true,"temperature":0.6,"top_p":0.95,"top_k":20,
          "min_p":0,"repetition_penalty":1.05,"eos_token_id":[458,456],
          "pad_token_id":456,"transformers_version":"4.51.0","odd":1})",
      config());
  ASSERT_TRUE(succeeds(generation));
  EXPECT_TRUE(generation->doSample);
  EXPECT_EQ(generation->temperature, 0.6);
  EXPECT_EQ(generation->topP, 0.95);
  EXPECT_EQ(generation->topK, 20);
  EXPECT_EQ(generation->minP, 0.0);
  EXPECT_EQ(generation->repetitionPenalty, 1.05);
  EXPECT_EQ(generation->eosTokenIds, (std::vector<int64_t>{458, 456}));
  EXPECT_EQ(generation->bosTokenId, 8);
  EXPECT_EQ(generation->padTokenId, 456);
  EXPECT_EQ(generation->warnings,
            std::vector<std::string>{"$.odd: unknown key, ignored"});
}

TEST(GenerationConfig, MissingFileGivesTheDefaultsOfTheModel) {
  TempDir dir;
  Result<ModelDir> folder = ModelDir::open(dir.str());
  ASSERT_TRUE(succeeds(folder));
  Result<GenerationConfig> generation = loadGenerationConfig(*folder, config());
  ASSERT_TRUE(succeeds(generation));
  EXPECT_EQ(generation->eosTokenIds, std::vector<int64_t>{7});
  EXPECT_FALSE(generation->doSample);
  EXPECT_EQ(generation->temperature, 1.0);
}

TEST(GenerationConfig, TemperatureZeroIsGreedy) {
  Result<GenerationConfig> generation =
      parseGenerationConfig(R"({"do_sample":true,"temperature":0})", config());
  ASSERT_TRUE(succeeds(generation));
  EXPECT_FALSE(generation->doSample);
}

TEST(GenerationConfigBad, Groups1To12) {
  struct {
    std::string_view text, message;
  } cases[] = {
      {"", "byte 0"},
      {"{} {}", "expected the end of the text"},
      {"[]", "$: expected an object"},
      {R"({"top_k":1,"top_k":2})", "$.top_k: duplicate key"},
      {R"({"do_sample":1})", "$.do_sample: expected a boolean"},
      {R"({"temperature":-0.1})", "$.temperature: expected a number of at"},
      {R"({"temperature":1e999})", "does not fit"},
      {R"({"top_p":0})", "$.top_p: expected a number above 0"},
      {R"({"top_p":1.1})", "at most 1"},
      {R"({"top_k":-1})", "$.top_k: expected an integer from 0"},
      {R"({"top_k":1.5})", "$.top_k: expected an integer"},
      {R"({"min_p":2})", "$.min_p: expected"},
      {R"({"repetition_penalty":0})", "$.repetition_penalty: expected"},
      {R"({"eos_token_id":512})", "$.eos_token_id: expected"},
      {R"({"eos_token_id":[]})", "an empty list"},
      {R"({"eos_token_id":[-1]})", "$.eos_token_id[0]: expected"},
      {R"({"pad_token_id":"x"})", "$.pad_token_id: expected"},
  };
  for (const auto &c : cases)
    EXPECT_TRUE(failsWith(parseGenerationConfig(c.text, config()),
                          StatusCode::Corrupt, c.message))
        << c.text;
}

TEST(GenerationConfigBad, MessagesNameTheFile) {
  TempDir dir;
  dir.write("generation_config.json", "{\"top_p\":7}");
  Result<ModelDir> folder = ModelDir::open(dir.str());
  ASSERT_TRUE(succeeds(folder));
  EXPECT_TRUE(failsWith(loadGenerationConfig(*folder, config()),
                        StatusCode::Corrupt,
                        "/generation_config.json: $.top_p: expected"));
}

TEST(GenerationConfigFault, F8OutOfMemory) {
  TempDir dir;
  dir.write("generation_config.json", "{\"eos_token_id\":[1,2,3],\"a\":1}");
  Result<ModelDir> folder = ModelDir::open(dir.str());
  ASSERT_TRUE(succeeds(folder));
  ModelConfig model = config();
  EXPECT_GT(sweepAllocationFailures(
                [&] { return loadGenerationConfig(*folder, model); }),
            5u);
}
