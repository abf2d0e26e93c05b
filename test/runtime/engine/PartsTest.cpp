//===- PartsTest.cpp - Random numbers, parameters, target choice ----------===//

#include "runtime/engine/Random.h"
#include "runtime/engine/TargetSelection.h"
#include "test/runtime/engine/FakeModel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

using namespace quern;
using namespace quern::test;
using testing::ElementsAre;
using testing::HasSubstr;

// The known answers of Random123 (kat_vectors, philox4x32 10).
TEST(Random, PhiloxKnownAnswers) {
  EXPECT_THAT(philox({0, 0, 0, 0}, {0, 0}),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                     {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(Random, UniformDependsOnEachPart) {
  std::set<float> values;
  for (uint64_t big : {uint64_t(0), uint64_t(1), uint64_t(1) << 32}) {
    values.insert(uniformAt(7 + big, 0, 0));
    values.insert(uniformAt(7, big, 0));
    values.insert(uniformAt(7, 0, big));
  }
  EXPECT_EQ(values.size(), 7u); // (7, 0, 0) came three times.
  double sum = 0;
  for (uint64_t position = 0; position != 4096; ++position) {
    float value = uniformAt(3, 1, position);
    ASSERT_TRUE(value >= 0 && value < 1);
    sum += value;
  }
  EXPECT_NEAR(sum / 4096, 0.5, 0.02);
}

TEST(SamplingParameters, RejectsEachValueOutOfRange) {
  EXPECT_TRUE(verifySamplingParameters({}).isOk());
  const float nan = std::nanf(""), infinity = INFINITY;
  auto expectBad = [](auto change, const char *name) {
    SamplingParameters parameters;
    change(parameters);
    Status status = verifySamplingParameters(parameters);
    EXPECT_EQ(status.getCode(), StatusCode::InvalidArgument);
    EXPECT_THAT(status.getMessage(), HasSubstr(name));
  };
  for (float bad : {nan, infinity, -infinity, -1.0f}) {
    expectBad([=](auto &p) { p.temperature = bad; }, "temperature");
    expectBad([=](auto &p) { p.topP = bad; }, "top_p");
    expectBad([=](auto &p) { p.minP = bad; }, "min_p");
    expectBad([=](auto &p) { p.repetitionPenalty = bad; },
              "repetition_penalty");
  }
  expectBad([](auto &p) { p.topP = 0; }, "top_p");
  expectBad([](auto &p) { p.topP = 1.0001f; }, "top_p");
  expectBad([](auto &p) { p.minP = 1.0001f; }, "min_p");
  expectBad([](auto &p) { p.repetitionPenalty = 0; }, "repetition_penalty");
  expectBad([](auto &p) { p.topK = -1; }, "top_k");
  SamplingParameters edges;
  edges.topK = INT64_MAX;
  edges.minP = 1;
  edges.seed = UINT64_MAX;
  EXPECT_TRUE(verifySamplingParameters(edges).isOk());
}

//===----------------------------------------------------------------------===//
// Targets and memory
//===----------------------------------------------------------------------===//

static DeviceInfo makeVulkanInfo() {
  DeviceInfo info;
  info.api = "vulkan";
  info.apiVersion = "1.2.100";
  info.name = "some GPU";
  info.features = {"storage16", "subgroup-arithmetic"};
  info.limits.minSubgroupSize = 8;
  info.limits.maxSubgroupSize = 32;
  info.limits.memoryBytes = uint64_t(1) << 30;
  info.limits.maxAllocationBytes = uint64_t(1) << 30;
  return info;
}

/// The status of choosing a target of a bundle made with `options`.
static Status choose(const FakeModelOptions &options, const DeviceInfo &device,
                     std::string_view name = "") {
  std::shared_ptr<const Bundle> bundle = openFakeBundle(options);
  return selectTarget(bundle->getManifest(), device, name).getStatus();
}

TEST(TargetSelection, NamesTheReason) {
  FakeModelOptions options;
  options.api = "cuda";
  EXPECT_THAT(choose(options, makeVulkanInfo()).getMessage(),
              HasSubstr("target 'fake': it was compiled for 'cuda'"));
  // The bundle's own check wants SPIR-V for "vulkan", so the device is changed.
  DeviceInfo info = makeVulkanInfo();
  info.api = "cuda";
  EXPECT_TRUE(choose(options, info).isOk());
  options.requiredFeatures = {"storage16", "cooperative-matrix"};
  Status status = choose(options, info);
  EXPECT_EQ(status.getCode(), StatusCode::Unsupported);
  EXPECT_THAT(status.getMessage(), HasSubstr("'cooperative-matrix'"));
  EXPECT_THAT(status.getMessage(), HasSubstr("'some GPU' (cuda 1.2.100)"));
  options.requiredFeatures = {"int8", "storage16", "cooperative-matrix"};
  EXPECT_THAT(choose(options, info).getMessage(),
              HasSubstr("it needs the features 'int8', 'cooperative-matrix'"));
  options.requiredFeatures = {};
  options.subgroupSize = 64;
  EXPECT_THAT(choose(options, info).getMessage(),
              HasSubstr("subgroup size of 64, the device has 8 to 32"));
  options.subgroupSize = 0;
  info.apiVersion = "0.9";
  EXPECT_THAT(choose(options, info).getMessage(),
              HasSubstr("needs version 1 of cuda"));
  status = choose(options, info, "other");
  EXPECT_EQ(status.getCode(), StatusCode::NotFound);
  EXPECT_THAT(status.getMessage(),
              HasSubstr("no target 'other', only: 'fake'"));
}

namespace {
class ArchitectureChoice {
public:
  explicit ArchitectureChoice(const char *api) {
    programs.target = std::make_unique<bundle::TargetT>();
    programs.target->name = programs.target->api = api;
  }

  void add(const char *name, std::vector<std::string> features) {
    auto architecture = std::make_unique<bundle::ArchitectureT>();
    architecture->name = name;
    architecture->required_features = std::move(features);
    programs.architectures.push_back(std::move(architecture));
  }

  std::optional<uint32_t> select(std::vector<std::string> features) const {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(bundle::TargetPrograms::Pack(builder, &programs));
    DeviceInfo info = makeVulkanInfo();
    info.features = std::move(features);
    return selectArchitecture(*flatbuffers::GetRoot<bundle::TargetPrograms>(
                                  builder.GetBufferPointer()),
                              info);
  }

private:
  bundle::TargetProgramsT programs;
};
} // namespace

/// A device takes code for exactly its architecture, and only of a driver that
/// reads it.
TEST(TargetSelection, ChoosesTheArchitecture) {
  ArchitectureChoice choice("cuda");
  auto select = [&](std::vector<std::string> features) {
    return choice.select(std::move(features));
  };
  EXPECT_EQ(select({"cubin-sm_80"}), std::nullopt);
  choice.add("sm_86", {"cubin-sm_86", "cuda-13"});
  choice.add("sm_90a", {"cubin-sm_90a", "cuda-13"});
  choice.add("empty", {});
  EXPECT_EQ(select({"sm_86", "cubin-sm_89", "cuda-13"}), std::nullopt);
  EXPECT_EQ(select({"cuda-12", "cuda-13", "cubin-sm_90a"}), 1u);
  EXPECT_EQ(select({"cuda-12", "cubin-sm_90a"}), std::nullopt);
  EXPECT_EQ(select({"cubin-sm_86", "cuda-13"}), 0u);
}

/// Of a CPU's variants the first that it runs, the best.
TEST(TargetSelection, ChoosesTheVariant) {
  ArchitectureChoice choice("cpu");
  choice.add("avx512vnni", {"x86-64-v3", "x86-64-v4", "avx512vnni"});
  choice.add("avxvnni", {"x86-64-v3", "avxvnni"});
  choice.add("avx512", {"x86-64-v3", "x86-64-v4"});
  EXPECT_EQ(choice.select({"x86-64-v3"}), std::nullopt);
  EXPECT_EQ(choice.select({"x86-64-v3", "x86-64-v4"}), 2u);
  EXPECT_EQ(choice.select({"x86-64-v3", "avxvnni"}), 1u);
  EXPECT_EQ(choice.select({"x86-64-v3", "x86-64-v4", "avx512vnni", "avxvnni"}),
            0u);
}

// Group 58: said with the numbers, before anything is allocated.
TEST(LoadedModel, TooLargeForTheDevice) {
  FakeModelOptions options;
  options.numPages = 1024; // Two caches of 128 KiB.
  NullDeviceOptions deviceOptions;
  deviceOptions.capacityBytes = 200 << 10;
  std::unique_ptr<NullDevice> device = makeFakeDevice(options, deviceOptions);
  Result<std::unique_ptr<LoadedModel>> model =
      LoadedModel::load(openFakeBundle(options), std::move(device));
  ASSERT_FALSE(model.isOk());
  EXPECT_EQ(model.getStatus().getCode(), StatusCode::ResourceExhausted);
  EXPECT_THAT(
      model.getStatus().getMessage(),
      testing::AllOf(HasSubstr("key-value cache 256.0 KiB (262144 bytes)"),
                     HasSubstr("4 slots, 1024 pages of 4 tokens, context 64"),
                     HasSubstr("the device has 200.0 KiB (204800 bytes)")));
}

TEST(LoadedModel, OneBufferTooLargeForTheDevice) {
  FakeModelOptions options;
  options.numPages = 1024;
  std::shared_ptr<const Bundle> bundle = openFakeBundle(options);
  DeviceInfo info = makeVulkanInfo();
  info.limits.maxAllocationBytes = 100 << 10;
  Status status = checkMemory(
      computeMemoryNeed(bundle->getManifest(), bundle->getTarget(0), 0),
      bundle->getManifest(), info);
  EXPECT_EQ(status.getCode(), StatusCode::ResourceExhausted);
  EXPECT_THAT(status.getMessage(),
              HasSubstr("state 'k_cache' needs one buffer of 128.0 KiB"));
}

// F8, F9: every allocation of the device fails once; nothing is left behind.
TEST(LoadedModel, EveryDeviceAllocationFails) {
  std::shared_ptr<const Bundle> bundle = openFakeBundle({});
  uint64_t n = 1;
  for (;; ++n) {
    ASSERT_LT(n, 100u);
    NullDeviceOptions options;
    options.failAllocation = n;
    Result<std::unique_ptr<LoadedModel>> model =
        LoadedModel::load(bundle, makeFakeDevice({}, options));
    if (model.isOk())
      break;
    EXPECT_EQ(model.getStatus().getCode(), StatusCode::ResourceExhausted);
    EXPECT_THAT(model.getStatus().getMessage(), HasSubstr(bundle->getName()));
  }
  EXPECT_GT(n, 10u); // Buffers, kernels and programs.
}

TEST(LoadedModel, CopiesWeightsWhereTheDeviceCannotImport) {
  NullDeviceOptions device;
  device.supportsImport = false;
  std::unique_ptr<Engine> copying = makeFakeEngine({}, device);
  EXPECT_TRUE(copying->getModel().areWeightsCopied());
  std::unique_ptr<Engine> importing = makeFakeEngine({});
  EXPECT_FALSE(importing->getModel().areWeightsCopied());
  EXPECT_EQ(copying->getModel().getDeviceBytes(),
            importing->getModel().getDeviceBytes() + 256);
}

// A device whose buffers are smaller than the weights together.
TEST(LoadedModel, CopiesWeightsIntoSeveralBuffers) {
  FakeModelOptions options;
  options.numWeights = 40;
  options.numPages = 16;
  NullDeviceOptions device;
  device.supportsImport = false;
  DeviceLimits limits = NullDevice().getInfo().limits;
  limits.maxAllocationBytes = 9000; // The weights are 10240 bytes.
  device.limits = limits;
  std::unique_ptr<Engine> engine = makeFakeEngine(options, device);
  EXPECT_TRUE(engine->getModel().areWeightsCopied());
  std::unique_ptr<Sequence> sequence = std::move(*engine->createSequence());
  std::vector<int32_t> prompt = makePrompt(3);
  struct : StepResults {
    int32_t token = -1;
    void onResult(size_t, size_t, int32_t chosen,
                  std::span<const float>) override {
      token = chosen;
    }
  } results;
  StepEntry entry{sequence.get(), prompt, ResultRows::Last, nullptr};
  ASSERT_TRUE(engine->run({&entry, 1}, results).isOk());
  EXPECT_EQ(results.token, continueGreedily(prompt, 1, 97)[0]);
}

TEST(LoadedModel, WarmsUpWithoutChangingAnything) {
  std::unique_ptr<Engine> engine = makeFakeEngine();
  ASSERT_TRUE(engine->getModel().warmUp(std::chrono::seconds(1)).isOk());
  NullDeviceOptions device;
  device.hangAtSubmit = 3;
  std::unique_ptr<Engine> hanging = makeFakeEngine({}, device);
  EXPECT_EQ(hanging->getModel().warmUp(std::chrono::seconds(1)).getCode(),
            StatusCode::DeadlineExceeded);
}

TEST(LoadedModel, SaysThatBuffersAreTooSmall) {
  FakeModelOptions options;
  options.numPages = 16;
  NullDeviceOptions device;
  device.supportsImport = false;
  DeviceLimits limits = NullDevice().getInfo().limits;
  limits.maxAllocationBytes = 100; // Less than any buffer of the model.
  device.limits = limits;
  Result<std::unique_ptr<LoadedModel>> model = LoadedModel::load(
      openFakeBundle(options), makeFakeDevice(options, device));
  ASSERT_FALSE(model.isOk());
  EXPECT_EQ(model.getStatus().getCode(), StatusCode::ResourceExhausted);
  EXPECT_THAT(model.getStatus().getMessage(), HasSubstr("100 bytes"));
}
