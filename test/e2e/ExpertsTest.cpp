//===- ExpertsTest.cpp - Layouts and uneven loads of experts --------------===//
//
// The goldens route tokens as random weights do. Here a model of one layer is
// made whose tokens choose experts by their id: attention adds nothing, the
// embedding of a token is large in two features, and the router is the
// identity. So the logits of a row depend on its id alone, whatever the other
// tokens of the step choose.
//
//===----------------------------------------------------------------------===//
#include "test/support/Experts.h"
#include "runtime/base/Numeric.h"
#include "runtime/base/SafetensorsWriter.h"
#include "runtime/device/DeviceRegistry.h"
#include "runtime/reference/Reference.h"
#include "test/e2e/EndToEnd.h"
#include "test/support/Expect.h"
#include "test/support/Golden.h"
#include "test/support/TempDir.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <filesystem>
#include <random>

using namespace quern;
using namespace quern::test;

namespace {

constexpr int64_t kExperts = 64, kSlots = 2, kHidden = 96, kInner = 40,
                  kHeads = 2, kHeadDim = 16;
constexpr uint64_t kPrefill = 600;

/// A qwen3_moe checkpoint whose routing is known, and what it computes.
class RoutedModel {
public:
  explicit RoutedModel(const std::string &folder);

  /// Token `id` chooses these two of the experts, in this order.
  static int32_t firstExpert(int32_t id) { return id % kExperts; }
  static int32_t secondExpert(int32_t id) {
    return (firstExpert(id) * 7 + 3) % kExperts;
  }
  int64_t vocabSize() const { return 311; }
  /// The logits of any row with this token.
  std::vector<float> expectedLogits(int32_t id) const;

private:
  SafetensorsTensor &add(const std::string &name, std::vector<uint64_t> shape,
                         double scale);
  std::span<const float> values(const std::string &name) const {
    return storage.at(name);
  }
  void addLayer();
  void makeRouting();

  std::mt19937 random{7};
  std::map<std::string, std::vector<float>> storage;
  std::vector<SafetensorsTensor> tensors;
};

const std::string kLayer = "model.layers.0.";

} // namespace

SafetensorsTensor &RoutedModel::add(const std::string &name,
                                    std::vector<uint64_t> shape, double scale) {
  std::vector<float> &numbers = storage[name];
  size_t count = 1;
  for (uint64_t size : shape)
    count *= size;
  numbers.resize(count);
  for (float &number : numbers)
    number = static_cast<float>((random() / 2147483648.0 - 1) * scale);
  return tensors.emplace_back(name, DataType::F32, shape,
                              std::as_bytes(std::span(numbers)));
}

void RoutedModel::addLayer() {
  for (const char *norm : {"input_layernorm", "post_attention_layernorm"})
    add(kLayer + norm + ".weight", {kHidden}, 1);
  for (const char *name : {"q_proj", "k_proj", "v_proj"})
    add(kLayer + "self_attn." + name + ".weight", {kHeads * kHeadDim, kHidden},
        0.3);
  for (const char *name : {"q_norm", "k_norm"})
    add(kLayer + "self_attn." + name + ".weight", {kHeadDim}, 1);
  // Attention adds nothing.
  add(kLayer + "self_attn.o_proj.weight", {kHidden, kHeads * kHeadDim}, 0);
  add(kLayer + "mlp.gate.weight", {kExperts, kHidden}, 0);
  add(kLayer + "mlp.experts.gate_up_proj", {kExperts, 2 * kInner, kHidden},
      0.3);
  add(kLayer + "mlp.experts.down_proj", {kExperts, kHidden, kInner}, 0.3);
}

/// Features 0 to E - 1 of an embedding say which experts, the rest which token.
void RoutedModel::makeRouting() {
  std::vector<float> &embedding = storage["model.embed_tokens.weight"];
  for (int32_t id = 0; id != vocabSize(); ++id) {
    float *row = &embedding[id * kHidden];
    std::fill_n(row, kExperts, 0.0f);
    row[firstExpert(id)] = 3;
    row[secondExpert(id)] = 2;
  }
  std::ranges::fill(storage[kLayer + "post_attention_layernorm.weight"], 1.0f);
  for (int64_t e = 0; e != kExperts; ++e)
    storage[kLayer + "mlp.gate.weight"][e * kHidden + e] = 1;
}

RoutedModel::RoutedModel(const std::string &folder) {
  uint64_t vocabulary = static_cast<uint64_t>(vocabSize());
  add("model.embed_tokens.weight", {vocabulary, kHidden}, 1);
  addLayer();
  add("model.norm.weight", {kHidden}, 1);
  add("lm_head.weight", {vocabulary, kHidden}, 0.3);
  makeRouting();
  // Tokenizer and config of a tiny checkpoint with this vocabulary.
  namespace fs = std::filesystem;
  fs::create_directories(folder);
  for (const auto &entry :
       fs::directory_iterator(std::string(QUERN_SOURCE_DIR) +
                              "/test/data/checkpoints/qwen3-moe-mixed-f32"))
    if (!entry.path().filename().string().ends_with("safetensors"))
      fs::copy(entry.path(), folder, fs::copy_options::overwrite_existing);
  std::ofstream(folder + "/config.json") << R"({
    "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe",
    "hidden_size": 96, "intermediate_size": 8, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16,
    "num_experts": 64, "num_experts_per_tok": 2, "moe_intermediate_size": 40,
    "norm_topk_prob": true, "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-6, "rope_theta": 10000, "vocab_size": 311,
    "tie_word_embeddings": false, "eos_token_id": 282,
    "torch_dtype": "float32"})";
  EXPECT_TRUE(
      succeeds(writeSafetensors(folder + "/model.safetensors", tensors)));
}

