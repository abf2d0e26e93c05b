//===- PackedTest.cpp - Bundles of quantised checkpoints ------------------===//
//
// A checkpoint in FP8, GPTQ or AWQ and one of the numbers that it stands for
// must give the same bundle, or where the bundle keeps codes and scales, one
// that holds these very numbers.
//
//===----------------------------------------------------------------------===//
#include "frontend/HuggingFace/TensorData.h"
#include "frontend/Import.h"
#include "runtime/bundle/Manifest.h"
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"
#include "test/support/Expect.h"
#include "test/support/PackedCheckpoint.h"
#include "test/support/TempDir.h"
#include "tools/interpreter/ModelRunner.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace quern;
using namespace quern::test;

namespace {

constexpr const char *dense = "qwen3-dense-untied-f32-sharded";
constexpr const char *mixture = "qwen3-moe-bf16-sharded";

/// A quantised checkpoint and its twin of f32 numbers.
class PackedTest : public testing::Test {
protected:
  void SetUp() override { QUERN_REQUIRE_VULKAN(); }

  void write(const char *model, const PackFormat &format) {
    writePackedCheckpoint(model, format, packed.str(), decoded.str());
    twin = TestModel::open(decoded.str());
    ASSERT_TRUE(twin);
  }

  static std::string compile(const TempDir &folder, const char *quantize) {
    CompileOptions options = testOptions(folder.str());
    options.quantize.weights = quantize;
    auto path = compileForTest(options);
    EXPECT_TRUE(succeeds(path));
    return path.isOk() ? *path : "";
  }

  /// Bytes in the bundles of all weights of projections and experts are equal.
  void expectEqualBundles(const char *quantize, const char *ofTwin) {
    auto a = Bundle::open(compile(packed, quantize));
    auto b = Bundle::open(compile(decoded, ofTwin));
    ASSERT_TRUE(succeeds(a));
    ASSERT_TRUE(succeeds(b));
    const auto &weights = *a->getManifest().weights();
    ASSERT_EQ(weights.size(), b->getManifest().weights()->size());
    int compared = 0;
    for (uint32_t i = 0; i != weights.size(); ++i) {
      const bundle::Weight &mine = *weights[i];
      const bundle::Weight &other = *(*b->getManifest().weights())[i];
      ASSERT_EQ(toView(mine.name()), toView(other.name()));
      if (toView(mine.name()).find("_proj") == std::string_view::npos)
        continue;
      // Rows of no whole groups are kept, as f32 by the twin.
      if (findEncoding(quantize) && other.encoding() == bundle::Encoding::None)
        continue;
      ++compared;
      EXPECT_EQ(mine.encoding(), other.encoding());
      EXPECT_EQ(mine.dtype(), other.dtype());
      ASSERT_EQ(mine.size(), other.size());
      EXPECT_EQ(std::memcmp(&a->getWeights()[mine.offset()],
                            &b->getWeights()[other.offset()], mine.size()),
                0)
          << toView(mine.name());
    }
    EXPECT_GE(compared, 12);
  }

  /// The numbers of the sources of a weight, in the order of its packing.
  std::vector<float> expectedNumbers(const bundle::Weight &weight) {
    std::vector<std::vector<float>> sources;
    for (const auto *name : *weight.sources())
      sources.push_back(
          *readFloats(*twin->checkpoint.find(std::string(toView(name)))));
    std::vector<float> numbers;
    size_t columns = weight.shape()->Get(weight.shape()->size() - 1);
    if (toView(weight.packing()) != "interleave") {
      for (const std::vector<float> &source : sources)
        numbers.insert(numbers.end(), source.begin(), source.end());
      return numbers;
    }
    for (size_t pair = 0; pair + 1 < sources.size(); pair += 2)
      for (size_t at = 0; at < sources[pair].size(); at += columns)
        for (size_t i : {pair, pair + 1})
          numbers.insert(numbers.end(), &sources[i][at],
                         &sources[i][at] + columns);
    return numbers;
  }

  /// Weights in this encoding hold the numbers of the twin; how many.
  int expectExact(Encoding encoding) {
    auto bundle = Bundle::open(compile(packed, ""));
    EXPECT_TRUE(succeeds(bundle));
    if (!bundle.isOk())
      return 0;
    int found = 0;
    for (const auto *weight : *bundle->getManifest().weights()) {
      if (static_cast<Encoding>(weight->encoding()) != encoding)
        continue;
      ++found;
      size_t columns = weight->shape()->Get(weight->shape()->size() - 1);
      std::vector<float> expected = expectedNumbers(*weight);
      EncodedMatrix matrix(encoding, expected.size() / columns, columns);
      std::vector<float> numbers = matrix.decode(
          bundle->getWeights().subspan(weight->offset(), matrix.bytes()));
      EXPECT_EQ(numbers, expected) << toView(weight->name());
    }
    return found;
  }

