//===- TargetDescriptionTest.cpp - Reading target descriptions ------------===//
#include "codegen/Targets/TargetDescription.h"

#include <gtest/gtest.h>

#include <fstream>

using namespace quern;

static std::string textOf(std::string_view name) {
  Result<TargetDescription> target = findTarget(name);
  EXPECT_TRUE(target.isOk()) << target.getStatus().getMessage();
  return target->text;
}

static std::string replace(std::string text, std::string_view from,
                           std::string_view to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

static std::string errorOf(const std::string &text) {
  Result<TargetDescription> target = parseTarget(text, "t.json");
  EXPECT_FALSE(target.isOk());
  return target.isOk() ? "" : target.getStatus().getMessage();
}

TEST(TargetDescription, AllBuiltInTargetsParse) {
  std::vector<std::string_view> names = listTargets();
  EXPECT_GE(names.size(), 5u);
  for (std::string_view name : names) {
    Result<TargetDescription> target = findTarget(name);
    ASSERT_TRUE(target.isOk()) << target.getStatus().getMessage();
    EXPECT_EQ(target->name, name);
  }
}

TEST(TargetDescription, NamesApisAndFiles) {
  Result<TargetDescription> generic = findTarget("vulkan");
  ASSERT_TRUE(generic.isOk());
  EXPECT_EQ(generic->name, "vulkan-generic");
  EXPECT_EQ(findTarget("vulkan-lavapipe")->subgroupSize, 8u);
  EXPECT_EQ(findTarget("vulkan-lavapipe")->readAccess, ReadAccess::Texel);

  std::string path = testing::TempDir() + "/mine.json";
  std::ofstream(path) << replace(textOf("vulkan-amd"), "\"vulkan-amd\"",
                                 "\"mine\"");
  Result<TargetDescription> mine = findTarget(path);
  ASSERT_TRUE(mine.isOk()) << mine.getStatus().getMessage();
  EXPECT_EQ(mine->name, "mine");
  EXPECT_EQ(mine->subgroupSize, 64u);
}

TEST(TargetDescription, CPUsHaveTheirOwnMembers) {
  Result<TargetDescription> cpu = findTarget("cpu");
  ASSERT_TRUE(cpu.isOk()) << cpu.getStatus().getMessage();
  EXPECT_EQ(cpu->name, "cpu-x86-64-v3");
  EXPECT_EQ(cpu->architecture, "x86_64");
  EXPECT_EQ(cpu->cpu, "x86-64-v3");
  std::string text = textOf("cpu-x86-64-v3");
  EXPECT_NE(errorOf(replace(text, "\"cpu\": \"x86-64-v3\"",
                            "\"spirv_version\": \"1.3\""))
                .find("cpu"),
            std::string::npos);
  EXPECT_EQ(errorOf(replace(text, "\"architecture\"",
                            "\"spirv_version\": \"1.3\", \"architecture\"")),
            "t.json: $.spirv_version: unknown member");
}

TEST(TargetDescription, UnknownNamesListWhatThereIs) {
  Result<TargetDescription> target = findTarget("metal");
  ASSERT_FALSE(target.isOk());
  EXPECT_EQ(target.getStatus().getCode(), StatusCode::NotFound);
  EXPECT_NE(target.getStatus().getMessage().find("vulkan-lavapipe"),
            std::string::npos);
  EXPECT_FALSE(findTarget("/nowhere/x.json").isOk());
}

TEST(TargetDescription, ErrorsNameTheMember) {
  std::string text = textOf("vulkan-lavapipe");
  EXPECT_NE(errorOf("{").find("t.json"), std::string::npos);
  EXPECT_NE(errorOf("[]").find("object"), std::string::npos);
  struct {
    std::string_view from, to, expected;
  } const mistakes[] = {
      {"\"subgroup_size\": 8", "\"subgroup_size\": 12", "$.subgroup_size"},
      {"\"subgroup_size\": 8", "\"subgroup_size\": \"8\"", "$.subgroup_size"},
      {"\"subgroup_size\": 8", "\"subgroups\": 8", "subgroup_size"},
      {"\"read_access\": \"texel\"", "\"read_access\": \"image\"",
       "$.read_access"},
      {"\"rows\": 8", "\"rows\": 64", "$.gemv.rows"},
      {"\"rows\": 8", "\"rows\": 4, \"extra\": 1", "$.gemv.extra"},
      {"\"api\": \"vulkan\"", "\"api\": \"metal\"", "$.api"},
      {"\"spirv_version\": \"1.3\"", "\"spirv_version\": \"1.0\"",
       "$.spirv_version"},
      {"[65535, 65535, 65535]", "[65535, 65535]", "$.max_grid"},
      {"\"preferred_compute\": \"f32\"", "\"preferred_compute\": \"f64\"",
       "$.preferred_compute"},
  };
  for (const auto &mistake : mistakes) {
    std::string error = errorOf(replace(text, mistake.from, mistake.to));
    EXPECT_NE(error.find(mistake.expected), std::string::npos) << error;
    EXPECT_EQ(error.find("t.json: "), 0u) << error;
  }
  std::string tooWide = replace(text, "\"max_workgroup_size\": 1024",
                                "\"max_workgroup_size\": 64");
  tooWide = replace(tooWide, "\"subgroups_per_workgroup\": 8",
                    "\"subgroups_per_workgroup\": 16");
  EXPECT_NE(errorOf(tooWide).find("$.subgroups_per_workgroup"),
            std::string::npos);
}
