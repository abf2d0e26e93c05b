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

TEST(TargetDescription, MatrixUnitsFitTheWorkgroupMemory) {
  EXPECT_EQ(findTarget("cpu")->mmaTokens, 0u);
  EXPECT_EQ(findTarget("vulkan-nvidia")->mmaTokens, 0u);
  // Targets inherit them, and those that do not name them have none.
  Result<TargetDescription> hopper = findTarget("cuda-sm_90a");
  EXPECT_EQ(hopper->mmaTokens, 128u);
  EXPECT_EQ(hopper->multiprocessors, 132u);
  std::string text = textOf("cuda-sm_80");
  std::string member = "\"mma\": {\"tokens\": 128, \"rows\": 128, "
                       "\"stages\": 3},";
  Result<TargetDescription> without =
      parseTarget(replace(text, member, ""), "t.json");
  ASSERT_TRUE(without.isOk()) << without.getStatus().getMessage();
  EXPECT_EQ(without->mmaTokens, 0u);
  EXPECT_EQ(errorOf(replace(text, "\"stages\": 3", "\"stages\": 4")),
            "t.json: $.mma: 4 stages take 65536 bytes, more than "
            "max_workgroup_memory 49152");
  EXPECT_NE(errorOf(replace(text, member, "\"mma\": {\"tokens\": 128},"))
                .find("$.mma"),
            std::string::npos);
}

static std::vector<std::string> namesOf(const TargetDescription &target) {
  std::vector<std::string> names;
  for (const CodeVariant &variant : target.variants)
    names.push_back(variant.name);
  return names;
}

static std::vector<std::string> namesOf(std::string_view spec) {
  Result<TargetDescription> target = findTarget(spec);
  EXPECT_TRUE(target.isOk()) << target.getStatus().getMessage();
  return namesOf(*target);
}

TEST(TargetDescription, CPUsHaveVariants) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(namesOf("cpu:base"), Names{});
  EXPECT_EQ(namesOf("cpu:all"), namesOf("cpu"));
  // In the order of the target, whatever the order they are named in.
  EXPECT_EQ(namesOf("cpu-x86-64-v3:avx512,avx512vnni"),
            (Names{"avx512vnni", "avx512"}));
  for (const char *bad : {"cpu:", "cpu:avx", "cpu:avx512,", "cpu:avx512,all"})
    EXPECT_EQ(findTarget(bad).getStatus().getCode(), StatusCode::NotFound)
        << bad;
  EXPECT_EQ(findTarget("cpu:avx").getStatus().getMessage(),
            "target 'cpu' has no variant 'avx': expected some of avx512vnni, "
            "avxvnniint8, avxvnni, avx512, or all, or base");
  EXPECT_EQ(findTarget("cpu:avx512,avx512").getStatus().getCode(),
            StatusCode::InvalidArgument);
  EXPECT_EQ(findTarget("vulkan:all").getStatus().getCode(),
            StatusCode::InvalidArgument);
}

TEST(TargetDescription, VariantsSayWhatTheyNeed) {
  using Names = std::vector<std::string>;
  TargetDescription base = *findTarget("cpu-x86-64-v3:avx512vnni");
  TargetDescription target = base.withVariant(base.variants.front());
  EXPECT_EQ(target.cpu, "x86-64-v4");
  EXPECT_EQ(target.cpuFeatures, Names{"avx512vnni"});
  EXPECT_EQ(target.requiredFeatures,
            (Names{"x86-64-v3", "x86-64-v4", "avx512vnni"}));
  EXPECT_EQ(target.byteDot, ByteDot::Vnni);
  EXPECT_EQ(target.subgroupSize, base.subgroupSize);
  base = *findTarget("cpu-x86-64-v3:avxvnni");
  target = base.withVariant(base.variants.front());
  EXPECT_EQ(target.cpu, "x86-64-v3");
  EXPECT_EQ(target.requiredFeatures, (Names{"x86-64-v3", "avxvnni"}));
}

TEST(TargetDescription, RefusesBadVariants) {
  auto change = [](std::string_view variants) {
    return errorOf(R"({"extends": "cpu-x86-64-v3", "variants": )" +
                   std::string(variants) + "}");
  };
  EXPECT_NE(change("{}").find("$.variants"), std::string::npos);
  EXPECT_NE(change("[1]").find("$.variants[0]"), std::string::npos);
  EXPECT_NE(change(R"([{"name": "a"}])").find("byte_dot"), std::string::npos);
  EXPECT_NE(change(R"([{"name": "a", "byte_dot": "avx"}])")
                .find("$.variants[0].byte_dot"),
            std::string::npos);
  EXPECT_NE(change(R"([{"name": "a", "byte_dot": "vnni", "lanes": 16}])")
                .find("$.variants[0].lanes"),
            std::string::npos);
  // GPUs have none of it.
  EXPECT_NE(errorOf(R"({"extends": "cuda-sm_80", "variants":
                        [{"name": "sm_80", "byte_dot": "vnni"}]})")
                .find("$.variants[0].byte_dot"),
            std::string::npos);
  EXPECT_EQ(change(R"([{"name": "a", "byte_dot": "vnni"},
                       {"name": "a", "byte_dot": "avx2"}])"),
            "t.json: $.variants: two of them are called 'a'");
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

