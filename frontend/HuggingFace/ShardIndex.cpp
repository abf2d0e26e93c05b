//===- ShardIndex.cpp - model.safetensors.index.json ----------------------===//

#include "frontend/HuggingFace/ShardIndex.h"

#include "frontend/HuggingFace/ModelDir.h"
#include "runtime/base/Allocation.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Json.h"

#include <cmath>

using namespace quern;

static Status checkShardName(const JsonValue &json, std::string_view name) {
  QUERN_RETURN_IF_ERROR(checkFileName(name).withContext(json.path()));
  if (!name.ends_with(".safetensors"))
    return unsupported(json.path() + ": expected a .safetensors file, found " +
                       quoteName(name));
  return Status::ok();
}

static Status parseTotalSize(const JsonValue &root, ShardIndex &index) {
  std::optional<JsonValue> metadata = root.find("metadata");
  if (!metadata || metadata->isNull())
    return Status::ok();
  QUERN_RETURN_IF_ERROR(metadata->expectKind(JsonKind::Object));
  std::optional<JsonValue> total = metadata->find("total_size");
  if (!total)
    return Status::ok();
  // Some writers give a whole number as 1234.0.
  if (total->kind() == JsonKind::Double) {
    double value = *total->asDouble();
    if (value < 0 || value > 0x1p53 || value != std::floor(value))
      return total->mismatch("a number of bytes");
    index.totalSize = static_cast<uint64_t>(value);
    return Status::ok();
  }
  QUERN_ASSIGN_OR_RETURN(index.totalSize, total->asUInt64());
  return Status::ok();
}

static Result<ShardIndex> parse(std::string_view text) {
  JsonLimits limits;
  limits.maxBytes = ShardIndex::maxBytes;
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text, limits));
  JsonValue root = document.root();
  QUERN_RETURN_IF_ERROR(root.expectKind(JsonKind::Object));
  ShardIndex index;
  QUERN_RETURN_IF_ERROR(parseTotalSize(root, index));
  QUERN_ASSIGN_OR_RETURN(JsonValue map, root.get("weight_map"));
  QUERN_RETURN_IF_ERROR(map.expectKind(JsonKind::Object));
  if (map.size() == 0)
    return corrupt(map.path() + ": expected at least one tensor");

  std::map<std::string, uint32_t, std::less<>> numbers;
  for (JsonValue member : map.members()) {
    QUERN_ASSIGN_OR_RETURN(std::string_view name, member.asString());
    auto [it, isNew] = numbers.try_emplace(std::string(name), 0);
    if (!isNew)
      continue;
    QUERN_RETURN_IF_ERROR(checkShardName(member, name));
    if (numbers.size() > ShardIndex::maxShards)
      return corrupt(map.path() + ": more than " +
                     std::to_string(ShardIndex::maxShards) + " files");
  }
  for (auto &[name, number] : numbers) {
    number = static_cast<uint32_t>(index.shards.size());
    index.shards.push_back(name);
  }
  for (JsonValue member : map.members())
    index.shardOf.emplace(member.key(),
                          numbers.find(*member.asString())->second);
  return index;
}

Result<ShardIndex> quern::parseShardIndex(std::string_view text) {
  return guardAllocation("reading a shard index", [&] { return parse(text); });
}
