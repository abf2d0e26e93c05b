//===- QuantizedTest.cpp - Bundles with quantised weights -----------------===//
//
// What the device computes from encoded weights is what the interpreter
// computes from the numbers that they stand for: the error of quantisation
// itself plays no part, so the tolerance is that of f32.
//
//===----------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"
#include "test/e2e/Interpret.h"
#include "test/support/Golden.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

using namespace quern;
using namespace quern::test;

static std::string checkpointPath(const std::string &model) {
  return std::string(QUERN_SOURCE_DIR) + "/test/data/checkpoints/" + model;
}

namespace {

/// These models of random weights turn relative noise in their weights into 5
/// to 9 times as much in their logits, whatever the type. A bound against gross
/// errors only: the device is held to the interpreter's numbers.
constexpr double amplification = 12;

struct QuantizedCase {
  const char *model, *weights, *target = "vulkan";
  const char *activations = "keep";

  bool hasInt8Activations() const {
    return std::string_view(activations) == "int8";
  }
};

class QuantizedTest : public testing::TestWithParam<QuantizedCase> {
protected:
  void SetUp() override {
    QUERN_REQUIRE_VULKAN();
    CompileOptions options = testOptions(checkpointPath(GetParam().model));
    options.quantize.weights = GetParam().weights;
    options.target = GetParam().target;
    options.quantizeActivations = GetParam().activations;
    auto bundle = compileForTest(options);
    ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
    path = *bundle;
    auto loaded = loadForTest(*bundle);
    ASSERT_TRUE(loaded.isOk()) << loaded.getStatus().getMessage();
    engine = std::move(*loaded);
  }

  /// The logits of every position by the interpreter, on the model function
  /// with its weights quantised.
  std::vector<float> interpret(const std::vector<int32_t> &ids) {
    auto logits = interpretPrompts(
        GetParam().model, {ids}, [](mlir::PassManager &manager) {
          QuantizeWeightsPassOptions options;
          options.weights = GetParam().weights;
          manager.addPass(createQuantizeWeightsPass(options));
          if (GetParam().hasInt8Activations())
            manager.addPass(createQuantizeActivationsPass());
        });
    return logits.empty() ? std::vector<float>() : logits.front();
  }

  std::string path;
  std::unique_ptr<Engine> engine;
};

} // namespace

TEST_P(QuantizedTest, DeviceComputesWithTheDecodedWeights) {
  Golden golden(GetParam().model);
  std::vector<int32_t> ids = golden.integers("t41.input_ids");
  std::vector<float> expected = interpret(ids);
  size_t vocab = engine->getGeometry().vocabSize;
  ASSERT_EQ(expected.size(), ids.size() * vocab);
  // Prefill with its tiles, verify with rows of some tokens, decode.
  for (size_t chunk : {64, 5, 1}) {
    auto rows = promptLogits(*engine, ids, chunk);
    ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
    double worst = 0;
    size_t equalRows = 0;
    for (size_t t = 0; t < rows->size(); ++t) {
      double row =
          maxAbsDifference((*rows)[t].data(), &expected[t * vocab], vocab);
      worst = std::max(worst, row);
      equalRows += row <= 1e-3;
    }
    if (!GetParam().hasInt8Activations()) {
      EXPECT_LE(worst, 1e-3) << "chunk " << chunk;
      continue;
    }
    // An input within rounding errors of the middle between two codes may take
    // the other one, a step of 1/127 of its group's largest, which all later
    // tokens see. Rows before such a token are equal.
    EXPECT_GE(equalRows, rows->size() / 5) << "chunk " << chunk;
    EXPECT_LE(worst, 0.25) << "chunk " << chunk;
  }
}

