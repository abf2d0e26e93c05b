//===- BundleWriter.h - Writing a bundle ------------------------*- C++ -*-===//
//
// Writes sections one after the other into an AtomicFile. Weights are streamed
// and hashed as they pass, so memory stays bounded whatever the model's size.
// Equal input gives equal bytes.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BUNDLE_BUNDLEWRITER_H
#define QUERN_RUNTIME_BUNDLE_BUNDLEWRITER_H

#include "runtime/base/AtomicFile.h"
#include "runtime/base/Status.h"
#include "runtime/bundle/Format.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// Usual order: kernels of each target (their indices go into the manifest),
/// manifest, tokenizer, chat template, IR, weights. Any order is legal.
///
/// The first error is final: later calls repeat it, and the destructor removes
/// the temporary file unless commit() succeeded. Movable, not thread-safe.
class BundleWriter {
public:
  static Result<BundleWriter> create(const std::string &path);

  BundleWriter(BundleWriter &&) noexcept;
  BundleWriter &operator=(BundleWriter &&) noexcept;
  ~BundleWriter();

  /// Adds a complete section (not empty) and returns its index in the section
  /// table.
  Result<uint32_t> addSection(SectionKind kind,
                              std::span<const std::byte> bytes,
                              uint32_t flags = kSectionRequired);
  Result<uint32_t> addSection(SectionKind kind, std::string_view text,
                              uint32_t flags = kSectionRequired);

  /// Starts a section of exactly `size` bytes, which append() and padTo() fill
  /// and endSection() closes. `progress` is called after each append.
  Result<uint32_t> beginSection(SectionKind kind, uint64_t size,
                                ProgressCallback progress = nullptr);
  Status append(std::span<const std::byte> bytes);
  /// Appends zeros up to `offset`, counted from the start of the section. An
  /// offset that has been passed already is an error.
  Status padTo(uint64_t offset);
  Status endSection();

  /// Writes header and section table, and puts the file in place.
  Status commit();

private:
  struct Stream;
  BundleWriter(AtomicFile file);
  Status fail(Status status);
  Status openSection(SectionKind kind, uint64_t size, uint32_t flags);
  Status writeBytes(std::span<const std::byte> bytes);

  AtomicFile file;
  std::vector<SectionEntry> sections;
  std::unique_ptr<Stream> stream; ///< The section being written.
  Status failure;
};

} // namespace quern

#endif // QUERN_RUNTIME_BUNDLE_BUNDLEWRITER_H
