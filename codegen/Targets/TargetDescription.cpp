//===- TargetDescription.cpp - Reading target descriptions ----------------===//
#include "codegen/Targets/TargetDescription.h"

#include "codegen/Targets/ExtendTarget.h"
#include "codegen/Targets/FindTarget.h"
#include "codegen/Targets/ObjectReader.h"
#include "runtime/base/Escape.h"

#include <algorithm>

using namespace quern;

static constexpr std::pair<std::string_view, ByteDot> byteDots[] = {
    {"none", ByteDot::None},       {"avx2", ByteDot::Avx2},
    {"vnni", ByteDot::Vnni},       {"vnni_int8", ByteDot::VnniInt8},
    {"vnni512", ByteDot::Vnni512}, {"neon", ByteDot::Neon},
    {"neon_dot", ByteDot::NeonDot}};

std::string_view quern::getByteDotName(ByteDot kind) {
  for (const auto &[name, value] : byteDots)
    if (value == kind)
      return name;
  return "";
}

std::optional<ByteDot> quern::findByteDot(std::string_view name) {
  for (const auto &[known, kind] : byteDots)
    if (known == name)
      return kind;
  return std::nullopt;
}

TargetDescription
TargetDescription::withVariant(const CodeVariant &variant) const {
  TargetDescription target = *this;
  target.variants.clear();
  target.byteDot = variant.byteDot;
  if (!variant.cpu.empty()) {
    target.cpu = variant.cpu;
    target.requiredFeatures.push_back(variant.cpu);
  }
  for (const std::string &feature : variant.features) {
    target.cpuFeatures.push_back(feature);
    target.requiredFeatures.push_back(feature);
  }
  return target;
}

static void readVersion(ObjectReader &reader, TargetDescription &target) {
  std::string version;
  reader.read("spirv_version", version);
  if (version.size() == 3 && version[1] == '.' && version[0] == '1' &&
      version[2] >= '3' && version[2] <= '6') {
    target.spirvMajor = 1;
    target.spirvMinor = version[2] - '0';
  } else if (!version.empty()) {
    reader.note(corrupt("$.spirv_version: expected \"1.3\" to \"1.6\", found " +
                        quoteName(version)));
  }
}

static Status checkConsistency(const TargetDescription &target) {
  auto check = [&](uint32_t subgroups, const char *member) {
    uint64_t lanes = uint64_t(subgroups) * target.subgroupSize;
    if (lanes <= target.maxWorkgroupSize)
      return Status::ok();
    return corrupt(std::string("$.") + member + ": " +
                   std::to_string(subgroups) + " subgroups of " +
                   std::to_string(target.subgroupSize) +
                   " lanes exceed max_workgroup_size " +
                   std::to_string(target.maxWorkgroupSize));
  };
  QUERN_RETURN_IF_ERROR(
      check(target.subgroupsPerWorkgroup, "subgroups_per_workgroup"));
  QUERN_RETURN_IF_ERROR(check(target.rowSubgroups, "row_subgroups"));
  if (target.tileTokens != 0 && target.subgroupSize != 16)
    return corrupt("$.tiles: panels of tiles have 16 rows, and subgroup_size "
                   "is " +
                   std::to_string(target.subgroupSize));
  uint64_t bytes = target.getMatrixStageBytes() * target.mmaStages;
  if (bytes <= target.maxWorkgroupMemory)
    return Status::ok();
  return corrupt("$.mma: " + std::to_string(target.mmaStages) +
                 " stages take " + std::to_string(bytes) +
                 " bytes, more than max_workgroup_memory " +
                 std::to_string(target.maxWorkgroupMemory));
}

static void readByteDot(ObjectReader &reader, ByteDot &out) {
  reader.readChoice<ByteDot>("byte_dot", out, std::span(byteDots));
}

static Status checkVariants(const std::vector<CodeVariant> &variants) {
  for (const CodeVariant &variant : variants)
    if (std::ranges::count(variants, variant.name, &CodeVariant::name) != 1)
      return corrupt("$.variants: two of them are called " +
                     quoteName(variant.name));
  return Status::ok();
}

static void readVariants(ObjectReader &reader, TargetDescription &target) {
  reader.readObjects("variants", [&](ObjectReader &member) {
    CodeVariant &variant = target.variants.emplace_back();
    member.read("name", variant.name);
    member.readOptional("cpu", variant.cpu);
    if (target.api != "cpu")
      return;
    member.readOptional("features", variant.features);
    readByteDot(member, variant.byteDot);
  });
  reader.note(checkVariants(target.variants));
}

/// Of CUDA: the code that is made, and what `quern inspect --resources`
/// computes with (tools/quern/Resources.cpp).
static void readCuda(ObjectReader &reader, TargetDescription &target) {
  reader.read("cpu", target.cpu);
  readVariants(reader, target);
  uint32_t number = 0;
  double flops = 0;
  reader.readObject("multiprocessor", [&](ObjectReader &sm) {
    sm.read("count", target.multiprocessors, 0, 1 << 24);
    for (const char *member :
         {"registers", "shared_memory", "subgroups", "workgroups"})
      sm.read(member, number, 0, 1 << 24);
  });
  reader.readOptionalObject("mma", [&](ObjectReader &mma) {
    mma.readPowerOfTwo("tokens", target.mmaTokens, 16, 256);
    mma.readPowerOfTwo("rows", target.mmaRows, 32, 256);
    mma.read("stages", target.mmaStages, 2, 8);
  });
  reader.readNotNegative("peak_flops", flops);
}

