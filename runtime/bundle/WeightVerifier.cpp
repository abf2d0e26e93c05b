//===- WeightVerifier.cpp - Checks on weights -----------------------------===//

#include "runtime/bundle/ManifestCheck.h"

using namespace quern;
using namespace quern::manifestcheck;

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
