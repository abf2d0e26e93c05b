//===- KVCacheTest.cpp - Bundles with int8 key-value caches ---------------===//
//
// What the device computes from codes is what the interpreter computes from the
// numbers that they stand for.
//
//===----------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"
#include "test/e2e/Interpret.h"
#include "test/support/Golden.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

namespace {

struct KVCacheCase {
  const char *model, *target;
};

class KVCacheTest : public testing::TestWithParam<KVCacheCase> {
protected:
  void SetUp() override { QUERN_REQUIRE_VULKAN(); }

  Result<std::string> compileWith(const std::string &kvCacheType) {
    CompileOptions options =
        testOptions(std::string(QUERN_SOURCE_DIR) + "/test/data/checkpoints/" +
                    GetParam().model);
    options.target = GetParam().target;
    options.pageSize = 16;
    options.kvCacheType = kvCacheType;
    return compileForTest(options);
  }

  void load() {
    auto path = compileWith("int8");
    ASSERT_TRUE(path.isOk()) << path.getStatus().getMessage();
    auto loaded = loadForTest(*path);
    ASSERT_TRUE(loaded.isOk()) << loaded.getStatus().getMessage();
    engine = std::move(*loaded);
  }

  static std::vector<std::vector<float>>
  interpret(const std::vector<std::vector<int32_t>> &prompts) {
    return interpretPrompts(GetParam().model, prompts,
                            [](mlir::PassManager &manager) {
                              manager.addPass(createQuantizeKVCachePass());
                            });
  }

  void compare(const std::vector<std::vector<float>> &rows,
               const std::vector<float> &expected);

  std::unique_ptr<Engine> engine;
};

} // namespace

/// A key or value within rounding errors of the middle between two codes may
/// take the other one, a step of 1/127 of its row's largest, which later tokens
/// see. Rows before the first such token are equal.
void KVCacheTest::compare(const std::vector<std::vector<float>> &rows,
                          const std::vector<float> &expected) {
  size_t vocab = engine->getGeometry().vocabSize;
  ASSERT_EQ(expected.size(), rows.size() * vocab);
  double worst = 0;
  size_t equalRows = 0;
  for (size_t t = 0; t < rows.size(); ++t) {
    double row = maxAbsDifference(rows[t].data(), &expected[t * vocab], vocab);
    worst = std::max(worst, row);
    equalRows += row <= 1e-3;
  }
  EXPECT_GE(equalRows, rows.size() / 5);
  EXPECT_LE(worst, 0.05);
}

TEST_P(KVCacheTest, DeviceComputesWithTheSameCodes) {
  ASSERT_NO_FATAL_FAILURE(load());
  Golden golden(GetParam().model);
  // Nine pages; decode splits the positions between workgroups.
  std::vector<int32_t> ids = golden.integers("t150.input_ids");
  std::vector<std::vector<float>> expected = interpret({ids});
  ASSERT_EQ(expected.size(), 1u);
  for (size_t chunk : {64, 5, 1}) {
    SCOPED_TRACE(chunk);
    auto rows = promptLogits(*engine, ids, chunk);
    ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
    compare(*rows, expected[0]);
  }
}

TEST_P(KVCacheTest, SequencesKeepTheirOwnCodes) {
  ASSERT_NO_FATAL_FAILURE(load());
  Golden golden(GetParam().model);
  std::vector<std::vector<int32_t>> prompts;
  for (std::string prompt : goldenPrompts) {
    prompts.push_back(golden.integers(prompt + ".input_ids"));
    prompts.back().resize(std::min<size_t>(prompts.back().size(), 60));
  }
  std::vector<std::vector<float>> expected = interpret(prompts);
  ASSERT_EQ(expected.size(), prompts.size());
  auto logits = raggedLogits(*engine, prompts);
  ASSERT_TRUE(logits.isOk()) << logits.getStatus().getMessage();
  for (size_t i = 0; i != prompts.size(); ++i) {
    SCOPED_TRACE(goldenPrompts[i]);
    compare((*logits)[i], expected[i]);
  }
}

TEST_P(KVCacheTest, IsCloseToTheModelAndSmaller) {
  ASSERT_NO_FATAL_FAILURE(load());
  auto error = relativeError(*engine, Golden(GetParam().model), {"t41"});
  ASSERT_TRUE(error.isOk()) << error.getStatus().getMessage();
  EXPECT_LE(*error, 0.02);
  EXPECT_GE(*error, 1e-4) << "nothing was rounded";

  auto dense = compileWith("compute");
  ASSERT_TRUE(dense.isOk()) << dense.getStatus().getMessage();
  auto denseBundle = Bundle::open(*dense);
  ASSERT_TRUE(denseBundle.isOk());
  const auto &coded = *engine->getModel().getBundle().getManifest().states();
  const auto &plain = *denseBundle->getManifest().states();
  ASSERT_EQ(coded.size(), plain.size());
  size_t caches = 0;
  for (uint32_t i = 0; i != coded.size(); ++i) {
    if (coded.Get(i)->kind() != bundle::StateKind::KeyCache &&
        coded.Get(i)->kind() != bundle::StateKind::ValueCache) {
      EXPECT_EQ(coded.Get(i)->size(), plain.Get(i)->size());
      continue;
    }
    // Of an f32 a byte is left, and a scale for each row.
    uint64_t headDim = coded.Get(i)->shape()->Get(3);
    uint64_t rows = plain.Get(i)->size() / (4 * headDim);
    EXPECT_EQ(coded.Get(i)->size(), rows * (headDim + 4));
    ++caches;
  }
  EXPECT_GT(caches, 0u);
}

static std::string nameOf(const testing::TestParamInfo<KVCacheCase> &info) {
  return toTestName(std::string(info.param.model) + "-" + info.param.target);
}

INSTANTIATE_TEST_SUITE_P(
    Models, KVCacheTest,
    testing::Values(KVCacheCase{"qwen3-dense-tied-bf16", "vulkan"},
                    KVCacheCase{"qwen3-dense-tied-bf16", "cpu"},
                    KVCacheCase{"qwen3_5-dense-tied-bf16", "vulkan"},
                    KVCacheCase{"qwen3_6-moe-bf16", "cpu"}),
    nameOf);
#ifdef QUERN_TEST_CUDA_LIBRARY
INSTANTIATE_TEST_SUITE_P(CUDA, KVCacheTest,
                         testing::Values(KVCacheCase{"qwen3-dense-tied-bf16",
                                                     "cuda"}),
                         nameOf);
#endif
