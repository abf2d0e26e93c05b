//===- HiddenStatesTest.cpp - The residual stream on the device -----------===//
//
// Compiles without sharing of intermediates, runs one prefill step and reads
// the residual stream after every layer from the arena. A failure names the
// first layer that differs from the reference.
//
//===----------------------------------------------------------------------===//
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"
#include "test/support/Golden.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace quern;
using namespace quern::test;

/// Hidden states of the reference are within 2e-5 of f64.
static constexpr double kHiddenTolerance = 1e-4;

/// The arena ranges that hold the stream after 0, 1, ... layers: what the
/// embedding gave, and the last sum of each layer. All layers add equally often
/// (attention, MLP or experts, shared expert).
static std::vector<const bundle::Binding *>
findResidualStream(const bundle::TargetPrograms &target,
                   const bundle::Program &program, size_t layers) {
  std::vector<const bundle::Binding *> stream, sums;
  for (const bundle::Dispatch *dispatch : *program.dispatches()) {
    std::string_view kernel =
        toView(target.kernels()->Get(dispatch->kernel())->request());
    const auto &bindings = *dispatch->bindings();
    if (kernel.starts_with("embedding"))
      stream.push_back(bindings.Get(2));
    else if (kernel.starts_with("add_rms_norm"))
      sums.push_back(bindings.Get(3));
    else if (kernel.starts_with("residual_add"))
      sums.push_back(bindings.Get(2));
  }
  EXPECT_EQ(sums.size() % layers, 0u);
  size_t perLayer = std::max<size_t>(1, sums.size() / layers);
  for (size_t at = perLayer; at <= sums.size(); at += perLayer)
    stream.push_back(sums[at - 1]);
  return stream;
}

/// Where the routers put the chosen experts, in the order of the layers.
static std::vector<const bundle::Binding *>
findChosenExperts(const bundle::TargetPrograms &target,
                  const bundle::Program &program) {
  std::vector<const bundle::Binding *> choices;
  for (const bundle::Dispatch *dispatch : *program.dispatches())
    if (toView(target.kernels()->Get(dispatch->kernel())->request())
            .starts_with("router"))
      choices.push_back(dispatch->bindings()->Get(1));
  return choices;
}

/// Compares the experts that each token of t41 was sent to.
static void checkChosenExperts(LoadedModel &device,
                               const LoadedProgram &prefill,
                               const Golden &golden) {
  auto choices = findChosenExperts(device.getTarget(), *prefill.description);
  size_t compared = 0;
  for (size_t layer = 0; layer < device.getModel().num_hidden_layers();
       ++layer) {
    std::string key = "t41.layer" + std::to_string(layer) + ".router_experts";
    if (!golden.has(key))
      continue;
    ASSERT_LT(compared, choices.size());
    std::vector<int32_t> expected = golden.integers(key);
    std::vector<int32_t> found(expected.size());
    Status status = device.getDevice().download(
        device.getArena(), choices[compared++]->offset(),
        std::as_writable_bytes(std::span(found)));
    ASSERT_TRUE(status.isOk()) << status.getMessage();
    EXPECT_EQ(found, expected) << "layer " << layer;
  }
  EXPECT_EQ(compared, choices.size());
}

namespace {

struct Ignore : StepResults {
  void onResult(size_t, size_t, int32_t, std::span<const float>) override {}
};

class HiddenStatesTest : public testing::TestWithParam<const char *> {};

} // namespace

TEST_P(HiddenStatesTest, EveryLayerAgrees) {
  QUERN_REQUIRE_VULKAN();
  std::string model = GetParam();
  for (bool fuse : {true, false}) {
    CompileOptions options = testOptions(std::string(QUERN_SOURCE_DIR) +
                                         "/test/data/checkpoints/" + model);
    options.keepIntermediates = true;
    options.fuse = fuse;
    auto path = compileForTest(options);
    ASSERT_TRUE(path.isOk()) << path.getStatus().getMessage();
    auto loaded = loadForTest(*path);
    ASSERT_TRUE(loaded.isOk()) << loaded.getStatus().getMessage();
    Engine &engine = **loaded;
    Golden golden(model);
    std::vector<int32_t> ids = golden.integers("t41.input_ids");
    auto sequence = engine.createSequence();
    ASSERT_TRUE(sequence.isOk());
    StepEntry entry{sequence->get(), ids, ResultRows::None, nullptr};
    Ignore ignore;
    Status status = engine.run({&entry, 1}, ignore);
    ASSERT_TRUE(status.isOk()) << status.getMessage();

    LoadedModel &device = engine.getModel();
    const LoadedProgram *prefill =
        device.getProgram(bundle::ProgramKind::Prefill);
    ASSERT_NE(prefill, nullptr);
    size_t layers = device.getModel().num_hidden_layers();
    auto stream =
        findResidualStream(device.getTarget(), *prefill->description, layers);
    ASSERT_EQ(stream.size(), layers + 1);
    for (size_t layer = 0; layer <= layers; ++layer) {
      std::vector<float> expected =
          golden.floats("t41.hidden." + std::to_string(layer));
      std::vector<float> found(expected.size());
      status = device.getDevice().download(
          device.getArena(), stream[layer]->offset(),
          std::as_writable_bytes(std::span(found)));
      ASSERT_TRUE(status.isOk()) << status.getMessage();
      ASSERT_LE(maxAbsDifference(found.data(), expected.data(), found.size()),
                kHiddenTolerance)
          << model << ": the first layer that differs is "
          << (layer == 0 ? "the embedding"
                         : "layer " + std::to_string(layer - 1))
          << (fuse ? ", fused" : ", not fused");
    }
    ASSERT_NO_FATAL_FAILURE(checkChosenExperts(device, *prefill, golden));
  }
}

static std::string nameOf(const testing::TestParamInfo<const char *> &info) {
  return toTestName(info.param);
}

INSTANTIATE_TEST_SUITE_P(Qwen3, HiddenStatesTest,
                         testing::ValuesIn(goldenModels), nameOf);
INSTANTIATE_TEST_SUITE_P(Hybrids, HiddenStatesTest,
                         testing::ValuesIn(hybridModels), nameOf);
