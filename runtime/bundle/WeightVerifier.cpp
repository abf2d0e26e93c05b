//===- WeightVerifier.cpp - Checks on weights -----------------------------===//

#include "runtime/base/CheckedMath.h"
#include "runtime/bundle/ManifestCheck.h"

#include <limits>

using namespace quern;
using namespace quern::manifestcheck;

/// The rows of the last dimension, in an encoding, fill `size` bytes but for
/// padding, and the bundle tells its readers that it has such weights.
static Status checkEncodedShape(const std::string &place,
                                const Checker &checker,
                                const bundle::Weight &weight) {
  QUERN_RETURN_IF_ERROR(checkEnum(place, "encoding", weight.encoding()));
  auto encoding = static_cast<Encoding>(weight.encoding());
  QUERN_RETURN_IF_ERROR(checkDimensions(place, weight.shape()));
  if (weight.dtype() != bundle::DType::F32)
    return broken(place, std::string("dtype is ") +
                             bundle::EnumNameDType(weight.dtype()) +
                             ", expected F32 with an encoding");
  uint64_t columns = weight.shape()->Get(weight.shape()->size() - 1);
  std::optional<uint64_t> rows = 1;
  for (uint32_t i = 0; rows && i + 1 < weight.shape()->size(); ++i)
    rows = checkedMul<uint64_t>(*rows, weight.shape()->Get(i));
  // Not std::optional: GCC takes it for uninitialised (bug 80635).
  uint64_t bytes =
      rows ? countEncodedBytes(encoding, *rows, columns).value_or(0) : 0;
  std::string name(getEncodingInfo(encoding).name);
  if (bytes == 0 || bytes > std::numeric_limits<uint64_t>::max() / 2)
    return broken(place, "shape " + toText(weight.shape()) +
                             " can't be encoded as " + name +
                             ": rows of no whole groups of " +
                             std::to_string(kGroupSize) +
                             " elements, or too many elements");
  uint64_t padded = checkedAlign<uint64_t>(bytes, kBufferAlignment).value_or(0);
  if (weight.size() < bytes || weight.size() > padded)
    return broken(place, "size is " + std::to_string(weight.size()) +
                             ", but shape " + toText(weight.shape()) +
                             " encoded as " + name + " has " +
                             std::to_string(bytes) + " bytes");
  return checker.checkDeclared(place, "is encoded as " + name,
                               getEncodingFeature(encoding));
}

Status Checker::checkWeights() {
  std::set<std::string_view> names;
  std::vector<NamedRange> ranges;
  for (uint32_t i = 0; i < sizeOf(manifest.weights()); ++i) {
    const bundle::Weight &weight = *manifest.weights()->Get(i);
    std::string place = "weights[" + std::to_string(i) + "]";
    QUERN_RETURN_IF_ERROR(checkUniqueName(place, weight.name(), names));
    QUERN_RETURN_IF_ERROR(
        weight.encoding() == bundle::Encoding::None
            ? checkShape(place, weight.shape(), weight.dtype(), weight.size())
            : checkEncodedShape(place, *this, weight));
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
