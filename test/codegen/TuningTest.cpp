//===- TuningTest.cpp - Schedules for single kernels ----------------------===//
#include "codegen/Tuning.h"

#include "codegen/KernelCompiler.h"

#include <gtest/gtest.h>

#include <set>

using namespace quern;

static KernelRequest makeLinear(int64_t outputs) {
  return {"linear_1",
          "linear",
          {{ArgumentEffect::Read, DataType::F32, {1, 64}},
           {ArgumentEffect::Read, DataType::BF16, {outputs, 64}},
           {ArgumentEffect::Write, DataType::F32, {1, outputs}}},
          {{"epilogue", std::string("none")}, {"scale", 0.5}}};
}

static const std::string text =
    "linear(read F32[1,64], read BF16[48,64], write F32[1,48]) "
    "{epilogue=none, scale=0.5}";

static std::string makeFile(const std::string &kernels,
                            const std::string &target = "vulkan-generic") {
  return R"({"target": ")" + target + R"(", "device": "GPU", "kernels": )" +
         kernels + "}";
}

static std::string errorOf(const std::string &json) {
  Result<Tuning> tuning =
      Tuning::parse(json, "t.json", *findTarget("vulkan-generic"));
  EXPECT_FALSE(tuning.isOk()) << json;
  return tuning.isOk() ? "" : tuning.getStatus().getMessage();
}

TEST(Tuning, RequestsAreKnownByWhatTheyAskFor) {
  KernelRequest request = makeLinear(48);
  EXPECT_EQ(describeRequest(request), text);
  request.name = "other";
  EXPECT_EQ(describeRequest(request), text);
  request.arguments[1].encoding = Encoding::Q4;
  EXPECT_EQ(describeRequest(request),
            "linear(read F32[1,64], read q4[48,64], write F32[1,48]) "
            "{epilogue=none, scale=0.5}");
}

TEST(Tuning, ChangesOnlyTheKernelsThatItNames) {
  TargetDescription target = *findTarget("vulkan-generic");
  Result<Tuning> tuning =
      Tuning::parse(makeFile("{\"" + text + R"(": {"gemv": {"rows": 16}}})"),
                    "t.json", target);
  ASSERT_TRUE(tuning.isOk()) << tuning.getStatus().getMessage();
  ASSERT_NE(target.gemvRows, 16u);
  const TargetDescription *changed = tuning->find(makeLinear(48));
  ASSERT_NE(changed, nullptr);
  EXPECT_EQ(changed->gemvRows, 16u);
  EXPECT_EQ(changed->gemmTokens, target.gemmTokens);
  EXPECT_EQ(changed->name, target.name);
  EXPECT_EQ(tuning->find(makeLinear(64)), nullptr);
}

/// Variants come from the command line, not from the file.
TEST(Tuning, KeepsWhatWasChosen) {
  TargetDescription target = *findTarget("cpu-x86-64-v3:avxvnni");
  Result<TargetDescription> changed = changeSchedule(target, R"({"panels":
                   {"tokens": 2, "width": 2, "streams": 1, "prefetch": 0}})");
  ASSERT_TRUE(changed.isOk()) << changed.getStatus().getMessage();
  EXPECT_EQ(changed->panelStreams, 1u);
  ASSERT_EQ(changed->variants.size(), 1u);
  EXPECT_EQ(changed->variants.front().name, "avxvnni");
}

TEST(Tuning, RefusesBadFiles) {
  EXPECT_EQ(errorOf(makeFile("{}", "cpu-x86-64-v3")),
            "t.json: it is for target 'cpu-x86-64-v3', not 'vulkan-generic'");
  EXPECT_EQ(errorOf(makeFile(R"({"a": {"subgroup_size": 64}})")),
            "t.json: $.kernels.a: 'subgroup_size' can't differ between "
            "kernels of a bundle");
  EXPECT_NE(
      errorOf(makeFile(R"({"a": {"gemv": {"rows": 3}}})")).find("$.gemv.rows"),
      std::string::npos);
  EXPECT_NE(errorOf(makeFile(R"({"a": 1})")).find("$.kernels.a"),
            std::string::npos);
  EXPECT_NE(errorOf(makeFile("[]")).find("$.kernels"), std::string::npos);
  EXPECT_NE(errorOf("{}").find("target"), std::string::npos);
  EXPECT_NE(errorOf(R"({"target": "vulkan-generic", "kernel": {}})")
                .find("$.kernel: unknown member"),
            std::string::npos);
  EXPECT_NE(errorOf("{").find("t.json: "), std::string::npos);
}

/// Every candidate is a target, and none the target itself.
TEST(Tuning, CandidatesAreTargets) {
  for (std::string_view name : listTargets()) {
    TargetDescription target = *findTarget(name);
    std::vector<ScheduleCandidate> candidates = getCandidates(target);
    EXPECT_GT(candidates.size(), 10u) << name;
    std::set<std::string> seen;
    for (const ScheduleCandidate &candidate : candidates) {
      Result<TargetDescription> changed =
          changeSchedule(target, candidate.members);
      EXPECT_TRUE(changed.isOk())
          << name << candidate.members << changed.getStatus().getMessage();
      EXPECT_TRUE(
          seen.insert(candidate.families.front() + candidate.members).second)
          << name << candidate.members;
    }
  }
}

/// The schedule reaches the code.
TEST(Tuning, ChangesCode) {
  TargetDescription target = *findTarget("vulkan-generic");
  Result<TargetDescription> changed =
      changeSchedule(target, R"({"gemv": {"rows": 2}})");
  ASSERT_TRUE(changed.isOk());
  KernelCompiler compiler;
  Result<CompiledKernel> before = compiler.compile(makeLinear(48), target),
                         after = compiler.compile(makeLinear(48), *changed);
  ASSERT_TRUE(before.isOk() && after.isOk());
  EXPECT_NE(before->code, after->code);
}
