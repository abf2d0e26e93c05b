//===- HybridSampleTest.cpp - Drafts, drift and memory of a hybrid --------===//
//
// The trained hybrid sample lies in ../shared, not in the repository; without
// it the tests skip. ../shared/samples/REPORT.md has the reference's numbers.
//
//===----------------------------------------------------------------------===//
#include "runtime/base/File.h"
#include "runtime/base/Json.h"
#include "runtime/device/DeviceRegistry.h"
#include "runtime/engine/Generate.h"
#include "runtime/engine/TargetSelection.h"
#include "test/e2e/EndToEnd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

using namespace quern;
using namespace quern::test;

namespace {

struct Item {
  std::vector<int32_t> prompt, expected;
};

class HybridSampleTest : public testing::Test {
protected:
  const std::string folder =
      std::string(QUERN_SOURCE_DIR) + "/../shared/samples/qwen3.6-moe-sample";

  void SetUp() override {
    if (!std::filesystem::exists(folder))
      GTEST_SKIP() << "the hybrid sample in ../shared is absent";
  }

  std::unique_ptr<Engine> load(int64_t context,
                               const std::string &target = "vulkan",
                               const std::string &compute = "f32") {
    CompileOptions options = testOptions(folder, compute);
    options.target = target;
    options.context = context;
    options.slots = 2;
    options.prefill = 512;
    auto path = compileForTest(options);
    if (!path.isOk()) {
      ADD_FAILURE() << path.getStatus().getMessage();
      return nullptr;
    }
    auto engine = loadForTest(*path);
    if (!engine.isOk()) {
      ADD_FAILURE() << engine.getStatus().getMessage();
      return nullptr;
    }
    return std::move(*engine);
  }

  std::vector<Item> readItems() {
    std::vector<Item> items;
    auto text = readWholeFile(folder + "/eval.json", 8 << 20);
    auto document = parseJson(text.isOk() ? *text : "[]");
    if (!document.isOk())
      return items;
    for (JsonValue value : document->root().elements()) {
      Item item;
      for (JsonValue id : value.get("prompt_ids")->elements())
        item.prompt.push_back(int32_t(*id.asInt64()));
      for (JsonValue id : value.get("model_greedy_ids")->elements())
        item.expected.push_back(int32_t(*id.asInt64()));
      items.push_back(std::move(item));
    }
    return items;
  }
};

} // namespace

/// The greedy answer, and what drafts of this depth did for it.
static std::vector<int32_t> answer(Engine &engine, const Item &item,
                                   int32_t depth, SpeculationStatistics &sum) {
  auto sequence = engine.createSequence();
  EXPECT_TRUE(sequence.isOk());
  GenerationOptions options;
  options.draftDepth = depth;
  // Beyond the end of the answer: drafts of the last tokens count too.
  options.maxTokens = item.expected.size() + kMaxDraftDepth + 1;
  std::vector<int32_t> ids;
  auto result = generate(engine, **sequence, nullptr, item.prompt, options,
                         [&](int32_t token, std::string_view) {
                           ids.push_back(token);
                           return true;
                         });
  EXPECT_TRUE(result.isOk()) << result.getStatus().getMessage();
  if (!result.isOk())
    return ids;
  sum.rounds += result->speculation.rounds;
  sum.tokens += result->speculation.tokens;
  for (uint32_t i = 0; i != kMaxDraftDepth; ++i) {
    sum.drafted[i] += result->speculation.drafted[i];
    sum.accepted[i] += result->speculation.accepted[i];
  }
  return ids;
}

