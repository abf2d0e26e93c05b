//===- TargetDescription.cpp - Reading target descriptions ----------------===//
#include "codegen/Targets/TargetDescription.h"

#include "codegen/Targets/ExtendTarget.h"
#include "runtime/base/Escape.h"
#include "runtime/base/File.h"
#include "runtime/base/Json.h"

#include <algorithm>
#include <set>

using namespace quern;

namespace {

/// A target that is built in.
struct TargetFile {
  std::string_view name, text;
};

constexpr TargetFile targetFiles[] = {
#define QUERN_TARGET(name, text) {name, text},
#include "codegen/Targets/TargetFiles.inc"
#undef QUERN_TARGET
};

/// Reads the members of one object; the first error sticks. Members that
/// nobody asked for are an error of finish().
class ObjectReader {
public:
  ObjectReader(JsonValue object) : object(object) {
    note(object.expectKind(JsonKind::Object));
  }

  void read(std::string_view key, std::string &out) {
    if (auto value = member(key)) {
      Result<std::string_view> text = value->asString();
      if (!text.isOk())
        return note(text.getStatus());
      if (text->empty())
        return note(value->mismatch("a string that is not empty"));
      out = *text;
    }
  }

  template <typename Integer>
  void read(std::string_view key, Integer &out, int64_t low, int64_t high) {
    if (auto value = member(key))
      readInteger(*value, out, low, high);
  }

  template <typename Integer>
  void readPowerOfTwo(std::string_view key, Integer &out, int64_t low,
                      int64_t high) {
    read(key, out, low, high);
    if (status.isOk() && (out & (out - 1)) != 0)
      note(member(key)->mismatch("a power of two"));
  }

  void read(std::string_view key, bool &out) {
    if (auto value = member(key)) {
      Result<bool> flag = value->asBool();
      if (!flag.isOk())
        return note(flag.getStatus());
      out = *flag;
    }
  }

  void readNotNegative(std::string_view key, double &out) {
    if (auto value = member(key)) {
      Result<double> number = value->asDouble();
      if (!number.isOk())
        return note(number.getStatus());
      if (!(*number >= 0))
        return note(value->mismatch("a number of at least 0"));
      out = *number;
    }
  }

  /// One of the named values.
  template <typename Enum>
  void
  readChoice(std::string_view key, Enum &out,
             std::initializer_list<std::pair<std::string_view, Enum>> choices) {
    auto value = member(key);
    if (!value)
      return;
    std::string expected;
    Result<std::string_view> text = value->asString();
    for (auto &[name, choice] : choices) {
      if (text.isOk() && *text == name) {
        out = choice;
        return;
      }
      expected += (expected.empty() ? "\"" : " or \"") + std::string(name);
      expected += '"';
    }
    note(value->mismatch(expected));
  }

  void read(std::string_view key, std::vector<std::string> &out) {
    auto value = member(key);
    if (!value)
      return;
    note(value->expectKind(JsonKind::Array));
    for (JsonValue element : value->elements()) {
      Result<std::string_view> text = element.asString();
      if (!text.isOk())
        return note(text.getStatus());
      out.emplace_back(*text);
    }
  }

  void readGrid(std::string_view key, std::array<uint32_t, 3> &out) {
    auto value = member(key);
    if (!value)
      return;
    if (!value->isArray() || value->size() != 3)
      return note(value->mismatch("an array of 3 integers"));
    for (size_t i = 0; i != 3; ++i)
      readInteger(value->at(i), out[i], 1, UINT32_MAX);
  }

  /// A nested object.
  template <typename Read> void readObject(std::string_view key, Read read) {
    auto value = member(key);
    if (!value)
      return;
    ObjectReader inner(*value);
    if (inner.status.isOk())
      read(inner);
    note(inner.finish());
  }

  void note(Status found) {
    if (status.isOk())
      status = std::move(found);
  }

  Status finish() {
    if (status.isOk() && object.isObject())
      for (JsonValue value : object.members())
        if (!known.contains(value.key()))
          return corrupt(value.path() + ": unknown member");
    return status;
  }

private:
  std::optional<JsonValue> member(std::string_view key) {
    known.insert(key);
    if (!status.isOk())
      return std::nullopt;
    Result<JsonValue> value = object.get(key);
    if (value.isOk())
      return *value;
    status = value.getStatus();
    return std::nullopt;
  }

  template <typename Integer>
  void readInteger(JsonValue value, Integer &out, int64_t low, int64_t high) {
    Result<int64_t> number = value.asInt64In(low, high);
    if (!number.isOk())
      return note(number.getStatus());
    out = static_cast<Integer>(*number);
  }

  JsonValue object;
  Status status;
  std::set<std::string_view> known;
};

} // namespace

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
  return check(target.rowSubgroups, "row_subgroups");
}

