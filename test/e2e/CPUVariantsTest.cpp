//===- CPUVariantsTest.cpp - Bundles with code for several CPUs -----------===//
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

using namespace quern;
using namespace quern::test;
using testing::HasSubstr;

namespace {

/// While it lives the CPU device has no more than these features.
class HiddenFeatures {
public:
  explicit HiddenFeatures(const char *kept) {
    ::setenv("QUERN_CPU_FEATURES", kept, 1);
  }
  ~HiddenFeatures() { ::unsetenv("QUERN_CPU_FEATURES"); }
};

} // namespace

static CompileOptions makeOptions(const std::string &target) {
  CompileOptions options =
      testOptions(std::string(QUERN_SOURCE_DIR) +
                  "/test/data/checkpoints/qwen3-dense-untied-f32-sharded");
  options.target = target;
  options.quantize.weights = "q4";
  return options;
}

static std::string nameOfCode(Engine &engine) {
  const auto *architecture = engine.getModel().getArchitecture();
  return architecture ? std::string(toView(architecture->name())) : "own";
}

static const std::vector<int32_t> prompt = {3, 14, 15, 92, 65, 35, 89, 79, 32};

/// A target whose variants differ in what they need: the first what no CPU has,
/// the second what this machine has, in code of its own.
static std::string writeTarget() {
  std::string path = testing::TempDir() + "/variants.json";
  std::ofstream(path) << R"({
    "extends": "cpu-x86-64-v3",
    "name": "cpu-test",
    "variants": [
      {"name": "best", "features": ["avxvnni", "avxifma"],
       "byte_dot": "vnni"},
      {"name": "plain", "cpu": "x86-64-v3", "byte_dot": "none"}
    ]
  })";
  return path;
}

#ifdef __x86_64__
TEST(CPUVariants, TheBestIsTaken) {
  auto bundle = compileForTest(makeOptions(writeTarget() + ":all"));
  ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  auto chosen = loadForTest(*bundle);
  if (!chosen.isOk() &&
      chosen.getStatus().getMessage().find("'x86-64-v3'") != std::string::npos)
    GTEST_SKIP() << "the CPU has no AVX2";
  ASSERT_TRUE(chosen.isOk()) << chosen.getStatus().getMessage();
  EXPECT_EQ(nameOfCode(**chosen), "plain");
  // Sums of products are exact, whatever the instructions.
  auto own = compileForTest(makeOptions("cpu-x86-64-v3"));
  ASSERT_TRUE(own.isOk()) << own.getStatus().getMessage();
  auto other = loadForTest(*own);
  ASSERT_TRUE(other.isOk()) << other.getStatus().getMessage();
  EXPECT_EQ(nameOfCode(**other), "own");
  auto found = promptLogits(**chosen, prompt);
  auto expected = promptLogits(**other, prompt);
  ASSERT_TRUE(found.isOk() && expected.isOk());
  EXPECT_EQ(*found, *expected);
}
#endif

TEST(CPUVariants, ErrorsNameWhatIsMissing) {
  auto bundle = compileForTest(makeOptions("cpu-x86-64-v3"));
  ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  HiddenFeatures hidden("");
  Status status = loadForTest(*bundle).getStatus();
  EXPECT_EQ(status.getCode(), StatusCode::Unsupported);
  EXPECT_THAT(
      status.getMessage(),
      HasSubstr("target 'cpu-x86-64-v3': it needs the feature 'x86-64-v3'"));
}

/// Code for another architecture is compiled here and refused here.
TEST(CPUVariants, OtherArchitecturesAreRefused) {
  CompileOptions options = makeOptions("cpu-aarch64");
  auto bundle = compileForTest(options);
  ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  HiddenFeatures hidden("x86-64-v3");
  Status status = loadForTest(*bundle).getStatus();
  EXPECT_EQ(status.getCode(), StatusCode::Unsupported);
  EXPECT_THAT(status.getMessage(),
              HasSubstr("target 'cpu-aarch64': it needs the feature 'neon'"));
}