/// Every answer is the same with drafts of each depth; if it is all items, as
/// many drafts are accepted as REPORT.md says.
static void checkDrafts(Engine &engine, const std::vector<Item> &items) {
  // Of REPORT.md, by depth.
  const std::vector<double> reported[] = {
      {0.8617}, {0.867, 0.5816}, {0.8601, 0.5972, 0.654}};
  SpeculationStatistics plain, drafts[3];
  size_t same = 0;
  for (size_t i = 0; i != items.size(); ++i) {
    std::vector<int32_t> ids = answer(engine, items[i], 0, plain);
    const std::vector<int32_t> &expected = items[i].expected;
    same += ids.size() >= expected.size() &&
            std::equal(expected.begin(), expected.end(), ids.begin());
    for (int32_t depth : {1, 2, 3})
      EXPECT_EQ(answer(engine, items[i], depth, drafts[depth - 1]), ids)
          << "item " << i << ", depth " << depth;
  }
  EXPECT_GE(same, items.size() * 99 / 100);
  EXPECT_EQ(plain.rounds, 0u);
  EXPECT_TRUE(engine.getModel().getDevice().checkDiagnostics().isOk());
  for (size_t k = 0; k != 3 && items.size() == 200; ++k)
    for (size_t i = 0; i != reported[k].size(); ++i) {
      double rate =
          double(drafts[k].accepted[i]) / double(drafts[k].drafted[i]);
      testing::Test::RecordProperty("k" + std::to_string(k + 1) + "_depth" +
                                        std::to_string(i + 1),
                                    std::to_string(rate));
      EXPECT_NEAR(rate, reported[k][i], 0.02)
          << "k = " << k + 1 << ", depth " << i + 1 << ": "
          << drafts[k].accepted[i] << " of " << drafts[k].drafted[i];
    }
}

TEST_F(HybridSampleTest, DraftsChangeNoToken) {
  QUERN_REQUIRE_VULKAN();
  std::vector<Item> items = readItems();
  ASSERT_EQ(items.size(), 200u);
  std::unique_ptr<Engine> engine = load(1024);
  ASSERT_TRUE(engine);
  checkDrafts(*engine, items);
}

#ifdef QUERN_TEST_CUDA_LIBRARY
TEST_F(HybridSampleTest, DraftsChangeNoTokenOnCUDA) {
  std::vector<Item> items = readItems();
  ASSERT_EQ(items.size(), 200u);
  if (!testsEverything())
    items.resize(1);
  std::unique_ptr<Engine> engine = load(1024, "cuda");
  ASSERT_TRUE(engine);
  checkDrafts(*engine, items);
}
#endif

namespace {

/// The logits of the last row of each step.
struct LastLogits final : StepResults {
  std::vector<float> logits;
  int32_t token = -1;
  void onResult(size_t, size_t, int32_t chosen,
                std::span<const float> row) override {
    token = chosen;
    logits.assign(row.begin(), row.end());
  }
};

} // namespace

// 4,096 tokens, one at a time through the rings and the state, against the same
// tokens in prompt chunks.
TEST_F(HybridSampleTest, FourThousandTokensDoNotDrift) {
  QUERN_REQUIRE_VULKAN();
  std::unique_ptr<Engine> engine = load(4352);
  ASSERT_TRUE(engine);
  ASSERT_TRUE(engine->setLogitsWanted(true).isOk());
  std::vector<Item> items = readItems();
  ASSERT_FALSE(items.empty());
  std::vector<int32_t> tokens = items[0].prompt;
  const size_t end = tokens.size() + 4096, chunk = 512;
  std::vector<std::vector<float>> recurrent; // At the ends of chunks.
  auto first = engine->createSequence();
  ASSERT_TRUE(first.isOk());
  LastLogits last;
  // Sampled: greedy text of a small model soon repeats itself.
  SamplingParameters sampling;
  sampling.temperature = 1;
  for (size_t fed = 0; fed != end;) {
    size_t count = fed == 0 ? tokens.size() : 1;
    StepEntry entry{first->get(), std::span(tokens).subspan(fed, count),
                    ResultRows::Last, &sampling};
    Status status = engine->run({&entry, 1}, last);
    ASSERT_TRUE(status.isOk()) << status.getMessage();
    fed += count;
    if (fed % chunk == 0 || fed == end)
      recurrent.push_back(last.logits);
    if (fed != end)
      tokens.push_back(last.token);
  }
  // The same slot and pages again.
  first->reset();
  auto second = engine->createSequence();
  ASSERT_TRUE(second.isOk());
  double worst = 0;
  for (size_t begin = 0, i = 0; begin < end; begin += chunk, ++i) {
    StepEntry entry{
        second->get(),
        std::span(tokens).subspan(begin, std::min(chunk, end - begin)),
        ResultRows::Last, nullptr};
    Status status = engine->run({&entry, 1}, last);
    ASSERT_TRUE(status.isOk()) << status.getMessage();
    double difference = maxAbsDifference(
        last.logits.data(), recurrent[i].data(), last.logits.size());
    EXPECT_LT(difference, 1e-4) << "after " << begin + entry.tokens.size();
    worst = std::max(worst, difference);
  }
  RecordProperty("worst_difference", std::to_string(worst));
}