/// An extension has what it says and all else of what it extends.
TEST(TargetDescription, TargetsExtendOthers) {
  Result<TargetDescription> base = findTarget("cuda-sm_80");
  Result<TargetDescription> ada = findTarget("cuda-sm_89");
  ASSERT_TRUE(base.isOk() && ada.isOk());
  EXPECT_EQ(ada->name, "cuda-sm_89");
  EXPECT_EQ(namesOf(*ada), std::vector<std::string>{"sm_89"});
  EXPECT_EQ(ada->cpu, base->cpu);
  EXPECT_EQ(ada->subgroupSize, 32u);
  EXPECT_NE(ada->memoryBandwidth, base->memoryBandwidth);
  // Its text stands for itself.
  EXPECT_EQ(ada->text.find("extends"), std::string::npos);
  Result<TargetDescription> again = parseTarget(ada->text, "again");
  ASSERT_TRUE(again.isOk()) << again.getStatus().getMessage();
  EXPECT_EQ(again->memoryBandwidth, ada->memoryBandwidth);

  Result<TargetDescription> mine = parseTarget(
      R"({"extends": "cuda-sm_89", "name": "mine", "gemv": {"rows": 8}})",
      "t.json");
  ASSERT_TRUE(mine.isOk()) << mine.getStatus().getMessage();
  EXPECT_EQ(mine->name, "mine");
  EXPECT_EQ(mine->gemvRows, 8u);
  EXPECT_EQ(mine->memoryBandwidth, ada->memoryBandwidth);
}

TEST(TargetDescription, RefusesBadExtensions) {
  EXPECT_EQ(errorOf(R"({"extends": "cuda-sm_1"})"),
            "t.json: $.extends: no built-in target 'cuda-sm_1'");
  EXPECT_NE(errorOf(R"({"extends": 7})").find("$.extends"), std::string::npos);
  EXPECT_NE(errorOf(R"({"extends": "cuda-sm_80", "gemv": {"row": 8}})")
                .find("$.gemv"),
            std::string::npos);
  EXPECT_NE(
      errorOf(R"({"extends": "cuda-sm_80", "cubins": []})").find("$.cubins"),
      std::string::npos);
}

TEST(TargetDescription, CudaListsArchitectures) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(findTarget("cuda")->name, "cuda-sm_80");
  EXPECT_GE(namesOf("cuda").size(), 6u);
  Result<TargetDescription> hopper = findTarget("cuda:sm_90a");
  ASSERT_TRUE(hopper.isOk()) << hopper.getStatus().getMessage();
  EXPECT_EQ(hopper->name, "cuda-sm_90a");
  EXPECT_EQ(namesOf(*hopper), Names{"sm_90a"});
  // Beside PTX for all since Ampere one with instructions of its own.
  EXPECT_EQ(hopper->cpu, "sm_80");
  TargetDescription own = hopper->withVariant(hopper->variants.front());
  EXPECT_EQ(own.cpu, "sm_90a");
  EXPECT_EQ(own.requiredFeatures, (Names{"sm_80", "sm_90a"}));
  Result<TargetDescription> two = findTarget("cuda:sm_80,sm_120a");
  ASSERT_TRUE(two.isOk()) << two.getStatus().getMessage();
  EXPECT_EQ(two->name, "cuda-sm_80");
  EXPECT_EQ(namesOf(*two), (Names{"sm_80", "sm_120a"}));
  for (const char *bad : {"cuda:", "cuda:sm_75", "cuda:sm_80,", "cuda:,sm_80",
                          "cuda:sm_80,generic", "cuda:sm_80 sm_86"}) {
    Status status = findTarget(bad).getStatus();
    EXPECT_EQ(status.getCode(), StatusCode::NotFound) << bad;
    EXPECT_NE(status.getMessage().find("cuda-sm_90a"), std::string::npos);
  }
  EXPECT_EQ(findTarget("cuda:sm_80,sm_80").getStatus().getCode(),
            StatusCode::InvalidArgument);
}

/// Each architecture for which the default target makes code has a target file
/// of its own, for that alone.
TEST(TargetDescription, EachArchitectureHasItsFile) {
  Result<TargetDescription> base = findTarget("cuda");
  ASSERT_TRUE(base.isOk());
  for (const CodeVariant &variant : base->variants) {
    Result<TargetDescription> own = findTarget("cuda:" + variant.name);
    ASSERT_TRUE(own.isOk()) << own.getStatus().getMessage();
    ASSERT_EQ(namesOf(*own), std::vector<std::string>{variant.name});
    EXPECT_EQ(own->variants.front().cpu, variant.cpu);
    EXPECT_GT(own->memoryBandwidth, 0);
  }
}
