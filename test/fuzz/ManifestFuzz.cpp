//===- ManifestFuzz.cpp - Manifests of bundles ----------------------------===//
//
// Attacks the verifier with the bytes of a manifest, beside the other sections
// of a tiny bundle. Accepted means: every index and range is inside of what it
// refers to, by a second, independent check.
//
//===----------------------------------------------------------------------===//

#include "runtime/bundle/Verifier.h"
#include "test/fuzz/Fuzz.h"
#include "test/runtime/bundle/TinyBundle.h"
#include "test/runtime/bundle/Visit.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const test::TinyBundle tiny = test::makeTinyBundle();
  std::vector<SectionEntry> entries(3);
  entries[0].kind = SectionKind::Kernels;
  entries[0].size = tiny.kernels.size();
  entries[1].kind = SectionKind::Manifest;
  entries[1].size = size;
  entries[2].kind = SectionKind::Weights;
  entries[2].size = tiny.weights.size();
  auto input = std::as_bytes(std::span(data, size));
  std::vector<std::vector<std::byte>> contents = {
      tiny.kernels, {input.begin(), input.end()}, {}};
  BundleSections sections{entries, contents};

  Status status = verifyManifestBuffer(contents[1]);
  if (!status.isOk()) {
    fuzz::checkRefusal(status);
    return 0;
  }
  const bundle::Manifest &manifest = *bundle::GetManifest(contents[1].data());
  status = verifyManifest(manifest, sections);
  if (status.isOk())
    test::visitManifest(manifest, sections);
  else
    fuzz::checkRefusal(status);
  return 0;
}
