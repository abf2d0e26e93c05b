//===- Manifest.cpp - Serialising the manifest ----------------------------===//

#include "runtime/bundle/Manifest.h"

#include <cstring>

using namespace quern;

std::vector<std::byte>
quern::serializeManifest(const bundle::ManifestT &manifest) {
  flatbuffers::FlatBufferBuilder builder;
  // Defaults are written too: a reader of another version may have others.
  builder.ForceDefaults(true);
  bundle::FinishManifestBuffer(builder,
                               bundle::Manifest::Pack(builder, &manifest));
  std::vector<std::byte> bytes(builder.GetSize());
  std::memcpy(bytes.data(), builder.GetBufferPointer(), bytes.size());
  return bytes;
}