  std::vector<std::vector<float>> logits(const std::string &path) {
    auto engine = loadForTest(path);
    EXPECT_TRUE(succeeds(engine));
    if (!engine.isOk())
      return {};
    auto rows = promptLogits(**engine, prompt, 7);
    EXPECT_TRUE(succeeds(rows));
    return rows.isOk() ? *rows : std::vector<std::vector<float>>();
  }

  std::vector<float> interpret(const TempDir &folder) {
    std::unique_ptr<TestModel> model = TestModel::open(folder.str());
    if (!model)
      return {};
    mlir::MLIRContext context;
    ImportReport report;
    auto module = importCheckpoint(context, model->config, model->checkpoint,
                                   {.contextLength = 256}, report);
    EXPECT_TRUE(mlir::succeeded(module));
    ModelRunner runner(**module, checkpointWeights(model->checkpoint));
    Step step;
    for (size_t i = 0; i < prompt.size(); ++i) {
      step.tokens.push_back({prompt[i], static_cast<int32_t>(i), 0});
      step.rows.push_back(static_cast<int32_t>(i));
    }
    auto result = runner.run(step);
    EXPECT_TRUE(mlir::succeeded(result));
    return mlir::succeeded(result) ? result->logits.floats
                                   : std::vector<float>();
  }

  const std::vector<int32_t> prompt = {5, 17, 256, 3, 99, 12, 301, 8, 44, 7};
  TempDir packed, decoded;
  std::unique_ptr<TestModel> twin;
};

struct ExactCase {
  const char *name;
  PackFormat format;
  Encoding encoding;
};

class ExactTest : public PackedTest,
                  public testing::WithParamInterface<ExactCase> {};

} // namespace

TEST_P(ExactTest, BundleHoldsTheNumbersOfTheCheckpoint) {
  write(dense, GetParam().format);
  // Of each layer q, k and v, the output, gate and up, and down.
  EXPECT_EQ(expectExact(GetParam().encoding), 3 * 4);
  // Another type is rounded from these numbers.
  expectEqualBundles("q4-asymmetric", "q4-asymmetric");
  // The interpreter computes with them.
  std::vector<float> expected = interpret(decoded);
  EXPECT_EQ(interpret(packed), expected);
  // So do devices.
  auto rows = logits(compile(packed, ""));
  ASSERT_EQ(rows.size(), prompt.size());
  size_t vocab = rows.front().size();
  for (size_t t = 0; t != rows.size(); ++t)
    EXPECT_LE(maxAbsDifference(rows[t].data(), &expected[t * vocab], vocab),
              1e-3);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, ExactTest,
    testing::Values(
        ExactCase{"Gptq4", {.method = "gptq"}, Encoding::Q4},
        ExactCase{
            "Gptq4OneGroup", {.method = "gptq", .groupSize = -1}, Encoding::Q4},
        ExactCase{"Gptq4Asymmetric",
                  {.method = "gptq", .isSymmetric = false},
                  Encoding::Q4ZeroPoint},
        ExactCase{"Gptq8", {.method = "gptq", .bits = 8}, Encoding::Int8},
        ExactCase{"Awq",
                  {.method = "awq", .isSymmetric = false},
                  Encoding::Q4ZeroPoint}),
    [](const auto &info) { return info.param.name; });

TEST_F(PackedTest, Fp8IsDecoded) {
  write(dense, {.method = "fp8", .scaleType = DataType::BF16});
  // The config says float32.
  expectEqualBundles("", "");
  expectEqualBundles("int8", "int8");
  EXPECT_EQ(interpret(packed), interpret(decoded));
  EXPECT_EQ(logits(compile(packed, "")), logits(compile(decoded, "")));
}

TEST_F(PackedTest, Fp8MixtureOfExperts) {
  write(mixture, {.method = "fp8",
                  .blockRows = 32,
                  .blockColumns = 40,
                  .scaleType = DataType::BF16});
  // The config says bfloat16, which does not hold what FP8 stands for.
  expectEqualBundles("", "bf16");
  expectEqualBundles("f32", "f32");
  expectEqualBundles("q4", "q4");
  EXPECT_EQ(logits(compile(packed, "f32")), logits(compile(decoded, "f32")));
}

TEST_F(PackedTest, ActOrderIsDecoded) {
  write(dense, {.method = "gptq", .hasActOrder = true});
  expectEqualBundles("", "");
  expectEqualBundles("q4", "q4");
  EXPECT_EQ(interpret(packed), interpret(decoded));
}

TEST_F(PackedTest, GptqMixtureOfExperts) {
  // One group of 64 inputs is exact, one of 48 is decoded.
  write(mixture, {.method = "gptq", .groupSize = -1});
  EXPECT_EQ(expectExact(Encoding::Q4), 4 * 3);
  expectEqualBundles("int8", "int8");
  expectEqualBundles("f32", "f32");
}
