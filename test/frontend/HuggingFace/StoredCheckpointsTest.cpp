//===- StoredCheckpointsTest.cpp - The checkpoints of the repository ------===//
//
// Each must load, and hold exactly the tensors that its tensors.json lists.
//
//===----------------------------------------------------------------------===//

#include "frontend/HuggingFace/Checkpoint.h"
#include "frontend/HuggingFace/Config.h"
#include "frontend/HuggingFace/GenerationConfig.h"
#include "frontend/HuggingFace/Safetensors.h"
#include "frontend/HuggingFace/TensorData.h"
#include "runtime/base/Json.h"
#include "test/support/Expect.h"
#include "test/support/Golden.h"

#include <algorithm>

using namespace quern;
using namespace quern::test;

static const std::string dataDir = std::string(QUERN_SOURCE_DIR) + "/test/data";

static Result<Checkpoint> openCheckpoint(const std::string &path) {
  QUERN_ASSIGN_OR_RETURN(ModelDir folder, ModelDir::open(path));
  return Checkpoint::open(folder);
}

static Result<ModelConfig> loadConfig(const std::string &name) {
  QUERN_ASSIGN_OR_RETURN(ModelDir folder, ModelDir::open(dataDir + "/" + name));
  return loadModelConfig(folder);
}

class StoredCheckpoint : public testing::TestWithParam<const char *> {};

TEST_P(StoredCheckpoint, MatchesItsListOfTensors) {
  std::string path = dataDir + "/checkpoints/" + GetParam();
  Result<Checkpoint> checkpoint = openCheckpoint(path);
  ASSERT_TRUE(succeeds(checkpoint));
  EXPECT_TRUE(checkpoint->getWarnings().empty());
  EXPECT_TRUE(succeeds(checkFiniteWeights(*checkpoint)));
  Result<std::string> text = readWholeFile(
      dataDir + "/goldens/" + GetParam() + "/tensors.json", 1 << 20);
  ASSERT_TRUE(succeeds(text));
  Result<JsonDocument> document = parseJson(*text);
  ASSERT_TRUE(succeeds(document));
  std::vector<ExpectedTensor> expected;
  for (JsonValue member : document->root().members()) {
    ExpectedTensor tensor{std::string(member.key()), {}, false};
    // Each value is the shape and the type.
    for (JsonValue dim : member.at(0).elements())
      tensor.shape.push_back(*dim.asInt64());
    expected.push_back(std::move(tensor));
  }
  EXPECT_GT(expected.size(), 30u);
  TensorCheckOptions options;
  options.refuseExtra = true;
  EXPECT_TRUE(succeeds(checkTensors(*checkpoint, expected, options)));
}

TEST_P(StoredCheckpoint, ConfigsAreRead) {
  Result<ModelDir> folder =
      ModelDir::open(dataDir + "/checkpoints/" + GetParam());
  ASSERT_TRUE(succeeds(folder));
  Result<ModelConfig> config = loadModelConfig(*folder);
  ASSERT_TRUE(succeeds(config));
  EXPECT_TRUE(config->warnings.empty());
  Result<GenerationConfig> generation = loadGenerationConfig(*folder, *config);
  ASSERT_TRUE(succeeds(generation));
  EXPECT_TRUE(generation->warnings.empty());
  EXPECT_EQ(generation->eosTokenIds.size(), 2u);
  EXPECT_EQ(generation->topK, 20);
}

TEST_P(StoredCheckpoint, GoldenFileIsRead) {
  Result<File> file =
      File::open(dataDir + "/goldens/" + GetParam() + "/golden.safetensors");
  ASSERT_TRUE(succeeds(file));
  Result<SafetensorsHeader> header = readSafetensorsHeader(*file);
  ASSERT_TRUE(succeeds(header));
  EXPECT_GE(header->entries.size(), 20u);
}

INSTANTIATE_TEST_SUITE_P(Models, StoredCheckpoint,
                         testing::ValuesIn(goldenModels), [](const auto &info) {
                           return toTestName(info.param);
                         });

INSTANTIATE_TEST_SUITE_P(Hybrids, StoredCheckpoint,
                         testing::ValuesIn(hybridModels), [](const auto &info) {
                           return toTestName(info.param);
                         });

TEST(StoredCheckpoints, BothSpellingsOfYarnGiveOneConfig) {
  Result<ModelConfig> older =
      loadConfig("checkpoints/qwen3-yarn-ropescaling-f32");
  Result<ModelConfig> newer =
      loadConfig("checkpoints/qwen3-yarn-ropeparameters-f32");
  ASSERT_TRUE(succeeds(older));
  ASSERT_TRUE(succeeds(newer));
  EXPECT_EQ(older->rope.type, RopeType::Yarn);
  EXPECT_EQ(older->rope.type, newer->rope.type);
  EXPECT_EQ(older->rope.theta, newer->rope.theta);
  EXPECT_EQ(older->rope.factor, newer->rope.factor);
  EXPECT_EQ(older->rope.originalMaxPositionEmbeddings, 64);
  EXPECT_EQ(newer->rope.originalMaxPositionEmbeddings, 64);
  EXPECT_EQ(older->rope.attentionFactor, newer->rope.attentionFactor);
}

TEST(StoredCheckpoints, TiedModelHoldsItsHeadTwice) {
  Result<Checkpoint> checkpoint =
      openCheckpoint(dataDir + "/checkpoints/qwen3-dense-tied-bf16");
  ASSERT_TRUE(succeeds(checkpoint));
  ASSERT_TRUE(checkpoint->find("lm_head.weight"));
  EXPECT_TRUE(succeeds(checkTiedEmbeddings(
      *checkpoint, "model.embed_tokens.weight", "lm_head.weight")));
}

TEST(StoredCheckpoints, TrainedSample) {
  Result<ModelConfig> config = loadConfig("samples/qwen3-sample");
  ASSERT_TRUE(succeeds(config));
  EXPECT_TRUE(config->warnings.empty());
  EXPECT_EQ(config->numHiddenLayers, 5);
  EXPECT_TRUE(succeeds(openCheckpoint(dataDir + "/samples/qwen3-sample")));
}
