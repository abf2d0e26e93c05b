//===- StorageVerifier.cpp - Checks on states and weights -----------------===//

#include "runtime/base/CheckedMath.h"
#include "runtime/bundle/ManifestCheck.h"

using namespace quern;
using namespace quern::manifestcheck;

/// A cache is [num_pages, page_size, num_key_value_heads, head_dim].
static Status checkCache(const std::string &place, const bundle::State &state,
                         const bundle::Model &model) {
  const uint64_t expected[] = {model.num_pages(), model.page_size(),
                               model.num_key_value_heads(), model.head_dim()};
  bool isEqual = state.shape()->size() == std::size(expected);
  for (uint32_t i = 0; isEqual && i < std::size(expected); ++i)
    isEqual = state.shape()->Get(i) == expected[i];
  if (!isEqual)
    return broken(place, "shape is " + toText(state.shape()) +
                             ", expected [num_pages, page_size, "
                             "num_key_value_heads, head_dim] = [" +
                             std::to_string(expected[0]) + ", " +
                             std::to_string(expected[1]) + ", " +
                             std::to_string(expected[2]) + ", " +
                             std::to_string(expected[3]) + "]");
  if (state.dtype() == bundle::DType::I32)
    return broken(place, "dtype is I32, expected a cache element type");
  return Status::ok();
}

Status Checker::checkStates() {
  std::set<std::string_view> names;
  uint64_t keys = 0, values = 0;
  std::optional<uint64_t> total = 0;
  for (uint32_t i = 0; i < sizeOf(manifest.states()); ++i) {
    const bundle::State &state = *manifest.states()->Get(i);
    std::string place = "states[" + std::to_string(i) + "]";
    QUERN_RETURN_IF_ERROR(checkUniqueName(place, state.name(), names));
    QUERN_RETURN_IF_ERROR(checkEnum(place, "kind", state.kind()));
    QUERN_RETURN_IF_ERROR(
        checkShape(place, state.shape(), state.dtype(), state.size()));
    bool isKey = state.kind() == bundle::StateKind::KeyCache;
    bool isValue = state.kind() == bundle::StateKind::ValueCache;
    if (isKey || isValue)
      QUERN_RETURN_IF_ERROR(checkCache(place, state, model));
    keys += isKey;
    values += isValue;
    if (total)
      total = checkedAdd<uint64_t>(*total, state.size());
  }
  if (!total)
    return broken("states", "their sizes add up to more than 2^64 bytes");
  if (keys != values || keys > model.num_hidden_layers())
    return broken("states",
                  std::to_string(keys) + " key and " + std::to_string(values) +
                      " value caches, expected as many of each, "
                      "for at most " +
                      std::to_string(model.num_hidden_layers()) + " layers");
  return Status::ok();
}

Status Checker::checkWeights() {
  std::set<std::string_view> names;
  std::vector<NamedRange> ranges;
  for (uint32_t i = 0; i < sizeOf(manifest.weights()); ++i) {
    const bundle::Weight &weight = *manifest.weights()->Get(i);
    std::string place = "weights[" + std::to_string(i) + "]";
    QUERN_RETURN_IF_ERROR(checkUniqueName(place, weight.name(), names));
    QUERN_RETURN_IF_ERROR(
        checkShape(place, weight.shape(), weight.dtype(), weight.size()));
    QUERN_RETURN_IF_ERROR(checkAligned(place, weight.offset()));
    QUERN_RETURN_IF_ERROR(checkRange(place, weight.offset(), weight.size(),
                                     weightsSize, "weights section"));
    QUERN_RETURN_IF_ERROR(
        checkTexts(place + ".sources", weight.sources(), uint64_t(1) << 20));
    QUERN_RETURN_IF_ERROR(
        checkText(place + ".packing", weight.packing(), Presence::Optional));
    ranges.push_back({weight.offset(), weight.size(), i});
  }
  return checkDisjoint("", "weights", ranges);
}