/// Of CPUs: the instructions that code may use.
static void readInstructions(ObjectReader &reader, TargetDescription &target) {
  reader.read("architecture", target.architecture);
  reader.read("cpu", target.cpu);
  reader.readOptional("features", target.cpuFeatures);
  readByteDot(reader, target.byteDot);
  readVariants(reader, target);
}

static Status readTarget(JsonValue root, TargetDescription &target) {
  ObjectReader reader(root);
  reader.read("name", target.name);
  reader.read("summary", target.summary);
  reader.readChoice<std::string>(
      "api", target.api,
      {{"vulkan", "vulkan"}, {"cuda", "cuda"}, {"cpu", "cpu"}});
  reader.read("api_version", target.apiVersion);
  if (target.api == "cpu") {
    readInstructions(reader, target);
  } else if (target.api == "cuda") {
    readCuda(reader, target);
  } else {
    readVersion(reader, target);
  }
  reader.read("required_features", target.requiredFeatures);
  reader.read("devices", target.devices);
  reader.readPowerOfTwo("subgroup_size", target.subgroupSize, 4, 128);
  reader.read("max_workgroup_size", target.maxWorkgroupSize, 64, 65536);
  reader.read("max_workgroup_memory", target.maxWorkgroupMemory, 0, 1 << 24);
  reader.readGrid("max_grid", target.maxGrid);
  reader.read("max_storage_buffer_bytes", target.maxStorageBufferBytes, 1 << 24,
              INT64_MAX);
  reader.read("max_texel_elements", target.maxTexelElements, 0, INT64_MAX);
  reader.readChoice<ReadAccess>(
      "read_access", target.readAccess,
      {{"storage", ReadAccess::Storage}, {"texel", ReadAccess::Texel}});
  reader.read("use_workgroup_memory", target.useWorkgroupMemory);
  reader.readChoice<DataType>("preferred_compute", target.preferredCompute,
                              {{"f32", DataType::F32},
                               {"f16", DataType::F16},
                               {"bf16", DataType::BF16}});
  reader.readPowerOfTwo("subgroups_per_workgroup", target.subgroupsPerWorkgroup,
                        1, 64);
  reader.readPowerOfTwo("row_subgroups", target.rowSubgroups, 1, 64);
  reader.readObject("gemv", [&](ObjectReader &gemv) {
    gemv.readPowerOfTwo("rows", target.gemvRows, 2, 16);
  });
  reader.readObject("gemm", [&](ObjectReader &gemm) {
    gemm.readPowerOfTwo("tokens", target.gemmTokens, 1, 16);
    gemm.readPowerOfTwo("rows", target.gemmRows, 2, 16);
  });
  if (target.api == "cpu") {
    reader.readObject("panels", [&](ObjectReader &panels) {
      panels.read("tokens", target.panelTokens, 1, 16);
      panels.read("width", target.panelWidth, 1, 16);
      panels.read("streams", target.panelStreams, 1, 16);
      panels.read("prefetch", target.panelPrefetch, 0, 1 << 16);
    });
    reader.readObject("integer_panels", [&](ObjectReader &panels) {
      panels.read("tokens", target.integerTokens, 1, 16);
      panels.read("width", target.integerWidth, 1, 16);
      panels.read("prefetch", target.integerPrefetch, 0, 1 << 16);
    });
    reader.readOptionalObject("tiles", [&](ObjectReader &tiles) {
      tiles.readPowerOfTwo("tokens", target.tileTokens, 16, 1024);
      tiles.read("panels", target.tilePanels, 2, 1024);
    });
  }
  reader.readObject("attention", [&](ObjectReader &attention) {
    attention.readPowerOfTwo("tokens", target.attentionTokens, 1, 16);
    attention.readPowerOfTwo("rows", target.attentionRows, 1, 64);
    attention.readPowerOfTwo("positions", target.attentionPositions, 1, 16);
    attention.read("workgroups", target.attentionWorkgroups, 0, 1 << 16);
    if (target.api == "cpu")
      attention.read("prefetch", target.attentionPrefetch, 0, 1 << 10);
  });
  reader.readObject("delta_rule", [&](ObjectReader &rule) {
    rule.readPowerOfTwo("columns", target.deltaRuleColumns, 8, 512);
  });
  reader.readObject("delta_chunk", [&](ObjectReader &chunk) {
    chunk.readPowerOfTwo("tokens", target.deltaChunkTokens, 1, 32);
    chunk.readPowerOfTwo("columns", target.deltaChunkColumns, 4, 64);
    chunk.read("min_tokens", target.deltaChunkMinTokens, 1, INT32_MAX);
  });
  reader.readObject("experts", [&](ObjectReader &experts) {
    experts.readNotNegative("min_reuse", target.expertsMinReuse);
    experts.readNotNegative("tile4_reuse", target.expertsTile4Reuse);
    experts.readNotNegative("tile8_reuse", target.expertsTile8Reuse);
    experts.read("workgroups", target.expertsWorkgroups, 1, 1 << 16);
  });
  reader.readNotNegative("memory_bandwidth", target.memoryBandwidth);
  QUERN_RETURN_IF_ERROR(reader.finish());
  return checkConsistency(target);
}

static Result<TargetDescription> parse(std::string_view json) {
  TargetDescription target;
  QUERN_ASSIGN_OR_RETURN(target.text, extendTarget(json, findTargetText));
  JsonLimits limits;
  limits.maxBytes = maxTargetBytes;
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(target.text, limits));
  QUERN_RETURN_IF_ERROR(readTarget(document.root(), target));
  return target;
}

Result<TargetDescription> quern::parseTarget(std::string_view json,
                                             std::string_view where) {
  Result<TargetDescription> target = parse(json);
  if (!target.isOk())
    return std::move(target).takeStatus().withContext(where);
  return target;
}
