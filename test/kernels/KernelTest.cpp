//===- KernelTest.cpp - Every kernel family against the reference ---------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "test/kernels/KernelRunner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace quern;
using namespace quern::test;

static TargetDescription loadTarget(std::string_view name) {
  Result<TargetDescription> target = findTarget(name);
  EXPECT_TRUE(target.isOk()) << target.getStatus().getMessage();
  return *target;
}

static bool isFor(const KernelCase &kernelCase,
                  const TargetDescription &target) {
  return kernelCase.subgroupSize == 0 ||
         kernelCase.subgroupSize == target.subgroupSize;
}

namespace {

class KernelTest : public testing::TestWithParam<NamedCase> {
protected:
  static KernelCompiler &getCompiler() {
    static KernelCompiler compiler;
    return compiler;
  }

  void compareOn(const TargetDescription &target);
};

} // namespace

void KernelTest::compareOn(const TargetDescription &target) {
  Result<Device *> device = getTestDevice(target.api);
  ASSERT_TRUE(device.isOk()) << device.getStatus().getMessage();
  for (const std::string &feature : target.requiredFeatures)
    if (!(*device)->getInfo().hasFeature(feature))
      GTEST_SKIP() << "the device has no " << feature;
  KernelCase kernelCase = GetParam().make();
  ASSERT_TRUE(isFor(kernelCase, target));
  Result<CompiledKernel> kernel =
      getCompiler().compile(kernelCase.request, target);
  ASSERT_TRUE(kernel.isOk()) << kernel.getStatus().getMessage();
  if (target.api == "vulkan") {
    Status valid = validateSpirv(kernel->code);
    ASSERT_TRUE(valid.isOk()) << valid.getMessage();
  }
  Result<std::vector<Tensor>> results =
      runKernel(**device, *kernel, kernelCase);
  ASSERT_TRUE(results.isOk()) << results.getStatus().getMessage();
  for (const auto &[argument, expected] : kernelCase.expected) {
    std::string difference = compareTensors((*results)[argument], expected);
    EXPECT_EQ(difference, "") << "argument " << argument;
  }
}

/// Runs on lavapipe, or on the device of QUERN_TEST_TARGET's description.
TEST_P(KernelTest, MatchesReference) {
  const char *name = std::getenv("QUERN_TEST_TARGET");
  compareOn(loadTarget(name ? name : "vulkan-lavapipe"));
}

/// The code for GPUs, which this machine can't run, is at least valid.
TEST_P(KernelTest, IsValidOnAllTargets) {
  KernelCase kernelCase = GetParam().make();
  for (std::string_view name : listTargets()) {
    TargetDescription target = loadTarget(name);
    if (target.api != "vulkan" || !isFor(kernelCase, target))
      continue;
    Result<CompiledKernel> kernel =
        getCompiler().compile(kernelCase.request, target);
    ASSERT_TRUE(kernel.isOk()) << name << kernel.getStatus().getMessage();
    Status valid = validateSpirv(kernel->code);
    EXPECT_TRUE(valid.isOk()) << name << ": " << valid.getMessage();
    EXPECT_EQ(kernel->accesses.size(), kernelCase.request.arguments.size());
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelTest, testing::ValuesIn(getKernelCases()),
                         [](const auto &info) { return info.param.name; });

namespace {
class CPUKernelTest : public KernelTest {};
} // namespace

/// Code of the target and of those of its variants that run here.
TEST_P(CPUKernelTest, MatchesReference) {
  TargetDescription target = loadTarget("cpu-x86-64-v3");
  compareOn(target);
  Result<Device *> device = getTestDevice(target.api);
  ASSERT_TRUE(device.isOk()) << device.getStatus().getMessage();
  for (const CPUVariant &variant : target.variants) {
    TargetDescription own = target.withVariant(variant);
    SCOPED_TRACE(variant.name);
    if (std::ranges::all_of(own.requiredFeatures, [&](const auto &feature) {
          return (*device)->getInfo().hasFeature(feature);
        }))
      compareOn(own);
  }
}

/// One in `step` of the cases of each family that the target has; where the
/// data or the code is large, one in `largeStep`.
static std::vector<NamedCase> selectCases(std::string_view name, unsigned step,
                                          unsigned largeStep) {
  TargetDescription target = loadTarget(name);
  std::map<std::string, unsigned, std::less<>> count;
  std::vector<NamedCase> cases;
  for (const NamedCase &entry : getKernelCases()) {
    bool isLarge = entry.family.find("attention") != std::string::npos ||
                   entry.family == "delta_chunk";
    if (count[entry.family]++ % (isLarge ? largeStep : step) == 0 &&
        isFor(entry.make(), target))
      cases.push_back(entry);
  }
  return cases;
}

// LLVM takes seconds for a large kernel.
INSTANTIATE_TEST_SUITE_P(All, CPUKernelTest,
                         testing::ValuesIn(selectCases("cpu-x86-64-v3", 3, 8)),
                         [](const auto &info) { return info.param.name; });

#ifdef QUERN_TEST_CUDA_LIBRARY
static bool isSet(const char *variable) {
  const char *value = std::getenv(variable);
  return value && std::string_view(value) == "1";
}

namespace {
class CUDAKernelTest : public KernelTest {};
} // namespace

/// On the GPU of this machine with QUERN_TEST_REAL_GPU=1 (tools/gpu-check.sh),
/// else on the test driver, which runs the PTX and finds races, accesses out of
/// bounds and reads of what was never written.
TEST_P(CUDAKernelTest, MatchesReference) {
  if (!isSet("QUERN_TEST_REAL_GPU"))
    ::setenv("QUERN_CUDA_LIBRARY", QUERN_TEST_CUDA_LIBRARY, 1);
  compareOn(loadTarget("cuda-sm_80"));
}

INSTANTIATE_TEST_SUITE_P(All, CUDAKernelTest,
                         testing::ValuesIn(isSet("QUERN_TEST_ALL")
                                               ? selectCases("cuda-sm_80", 1, 1)
                                               : selectCases("cuda-sm_80", 4,
                                                             8)),
                         [](const auto &info) { return info.param.name; });
#endif

namespace {
class Devices : public testing::Environment {
  void TearDown() override { closeTestDevices(); }
};
} // namespace

static testing::Environment *const devices =
    testing::AddGlobalTestEnvironment(new Devices);

TEST(KernelFamilies, EveryFamilyHasCases) {
  std::set<std::string, std::less<>> tested;
  for (const NamedCase &entry : getKernelCases())
    tested.insert(entry.family);
  for (const KernelFamily &family : getKernelFamilies())
    EXPECT_TRUE(tested.contains(family.name)) << family.name;
}
