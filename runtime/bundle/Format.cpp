//===- Format.cpp - Layout of a bundle file -------------------------------===//

#include "runtime/bundle/Format.h"

// Declares XXH3_state_t, so that it needs no allocation that may fail silently.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

using namespace quern;

std::string_view quern::sectionKindName(SectionKind kind) {
  switch (kind) {
  case SectionKind::Manifest:
    return "manifest";
  case SectionKind::Kernels:
    return "kernels";
  case SectionKind::Tokenizer:
    return "tokenizer";
  case SectionKind::ChatTemplate:
    return "chat template";
  case SectionKind::Weights:
    return "weights";
  case SectionKind::IR:
    return "ir";
  }
  return "unknown";
}

uint64_t quern::hashBytes(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

struct StreamHash::State {
  XXH3_state_t xxh;
};

StreamHash::StreamHash() : state(std::make_unique<State>()) {
  XXH3_64bits_reset(&state->xxh);
}
StreamHash::StreamHash(StreamHash &&) noexcept = default;
StreamHash &StreamHash::operator=(StreamHash &&) noexcept = default;
StreamHash::~StreamHash() = default;

void StreamHash::update(std::span<const std::byte> bytes) {
  XXH3_64bits_update(&state->xxh, bytes.data(), bytes.size());
}

uint64_t StreamHash::finish() const { return XXH3_64bits_digest(&state->xxh); }
