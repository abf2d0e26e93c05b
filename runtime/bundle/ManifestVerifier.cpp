//===- ManifestVerifier.cpp - Checks on the manifest: entry and helpers ---===//

#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/bundle/ManifestCheck.h"

#include <algorithm>

using namespace quern;
using namespace quern::manifestcheck;

//===----------------------------------------------------------------------===//
// The FlatBuffer
//===----------------------------------------------------------------------===//

/// Reads the length of the vector in field `field` of a table, checking all
/// that stands on the way.
template <typename Table, typename Element>
static bool readLength(flatbuffers::Verifier &verifier, const Table *table,
                       flatbuffers::voffset_t field, uint64_t &length,
                       const flatbuffers::Vector<Element> *&vector) {
  // Generated tables derive privately from this class and add nothing.
  const auto *raw = reinterpret_cast<const flatbuffers::Table *>(table);
  vector = nullptr;
  length = 0;
  if (!raw->VerifyTableStart(verifier) || !raw->VerifyOffset(verifier, field))
    return false;
  vector = raw->GetPointer<const flatbuffers::Vector<Element> *>(field);
  if (!verifier.VerifyVector(vector))
    return false;
  length = vector ? vector->size() : 0;
  return verifier.EndTable();
}

/// FlatBuffers' verifier counts tables, but walks every list of strings again
/// for each table that shares it: quadratic time. A writer gives each weight
/// and target a list of its own, whose length is bounded by the file's.
static bool
areStringListsBounded(std::span<const std::byte> bytes,
                      const flatbuffers::Verifier::Options &limits) {
  using namespace bundle;
  const auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size(), limits);
  flatbuffers::uoffset_t root = verifier.VerifyOffset(0);
  if (root == 0)
    return false;
  const auto *manifest = reinterpret_cast<const Manifest *>(data + root);
  uint64_t count = 0, total = 0, length = 0;
  const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>> *texts;
  const flatbuffers::Vector<flatbuffers::Offset<Weight>> *weights;
  if (!readLength(verifier, manifest, Manifest::VT_WEIGHTS, count, weights))
    return false;
  for (uint64_t i = 0; i < count; ++i, total += length)
    if (!readLength(verifier, weights->Get(static_cast<uint32_t>(i)),
                    Weight::VT_SOURCES, length, texts))
      return false;
  const flatbuffers::Vector<flatbuffers::Offset<TargetPrograms>> *targets;
  if (!readLength(verifier, manifest, Manifest::VT_TARGETS, count, targets))
    return false;
  // Each target is checked again in full; a few are plenty.
  return count <= kMaxSections &&
         total <= bytes.size() / sizeof(flatbuffers::uoffset_t);
}

