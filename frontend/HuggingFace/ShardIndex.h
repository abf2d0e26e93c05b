//===- ShardIndex.h - model.safetensors.index.json ---------------*- C++
//-*-===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_SHARDINDEX_H
#define QUERN_FRONTEND_HUGGINGFACE_SHARDINDEX_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// Which file of a checkpoint holds which tensor.
struct ShardIndex {
  static constexpr uint64_t maxBytes = 64u << 20;
  static constexpr size_t maxShards = 10'000;

  /// Tensor name to number in `shards`.
  std::map<std::string, uint32_t, std::less<>> shardOf;
  /// File names, each a safe path component, sorted.
  std::vector<std::string> shards;
  /// Sum of the bytes of all tensors, if the file says it.
  std::optional<uint64_t> totalSize;
};

/// Parses the JSON text of an index. Messages carry the JSON path.
Result<ShardIndex> parseShardIndex(std::string_view text);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_SHARDINDEX_H