TEST_P(QuantizedTest, IsCloseToTheModelAndSmaller) {
  Golden golden(GetParam().model);
  auto error = relativeError(*engine, golden, {"t41"});
  ASSERT_TRUE(error.isOk()) << error.getStatus().getMessage();
  // 45 and 22 dB of signal to noise in the weights (EncodingTest).
  bool isInt8 = findEncoding(GetParam().weights)->bits > 4;
  EXPECT_LE(*error, amplification * (isInt8 ? 0.0056 : 0.08));
  EXPECT_GE(*error, 1e-4) << "nothing was rounded";
  RecordProperty("relative_error", std::to_string(*error));
  CompileOptions plain = testOptions(checkpointPath(GetParam().model));
  plain.target = GetParam().target;
  auto dense = compileForTest(plain);
  ASSERT_TRUE(dense.isOk()) << dense.getStatus().getMessage();
  auto weightBytes = [](const std::string &file) {
    auto bundle = Bundle::open(file);
    EXPECT_TRUE(bundle.isOk());
    return bundle.isOk() ? bundle->getWeights().size() : 0;
  };
  EXPECT_LT(weightBytes(path), weightBytes(*dense));
}

static constexpr QuantizedCase cases[] = {
    {"qwen3-dense-tied-bf16", "int8"},
    {"qwen3-dense-tied-bf16", "q4"},
    {"qwen3-dense-tied-bf16", "q4-asymmetric"},
    {"qwen3-dense-tied-bf16", "q4-zero-point"},
    {"qwen3-dense-untied-f32-sharded", "int8"},
    {"qwen3-dense-untied-f32-sharded", "q4"},
    {"qwen3-moe-bf16-sharded", "int8"},
    {"qwen3-moe-bf16-sharded", "q4"},
    {"qwen3_5-dense-tied-bf16", "q4"},
    {"qwen3_6-moe-bf16", "int8"},
    {"qwen3_6-moe-bf16", "q4"},
    {"qwen3-moe-bf16-sharded", "q4", "cpu"},
    {"qwen3_6-moe-bf16", "q4-asymmetric", "cpu"},
    {"qwen3-dense-tied-bf16", "int8", "cpu", "int8"},
    {"qwen3-dense-tied-bf16", "q4", "cpu", "int8"},
    {"qwen3-dense-untied-f32-sharded", "q4-asymmetric", "cpu", "int8"},
    {"qwen3_6-moe-bf16", "q4", "cpu", "int8"},
    {"qwen3_6-moe-bf16", "q4-zero-point", "cpu", "int8"}};

static std::string nameOf(const testing::TestParamInfo<QuantizedCase> &info) {
  return toTestName(std::string(info.param.model) + "-" + info.param.weights +
                    "-" + info.param.target + "-" + info.param.activations);
}

INSTANTIATE_TEST_SUITE_P(Models, QuantizedTest, testing::ValuesIn(cases),
                         nameOf);
#ifdef QUERN_TEST_CUDA_LIBRARY
static std::vector<QuantizedCase> chooseCases() {
  std::vector<QuantizedCase> chosen;
  for (const QuantizedCase &entry : cases)
    if (std::string_view(entry.target) == "vulkan")
      chosen.push_back({entry.model, entry.weights, "cuda"});
  if (!testsEverything())
    chosen.resize(2);
  return chosen;
}

INSTANTIATE_TEST_SUITE_P(CUDA, QuantizedTest, testing::ValuesIn(chooseCases()),
                         nameOf);
#endif

/// f16 and bf16 weights of an f32 checkpoint.
TEST(ConvertedTest, SixteenBitWeights) {
  QUERN_REQUIRE_VULKAN();
  std::string model = "qwen3-dense-untied-f32-sharded";
  // Relative noise of rounding to 11 and to 8 bits.
  for (auto [weights, noise] : {std::pair("f16", 0.00014), {"bf16", 0.0011}}) {
    CompileOptions options = testOptions(checkpointPath(model));
    options.quantize.weights = weights;
    auto bundle = compileForTest(options);
    ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
    auto engine = loadForTest(*bundle);
    ASSERT_TRUE(engine.isOk()) << engine.getStatus().getMessage();
    auto error = relativeError(**engine, Golden(model), {"t41"});
    ASSERT_TRUE(error.isOk()) << error.getStatus().getMessage();
    EXPECT_LE(*error, amplification * noise) << weights;
    EXPECT_GE(*error, noise / 10) << weights << ": nothing was rounded";
  }
}
