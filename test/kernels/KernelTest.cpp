//===- KernelTest.cpp - Every kernel family against the reference ---------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "test/kernels/KernelRunner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace quern;
using namespace quern::test;

static bool isSet(const char *variable) {
  const char *value = std::getenv(variable);
  return value && std::string_view(value) == "1";
}

static constexpr const char *targetVariable = "QUERN_TEST_TARGET";
static std::string getTarget() {
  const char *name = std::getenv(targetVariable);
  return name ? name : "vulkan-lavapipe";
}

static TargetDescription loadTarget(std::string_view name) {
  Result<TargetDescription> target = findTarget(name);
  EXPECT_TRUE(target.isOk()) << target.getStatus().getMessage();
  return *target;
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
  ASSERT_TRUE(kernelCase.fit(target));
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

/// Whether to leave nothing out, which takes an hour.
static bool testsEverything() { return isSet("QUERN_TEST_ALL"); }

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
    bool isChosen = count[entry.family]++ % (isLarge ? largeStep : step) == 0 ||
                    testsEverything();
    if (isChosen && entry.make().fit(target))
      cases.push_back(entry);
  }
  return cases;
}

/// Cases whose kernels multiply tiles, which only many tokens do.
static std::vector<NamedCase> selectTileCases() {
  constexpr unsigned step = 3;
  TargetDescription target = loadTarget("cpu-x86-64-amx");
  std::vector<NamedCase> cases;
  unsigned count = 0;
  for (const NamedCase &entry : getKernelCases()) {
    if (entry.family != "linear" && entry.family != "integer_linear")
      continue;
    KernelCase kernelCase = entry.make();
    if (kernelCase.panelWeights.empty() || !kernelCase.fit(target) ||
        kernelCase.arguments[0].shape[0] < 16)
      continue;
    if (count++ % step == 0 || testsEverything())
      cases.push_back(entry);
  }
  return cases;
}

static std::string getName(const testing::TestParamInfo<NamedCase> &info) {
  return info.param.name;
}

/// Runs on lavapipe, or on the device of QUERN_TEST_TARGET's description.
TEST_P(KernelTest, MatchesReference) { compareOn(loadTarget(getTarget())); }

INSTANTIATE_TEST_SUITE_P(All, KernelTest,
                         testing::ValuesIn(std::getenv(targetVariable)
                                               ? selectCases(getTarget(), 1, 1)
                                               : selectCases(getTarget(), 2,
                                                             3)),
                         getName);

namespace {
class KernelCodeTest : public KernelTest {};
} // namespace

/// The code for GPUs, which this machine can't run, is at least valid.
TEST_P(KernelCodeTest, IsValidOnAllTargets) {
  for (std::string_view name : listTargets()) {
    TargetDescription target = loadTarget(name);
    KernelCase kernelCase = GetParam().make();
    if (target.api != "vulkan" || !kernelCase.fit(target))
      continue;
    Result<CompiledKernel> kernel =
        getCompiler().compile(kernelCase.request, target);
    ASSERT_TRUE(kernel.isOk()) << name << kernel.getStatus().getMessage();
    Status valid = validateSpirv(kernel->code);
    EXPECT_TRUE(valid.isOk()) << name << ": " << valid.getMessage();
    EXPECT_EQ(kernel->accesses.size(), kernelCase.request.arguments.size());
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelCodeTest,
                         testing::ValuesIn(selectCases("vulkan-generic", 4, 8)),
                         getName);

namespace {
class CPUKernelTest : public KernelTest {
protected:
  void compareVariants(const TargetDescription &target);
};
} // namespace

/// Code of the target, and of the first of its variants that runs here, which
/// is what a bundle would take; if everything is tested, of all that run here.
void CPUKernelTest::compareVariants(const TargetDescription &target) {
  compareOn(target);
  Result<Device *> device = getTestDevice(target.api);
  ASSERT_TRUE(device.isOk()) << device.getStatus().getMessage();
  for (const CodeVariant &variant : target.variants) {
    TargetDescription own = target.withVariant(variant);
    SCOPED_TRACE(variant.name);
    if (!std::ranges::all_of(own.requiredFeatures, [&](const auto &feature) {
          return (*device)->getInfo().hasFeature(feature);
        }))
      continue;
    compareOn(own);
    if (!testsEverything())
      break;
  }
}

TEST_P(CPUKernelTest, MatchesReference) {
  compareVariants(loadTarget("cpu-x86-64-v3"));
}

// LLVM takes seconds for a large kernel.
INSTANTIATE_TEST_SUITE_P(All, CPUKernelTest,
                         testing::ValuesIn(selectCases("cpu-x86-64-v3", 4, 12)),
                         getName);

namespace {
class WideCPUKernelTest : public CPUKernelTest {};
} // namespace

TEST_P(WideCPUKernelTest, MatchesReference) {
  compareVariants(loadTarget("cpu-x86-64-v4"));
}

INSTANTIATE_TEST_SUITE_P(All, WideCPUKernelTest,
                         testing::ValuesIn(selectCases("cpu-x86-64-v4", 6, 16)),
                         getName);

namespace {
class TileCPUKernelTest : public CPUKernelTest {};
} // namespace

/// What differs from the target without tiles.
TEST_P(TileCPUKernelTest, MatchesReference) {
  compareVariants(loadTarget("cpu-x86-64-amx"));
}

INSTANTIATE_TEST_SUITE_P(All, TileCPUKernelTest,
                         testing::ValuesIn(selectTileCases()), getName);

#ifdef QUERN_TEST_CUDA_LIBRARY
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
                         testing::ValuesIn(selectCases("cuda-sm_80", 4, 8)),
                         getName);
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
