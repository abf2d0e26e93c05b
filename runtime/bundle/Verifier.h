//===- Verifier.h - Checks on everything a bundle says ----------*- C++ -*-===//
//
// Nothing in a bundle is trusted. Bundle::open runs these checks in order, and
// hands out nothing before all have passed:
//
//   1. header and section table: magic, byte order, version, size of the file,
//      hashes; sections sorted, aligned, disjoint, without holes
//   2. the hashes of manifest, kernels, tokenizer and chat template
//   3. the manifest as a FlatBuffer: offsets, depth, number of tables
//   4. the manifest's meaning: every enum, index, size and range, so that
//      neither the engine nor a device indexes by an unchecked number
//
// Messages name the place, what was found and what was expected. Codes:
// Corrupt, or Unsupported for what a newer reader would understand. The checks
// take time and memory linear in the size of the file (times a logarithm).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BUNDLE_VERIFIER_H
#define QUERN_RUNTIME_BUNDLE_VERIFIER_H

#include "runtime/base/Status.h"
#include "runtime/bundle/Format.h"
#include "runtime/bundle/Manifest.h"

#include <cstddef>
#include <span>
#include <vector>

namespace quern {

/// The sections of a bundle and the bytes of those that were read; the bytes
/// of others are empty.
struct BundleSections {
  std::span<const SectionEntry> entries;
  std::span<const std::vector<std::byte>> contents;
};

/// Checks the first page of a file of `fileSize` bytes and reads header and
/// section table from it. `page` has min(fileSize, kBundlePageSize) bytes.
Status verifyHeader(std::span<const std::byte> page, uint64_t fileSize,
                    FileHeader &header, std::vector<SectionEntry> &sections);

/// Checks that `bytes` (8-byte aligned) are a well-formed FlatBuffer.
Status verifyManifestBuffer(std::span<const std::byte> bytes);

/// Checks the meaning of a well-formed manifest.
Status verifyManifest(const bundle::Manifest &manifest,
                      const BundleSections &sections);

/// Checks that `code` is a SPIR-V module with a compute entry point of that
/// name, whose workgroup size, where the module declares one, is
/// `workgroupSize`. Instruction operands are the business of spirv-val.
Status verifySpirv(std::span<const std::byte> code, std::string_view entryPoint,
                   const std::array<uint32_t, 3> &workgroupSize);

} // namespace quern

#endif // QUERN_RUNTIME_BUNDLE_VERIFIER_H