Status quern::verifyManifestBuffer(std::span<const std::byte> bytes) {
  if (bytes.size() > kMaxManifestBytes)
    return corrupt("manifest: " + std::to_string(bytes.size()) +
                   " bytes, expected at most " +
                   std::to_string(kMaxManifestBytes));
  const auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  if (bytes.size() < 8 || !bundle::ManifestBufferHasIdentifier(data))
    return corrupt("manifest: not a FlatBuffer with the identifier " +
                   quoteName(bundle::ManifestIdentifier()));
  flatbuffers::Verifier::Options limits;
  limits.max_depth = 8;
  limits.max_tables = 1u << 20;
  flatbuffers::Verifier verifier(data, bytes.size(), limits);
  if (!areStringListsBounded(bytes, limits) ||
      !bundle::VerifyManifestBuffer(verifier))
    return corrupt("manifest: malformed FlatBuffer: an offset, a required "
                   "field or the number of tables is out of bounds");
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

Status manifestcheck::broken(std::string_view place, std::string_view message) {
  return corrupt(std::string(place) + ": " + std::string(message));
}

std::string manifestcheck::element(std::string_view place,
                                   std::string_view name, uint64_t index) {
  std::string text(place);
  text += text.empty() ? "" : ".";
  return text + std::string(name) + "[" + std::to_string(index) + "]";
}

Status manifestcheck::checkBetween(const std::string &place,
                                   std::string_view name, uint64_t value,
                                   uint64_t minimum, uint64_t maximum) {
  if (value >= minimum && value <= maximum)
    return Status::ok();
  return broken(place, std::string(name) + " is " + std::to_string(value) +
                           ", expected " + std::to_string(minimum) + " to " +
                           std::to_string(maximum));
}

Status manifestcheck::checkRange(const std::string &place, uint64_t offset,
                                 uint64_t size, uint64_t limit,
                                 std::string_view what) {
  if (size == 0)
    return broken(place, "size is 0, expected at least 1");
  if (rangeInside(offset, size, limit))
    return Status::ok();
  return broken(place, std::to_string(size) + " bytes at offset " +
                           std::to_string(offset) + " are outside of the " +
                           std::string(what) + " of " + std::to_string(limit) +
                           " bytes");
}

Status manifestcheck::checkAligned(const std::string &place, uint64_t offset) {
  if (offset % kBufferAlignment == 0)
    return Status::ok();
  return broken(place, "offset is " + std::to_string(offset) +
                           ", expected a multiple of " +
                           std::to_string(kBufferAlignment));
}

std::string manifestcheck::toText(const flatbuffers::Vector<uint64_t> *shape) {
  std::string text = "[";
  for (uint32_t i = 0; i < std::min(sizeOf(shape), kMaxRank); ++i)
    text += (i ? ", " : "") + std::to_string(shape->Get(i));
  return text + (sizeOf(shape) > kMaxRank ? ", ...]" : "]");
}

Status
manifestcheck::checkDimensions(const std::string &place,
                               const flatbuffers::Vector<uint64_t> *shape) {
  QUERN_RETURN_IF_ERROR(
      checkBetween(place, "rank", sizeOf(shape), 1, kMaxRank));
  // FlatBuffers' verifier aligns the length of a vector, not its elements.
  if (reinterpret_cast<uintptr_t>(shape->Data()) % alignof(uint64_t) != 0)
    return broken(place, "shape is not aligned to 8 bytes");
  for (uint64_t dimension : *shape)
    if (dimension == 0)
      return broken(place, "shape " + toText(shape) + " has a zero dimension");
  return Status::ok();
}

Status manifestcheck::checkShape(const std::string &place,
                                 const flatbuffers::Vector<uint64_t> *shape,
                                 bundle::DType dtype, uint64_t size) {
  QUERN_RETURN_IF_ERROR(checkEnum(place, "dtype", dtype));
  QUERN_RETURN_IF_ERROR(checkDimensions(place, shape));
  std::optional<uint64_t> bytes = getElementSize(dtype);
  for (uint64_t dimension : *shape)
    if (bytes)
      bytes = checkedMul<uint64_t>(*bytes, dimension);
  std::optional<uint64_t> padded;
  if (bytes)
    padded = checkedAlign<uint64_t>(*bytes, kBufferAlignment);
  if (!padded)
    return broken(place, "shape " + toText(shape) + " has too many elements");
  if (size < *bytes || size > *padded)
    return broken(place, "size is " + std::to_string(size) + ", but shape " +
                             toText(shape) + " of " +
                             bundle::EnumNameDType(dtype) + " has " +
                             std::to_string(*bytes) + " bytes");
  return Status::ok();
}

Status manifestcheck::checkDisjoint(const std::string &place,
                                    std::string_view name,
                                    std::vector<NamedRange> &ranges) {
  std::ranges::sort(ranges, {}, [](const NamedRange &range) {
    return std::pair(range.offset, range.index);
  });
  for (size_t i = 1; i < ranges.size(); ++i) {
    const NamedRange &first = ranges[i - 1], &second = ranges[i];
    if (first.size > second.offset - first.offset)
      return broken(element(place, name, second.index),
                    "offset " + std::to_string(second.offset) + " is inside " +
                        std::string(name) + "[" + std::to_string(first.index) +
                        "], which has " + std::to_string(first.size) +
                        " bytes at offset " + std::to_string(first.offset));
  }
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Checker
//===----------------------------------------------------------------------===//

Checker::Checker(const bundle::Manifest &manifest,
                 const BundleSections &sections)
    : manifest(manifest), sections(sections), model(*manifest.model()) {
  for (size_t i = 0; i < sections.entries.size(); ++i) {
    if (sections.entries[i].kind == SectionKind::Weights)
      weightsSize = sections.entries[i].size;
    if (sections.entries[i].kind == SectionKind::Manifest)
      textBudget = (uint64_t(16) << 20) + 4 * sections.entries[i].size;
  }
}

Status Checker::checkText(const std::string &place,
                          const flatbuffers::String *text, Presence presence,
                          uint64_t maxBytes) {
  std::string_view view = toView(text);
  if (presence == Presence::Required && view.empty())
    return broken(place, "empty");
  if (view.size() > maxBytes)
    return broken(place, std::to_string(view.size()) +
                             " bytes, expected at most " +
                             std::to_string(maxBytes));
  if (view.size() > textBudget)
    return broken(place, "the manifest's texts are longer than the manifest");
  textBudget -= view.size();
  if (!isValidUtf8(view) || view.find('\0') != std::string_view::npos)
    return broken(place, quoteName(view, 40) + " is not UTF-8 text");
  return Status::ok();
}

Status Checker::checkTexts(
    const std::string &place,
    const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>> *list,
    uint64_t maxCount) {
  QUERN_RETURN_IF_ERROR(
      checkBetween(place, "length", sizeOf(list), 0, maxCount));
  for (uint32_t i = 0; i < sizeOf(list); ++i)
    QUERN_RETURN_IF_ERROR(checkText(place, list->Get(i), Presence::Required));
  return Status::ok();
}

Status Checker::checkUniqueName(const std::string &place,
                                const flatbuffers::String *name,
                                std::set<std::string_view> &names) {
  QUERN_RETURN_IF_ERROR(checkText(place + ".name", name, Presence::Required));
  if (!names.insert(toView(name)).second)
    return broken(place + ".name",
                  quoteName(toView(name)) + " is the name of another one");
  return Status::ok();
}

static bool isKnownFeature(std::string_view feature) {
  return feature == kInt8RowsFeature ||
         std::ranges::any_of(getEncodings(), [&](const EncodingInfo &info) {
           return getEncodingFeature(info.encoding) == feature;
         });
}

Status Checker::checkDeclared(const std::string &place, std::string_view what,
                              std::string_view feature) const {
  for (uint32_t i = 0; i < sizeOf(manifest.required_features()); ++i)
    if (toView(manifest.required_features()->Get(i)) == feature)
      return Status::ok();
  return broken(place, std::string(what) +
                           ", but required_features does not list " +
                           std::string(feature));
}

Status quern::verifyManifest(const bundle::Manifest &manifest,
                             const BundleSections &sections) {
  Checker checker(manifest, sections);
  // First: what follows may look wrong if it uses an unknown feature.
  for (uint32_t i = 0; i < sizeOf(manifest.required_features()); ++i) {
    std::string_view feature = toView(manifest.required_features()->Get(i));
    if (!isKnownFeature(feature))
      return unsupported("manifest: the bundle needs the feature " +
                         quoteName(feature) +
                         ", which this reader does not know; use a newer "
                         "release");
  }
  auto check = [&]() -> Status {
    QUERN_RETURN_IF_ERROR(checker.checkText(
        "compiler_version", manifest.compiler_version(), Presence::Optional));
    QUERN_RETURN_IF_ERROR(checker.checkText("compile_options",
                                            manifest.compile_options(),
                                            Presence::Optional, kMaxTextBytes));
    QUERN_RETURN_IF_ERROR(checker.checkModel());
    QUERN_RETURN_IF_ERROR(checker.checkSampling());
    QUERN_RETURN_IF_ERROR(
        checker.checkTexts("layer_names", manifest.layer_names(), 1024));
    QUERN_RETURN_IF_ERROR(checker.checkStates());
    QUERN_RETURN_IF_ERROR(checker.checkWeights());
    return checker.checkTargets();
  };
  return check().withContext("manifest");
}