std::vector<float> RoutedModel::expectedLogits(int32_t id) const {
  constexpr DataType f32 = DataType::F32;
  constexpr double epsilon = 1e-6;
  std::span<const float> residual =
      values("model.embed_tokens.weight").subspan(id * kHidden, kHidden);
  std::vector<float> x(kHidden), y(kHidden), sum(kHidden), logits(vocabSize());
  reference::rmsNorm(
      residual,
      {values(kLayer + "post_attention_layernorm.weight"), epsilon, false}, f32,
      x);
  // Not through reference::router: the routing is what this model is for.
  float first = x[firstExpert(id)], second = x[secondExpert(id)];
  float share = 1 / (1 + std::exp(second - first));
  int32_t experts[] = {firstExpert(id), secondExpert(id)};
  float weights[] = {share, 1 - share};
  EXPECT_TRUE(succeeds(reference::expertSum(
      x, {experts, weights, kSlots},
      {values(kLayer + "mlp.experts.gate_up_proj"),
       values(kLayer + "mlp.experts.down_proj"), kInner, kHidden},
      f32, y)));
  reference::residualAdd(residual, y, sum);
  reference::rmsNorm(sum, {values("model.norm.weight"), epsilon, false}, f32,
                     x);
  reference::Matrix head = {values("lm_head.weight"), vocabSize()};
  reference::linear(x, kHidden, {&head, 1}, f32, logits);
  return logits;
}

namespace {

/// How the tokens of a step choose.
enum class Load { OneExpert, EachItsOwn, Skewed };

} // namespace

/// The id of token t: in OneExpert all choose the same two experts, in
/// EachItsOwn neighbours share none, in Skewed half of them choose the same.
static int32_t tokenOf(Load load, int64_t t) {
  if (load == Load::OneExpert || (load == Load::Skewed && t % 2))
    return static_cast<int32_t>(5 + kExperts * (t % 4));
  return static_cast<int32_t>(t % 311);
}

namespace {

class UnevenRoutingTest : public testing::TestWithParam<Load> {};

} // namespace

TEST_P(UnevenRoutingTest, NoTokenIsLost) {
  QUERN_REQUIRE_VULKAN();
  TempDir folder, results;
  RoutedModel model(folder.str());
  CompileOptions options = testOptions(folder.str());
  options.prefill = kPrefill;
  options.context = kPrefill;
  options.output = results.file("model.quern");
  ASSERT_TRUE(succeeds(compile(options)));
  auto engine = loadForTest(options.output);
  ASSERT_TRUE(engine.isOk()) << engine.getStatus().getMessage();
  ASSERT_EQ((*engine)->getGeometry().maxStepTokens, kPrefill);
  std::map<int32_t, std::vector<float>> expected;
  // Around every tile and program border, and both ends.
  for (size_t count :
       {1,  2,  3,  7,  8,   9,   15,  16,  17,  31,  32,  33,
        63, 64, 65, 96, 127, 128, 129, 255, 257, 511, 599, 600}) {
    std::vector<int32_t> ids(count);
    for (size_t t = 0; t != count; ++t)
      ids[t] = tokenOf(GetParam(), static_cast<int64_t>(t));
    auto rows = promptLogits(**engine, ids);
    ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
    ASSERT_EQ(rows->size(), count);
    for (size_t t = 0; t != count; ++t) {
      std::vector<float> &wanted = expected[ids[t]];
      if (wanted.empty())
        wanted = model.expectedLogits(ids[t]);
      ASSERT_LE(
          maxAbsDifference((*rows)[t].data(), wanted.data(), wanted.size()),
          1e-4)
          << "token " << t << " of " << count;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Loads, UnevenRoutingTest,
                         testing::Values(Load::OneExpert, Load::EachItsOwn,
                                         Load::Skewed),
                         [](const testing::TestParamInfo<Load> &info) {
                           return std::string(
                               info.param == Load::OneExpert    ? "OneExpert"
                               : info.param == Load::EachItsOwn ? "EachItsOwn"
                                                                : "Skewed");
                         });

static void expectFusedExpertsGiveTheSameLogits(bool isTransposed) {
  TempDir folder, results;
  ASSERT_NO_FATAL_FAILURE(writeFusedCheckpoint("qwen3-moe-bf16-sharded",
                                               folder.str(), isTransposed));
  CompileOptions options = testOptions(folder.str());
  options.output = results.file("model.quern");
  ASSERT_TRUE(succeeds(compile(options)));
  auto engine = loadForTest(options.output);
  ASSERT_TRUE(engine.isOk()) << engine.getStatus().getMessage();
  Golden golden("qwen3-moe-bf16-sharded");
  auto rows = promptLogits(**engine, golden.integers("t41.input_ids"));
  ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
  std::vector<float> expected = golden.floats("t41.logits");
  size_t vocab = (*engine)->getGeometry().vocabSize;
  ASSERT_EQ(rows->size() * vocab, expected.size());
  for (size_t t = 0; t < rows->size(); ++t)
    EXPECT_LE(maxAbsDifference((*rows)[t].data(), &expected[t * vocab], vocab),
              1e-3);
}

TEST(ExpertLayoutTest, FusedExpertsGiveTheSameLogits) {
  QUERN_REQUIRE_VULKAN();
  expectFusedExpertsGiveTheSameLogits(/*isTransposed=*/false);
}

TEST(ExpertLayoutTest, TransposedExpertsGiveTheSameLogits) {
  QUERN_REQUIRE_VULKAN();
  expectFusedExpertsGiveTheSameLogits(/*isTransposed=*/true);
}
