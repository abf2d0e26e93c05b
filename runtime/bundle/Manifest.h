//===- Manifest.h - The generated manifest accessors ------------*- C++ -*-===//
//
// The only header that includes the code generated from manifest.fbs, in
// namespace quern::bundle. Readers use the table accessors
// (bundle::Manifest), writers the object API (bundle::ManifestT).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BUNDLE_MANIFEST_H
#define QUERN_RUNTIME_BUNDLE_MANIFEST_H

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wextra"
#include "runtime/bundle/manifest_generated.h"
#pragma GCC diagnostic pop

#include "runtime/base/Encoding.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// Program::logits_offset and hidden_offset of a program without that buffer.
inline constexpr uint64_t kAbsentOffset = ~uint64_t(0);

/// Alignment of every buffer in the step block, the arena and the weights.
inline constexpr uint64_t kBufferAlignment = 256;

/// Bytes of one element; 0 for values outside of the enum.
constexpr uint32_t getElementSize(bundle::DType type) {
  switch (type) {
  case bundle::DType::F32:
  case bundle::DType::I32:
    return 4;
  case bundle::DType::F16:
  case bundle::DType::BF16:
    return 2;
  case bundle::DType::I8:
  case bundle::DType::U8:
    return 1;
  }
  return 0;
}

// The enum of the format and the table have the same rows.
#define QUERN_ENCODING(name, spelling, bits, zero, hasMinimum, hasZeroPoint)   \
  static_assert(static_cast<int>(bundle::Encoding::name) ==                    \
                static_cast<int>(Encoding::name));
#include "runtime/base/Encodings.inc"

/// What Manifest::required_features says if a weight has this encoding.
inline std::string getEncodingFeature(Encoding encoding) {
  return "weights-" + std::string(getEncodingInfo(encoding).name);
}

/// What Manifest::required_features says if a state has int8 rows.
inline constexpr std::string_view kInt8RowsFeature = "states-int8-rows";

/// A string field as a view; empty if absent.
inline std::string_view toView(const flatbuffers::String *text) {
  return text ? std::string_view(text->data(), text->size())
              : std::string_view();
}

/// The manifest as the bytes of its section. Equal input gives equal bytes.
std::vector<std::byte> serializeManifest(const bundle::ManifestT &manifest);

} // namespace quern

#endif // QUERN_RUNTIME_BUNDLE_MANIFEST_H