/// Of CUDA: the code that is made, and what `quern inspect --resources`
/// computes with (tools/quern/Resources.cpp).
static void readCuda(ObjectReader &reader, TargetDescription &target) {
  reader.read("cubins", target.cubins);
  uint32_t number = 0;
  double flops = 0;
  reader.readObject("multiprocessor", [&](ObjectReader &sm) {
    for (const char *member :
         {"count", "registers", "shared_memory", "subgroups", "workgroups"})
      sm.read(member, number, 0, 1 << 24);
  });
  reader.readNotNegative("peak_flops", flops);
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
    reader.read("architecture", target.architecture);
    reader.read("cpu", target.cpu);
  } else if (target.api == "cuda") {
    reader.read("cpu", target.cpu);
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
    });
    reader.readChoice<ByteDot>(
        "byte_dot", target.byteDot,
        {{"none", ByteDot::None}, {"avx2", ByteDot::Avx2}});
    reader.readObject("integer_panels", [&](ObjectReader &panels) {
      panels.read("tokens", target.integerTokens, 1, 16);
      panels.read("width", target.integerWidth, 1, 16);
    });
  }
  reader.readObject("attention", [&](ObjectReader &attention) {
    attention.readPowerOfTwo("tokens", target.attentionTokens, 1, 16);
    attention.readPowerOfTwo("rows", target.attentionRows, 1, 64);
    attention.readPowerOfTwo("positions", target.attentionPositions, 1, 16);
    attention.read("workgroups", target.attentionWorkgroups, 0, 1 << 16);
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
    experts.read("workgroups", target.expertsWorkgroups, 1, 1 << 16);
  });
  reader.readNotNegative("memory_bandwidth", target.memoryBandwidth);
  QUERN_RETURN_IF_ERROR(reader.finish());
  return checkConsistency(target);
}

static const TargetFile *findFile(std::string_view name) {
  const auto *file = std::ranges::find(targetFiles, name, &TargetFile::name);
  return file == std::end(targetFiles) ? nullptr : file;
}

static std::optional<std::string_view> findText(std::string_view name) {
  const TargetFile *file = findFile(name);
  return file ? std::optional(file->text) : std::nullopt;
}

static Result<TargetDescription> parse(std::string_view json) {
  TargetDescription target;
  QUERN_ASSIGN_OR_RETURN(target.text, extendTarget(json, findText));
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

/// What a bare API stands for.
static const TargetFile *findDefault(std::string_view api) {
  if (const TargetFile *file = findFile(std::string(api) + "-generic"))
    return file;
  if (api != "cpu" && api != "cuda")
    return nullptr;
  for (const TargetFile &file : targetFiles)
    if (file.name.starts_with(std::string(api) + "-") &&
        file.text.find("\"extends\"") == std::string_view::npos)
      return &file;
  return nullptr;
}

/// "sm_90a,sm_80" after "cuda:".
static Result<TargetDescription> findArchitectures(std::string_view list) {
  std::vector<std::string> names;
  while (true) {
    size_t comma = list.find(',');
    names.emplace_back(list.substr(0, comma));
    QUERN_RETURN_IF_ERROR(findTarget("cuda-" + names.back()).takeStatus());
    if (std::ranges::count(names, names.back()) != 1)
      return invalidArgument("target 'cuda:...' names " + names.back() +
                             " twice");
    if (comma == std::string_view::npos)
      break;
    list.remove_prefix(comma + 1);
  }
  QUERN_ASSIGN_OR_RETURN(TargetDescription target,
                         findTarget("cuda-" + names.front()));
  target.cubins = std::move(names);
  return target;
}

Result<TargetDescription> quern::findTarget(std::string_view spec) {
  if (spec.ends_with(".json")) {
    std::string path(spec);
    QUERN_ASSIGN_OR_RETURN(std::string text,
                           readWholeFile(path, maxTargetBytes));
    return parseTarget(text, quoteName(spec));
  }
  constexpr std::string_view architectures = "cuda:";
  if (spec.starts_with(architectures))
    return findArchitectures(spec.substr(architectures.size()));
  const TargetFile *file = findFile(spec);
  if (!file)
    file = findDefault(spec);
  if (file)
    return parseTarget(file->text, file->name);
  std::string names;
  for (const TargetFile &known : targetFiles)
    names += (names.empty() ? "" : ", ") + std::string(known.name);
  return notFound("unknown target " + quoteName(spec) + ": expected one of " +
                  names + ", or the path of a .json file");
}

std::vector<std::string_view> quern::listTargets() {
  std::vector<std::string_view> names;
  for (const TargetFile &file : targetFiles)
    names.push_back(file.name);
  return names;
}