namespace {

/// 4,096 tokens that the reference drew behind a prompt, and logits of these
/// tokens (test/data/make_drift.py): some columns of every 32nd row.
struct DriftGolden {
  std::vector<int32_t> tokens, rows, columns;
  std::vector<float> f32, bf16; ///< [rows, columns] of the reference.

  DriftGolden() {
    Golden golden("qwen3.6-moe-sample-drift");
    tokens = golden.integers("tokens");
    rows = golden.integers("rows");
    columns = golden.integers("columns");
    f32 = golden.floats("f32.logits");
    bf16 = golden.floats("bf16.logits");
  }

  /// The root mean square of each row's differences to f32, of rows [begin,
  /// end), in ascending order.
  std::vector<double> errors(std::span<const float> logits, size_t begin,
                             size_t end) const {
    std::vector<double> found;
    for (size_t row = begin; row != end; ++row) {
      double sum = 0;
      for (size_t i = row * columns.size(); i != (row + 1) * columns.size();
           ++i)
        sum += (double(logits[i]) - f32[i]) * (double(logits[i]) - f32[i]);
      found.push_back(std::sqrt(sum / double(columns.size())));
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

} // namespace

/// The logits of the golden's rows, with the tokens fed one at a time.
static std::vector<float> decodeAll(Engine &engine, const DriftGolden &golden) {
  std::vector<float> found;
  auto sequence = engine.createSequence();
  EXPECT_TRUE(sequence.isOk() && engine.setLogitsWanted(true).isOk());
  LastLogits last;
  for (size_t fed = 0, row = 0; row != golden.rows.size(); ++fed) {
    StepEntry entry{sequence->get(), std::span(golden.tokens).subspan(fed, 1),
                    ResultRows::Last, nullptr};
    Status status = engine.run({&entry, 1}, last);
    EXPECT_TRUE(status.isOk()) << status.getMessage();
    if (!status.isOk())
      break;
    if (fed != size_t(golden.rows[row]))
      continue;
    ++row;
    for (int32_t column : golden.columns)
      found.push_back(last.logits[column]);
  }
  return found;
}

// Each quarter of the tokens: in f32 the logits are the reference's; in bf16
// they lose no more than the reference's own do. The greatest errors count in
// f32 alone: where a router is near a tie, bf16 may choose another expert, and
// how far that throws the logits is chance, in the reference too.
TEST_F(HybridSampleTest, FourThousandTokensStayWithinTheNoiseOfTheReference) {
  DriftGolden golden;
  const size_t rows = golden.rows.size();
  ASSERT_EQ(golden.f32.size(), rows * golden.columns.size());
  ASSERT_EQ(golden.bf16.size(), golden.f32.size());
  ASSERT_EQ(size_t(golden.rows.back()) + 1, golden.tokens.size());
  for (std::string compute : {"f32", "bf16"}) {
    std::unique_ptr<Engine> engine = load(4352, "cpu", compute);
    ASSERT_TRUE(engine);
    std::vector<float> logits = decodeAll(*engine, golden);
    ASSERT_EQ(logits.size(), golden.f32.size());
    constexpr size_t parts = 4;
    for (size_t part = 0; part != parts; ++part) {
      size_t begin = rows * part / parts, end = rows * (part + 1) / parts;
      std::vector<double> found = golden.errors(logits, begin, end);
      std::vector<double> noise = golden.errors(golden.bf16, begin, end);
      const std::string name = compute + "_part" + std::to_string(part);
      RecordProperty(name + "_worst", std::to_string(found.back()));
      if (compute == "f32") {
        EXPECT_LE(found.back(), 1e-4) << name;
        continue;
      }
      for (size_t percent : {50, 90}) {
        size_t i = found.size() * percent / 100;
        RecordProperty(name + "_p" + std::to_string(percent),
                       std::to_string(found[i]) + " of " +
                           std::to_string(noise[i]));
        EXPECT_LE(found[i], noise[i]) << name << ", percentile " << percent;
      }
    }
  }
}

// The plan of 262,144 tokens of context, which nothing here allocates.
TEST_F(HybridSampleTest, PlansAQuarterMillionTokens) {
  CompileOptions options = testOptions(folder);
  // One of the caches is larger than lavapipe's storage buffers may be.
  options.target = "vulkan-nvidia";
  options.context = 262144;
  options.slots = 1;
  auto path = compileForTest(options);
  ASSERT_TRUE(path.isOk()) << path.getStatus().getMessage();
  Result<Bundle> bundle = Bundle::open(*path);
  ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  const bundle::Manifest &manifest = bundle->getManifest();
  const bundle::Model &model = *manifest.model();
  EXPECT_EQ(model.context_length(), 262144u);
  const uint64_t pages = 262144 / model.page_size() + options.slots;
  EXPECT_EQ(model.num_pages(), pages);
  uint64_t cache = 0, states = 0;
  size_t recurrent = 0;
  for (const bundle::State *state : *manifest.states()) {
    bool isCache = state->kind() == bundle::StateKind::KeyCache ||
                   state->kind() == bundle::StateKind::ValueCache;
    (isCache ? cache : states) += state->size();
    if (isCache) {
      EXPECT_EQ(state->size(), pages * model.page_size() *
                                   model.num_key_value_heads() *
                                   model.head_dim() * sizeof(float));
    }
    recurrent += state->kind() == bundle::StateKind::Recurrent;
  }
  // One attention layer and the draft layer; three gated delta nets, whose
  // states do not know the context.
  EXPECT_EQ(cache, 4 * pages * model.page_size() * 2 * 64 * sizeof(float));
  EXPECT_EQ(recurrent, 3u);
  EXPECT_LT(states, uint64_t(1) << 20);
  const bundle::TargetPrograms &target = bundle->getTarget(0);
  for (const bundle::StepBuffer *buffer : *target.step_buffers())
    if (buffer->role() == bundle::StepRole::PageTable) {
      EXPECT_EQ(buffer->shape()->Get(1), 262144u / model.page_size());
    }
  EXPECT_LT(target.arena_size(), uint64_t(64) << 20);
  // A device that is too small says what the context needs.
  MemoryNeed need = computeMemoryNeed(manifest, target, 0);
  EXPECT_EQ(need.keyValueCache, cache);
  EXPECT_EQ(need.otherStates, states);
  DeviceInfo device;
  device.limits.memoryBytes = uint64_t(256) << 20;
  device.limits.maxAllocationBytes = uint64_t(256) << 20;
  Status status = checkMemory(need, manifest, device);
  EXPECT_EQ(status.getCode(), StatusCode::ResourceExhausted);
  EXPECT_NE(status.getMessage().find("context 262144"), std::string::npos)
      << status.getMessage();
}
