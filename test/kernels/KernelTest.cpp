//===- KernelTest.cpp - Every kernel family against the reference ---------===//
#include "codegen/Kernels/KernelFamilies.h"
#include "test/kernels/KernelRunner.h"

#include <gtest/gtest.h>

#include <set>

using namespace quern;
using namespace quern::test;

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
};

} // namespace

/// Runs on lavapipe, or on the device of QUERN_TEST_TARGET's description.
TEST_P(KernelTest, MatchesReference) {
  const char *name = std::getenv("QUERN_TEST_TARGET");
  TargetDescription target = loadTarget(name ? name : "vulkan-lavapipe");
  KernelCase kernelCase = GetParam().make();
  Result<CompiledKernel> kernel =
      getCompiler().compile(kernelCase.request, target);
  ASSERT_TRUE(kernel.isOk()) << kernel.getStatus().getMessage();
  Status valid = validateSpirv(kernel->code);
  ASSERT_TRUE(valid.isOk()) << valid.getMessage();

  Result<Device *> device = getTestDevice();
  ASSERT_TRUE(device.isOk()) << device.getStatus().getMessage();
  Result<std::vector<Tensor>> results =
      runKernel(**device, *kernel, kernelCase);
  ASSERT_TRUE(results.isOk()) << results.getStatus().getMessage();
  for (const auto &[argument, expected] : kernelCase.expected) {
    std::string difference = compareTensors((*results)[argument], expected);
    EXPECT_EQ(difference, "") << "argument " << argument;
  }
}

/// The code for GPUs, which this machine can't run, is at least valid.
TEST_P(KernelTest, IsValidOnAllTargets) {
  KernelCase kernelCase = GetParam().make();
  for (std::string_view name : listTargets()) {
    Result<CompiledKernel> kernel =
        getCompiler().compile(kernelCase.request, loadTarget(name));
    ASSERT_TRUE(kernel.isOk()) << name << kernel.getStatus().getMessage();
    Status valid = validateSpirv(kernel->code);
    EXPECT_TRUE(valid.isOk()) << name << ": " << valid.getMessage();
    EXPECT_EQ(kernel->accesses.size(), kernelCase.request.arguments.size());
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelTest, testing::ValuesIn(getKernelCases()),
                         [](const auto &info) { return info.param.name; });

TEST(KernelFamilies, EveryFamilyHasCases) {
  std::set<std::string, std::less<>> tested;
  for (const NamedCase &entry : getKernelCases())
    tested.insert(entry.family);
  for (const KernelFamily &family : getKernelFamilies())
    EXPECT_TRUE(tested.contains(family.name)) << family.name;
}
