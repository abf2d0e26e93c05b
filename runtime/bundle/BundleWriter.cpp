//===- BundleWriter.cpp - Writing a bundle --------------------------------===//

#include "runtime/bundle/BundleWriter.h"

#include <algorithm>
#include <array>

using namespace quern;

/// The section being written.
struct BundleWriter::Stream {
  SectionEntry entry;
  uint64_t written = 0;
  StreamHash hash;
  ProgressCallback progress;
};

BundleWriter::BundleWriter(AtomicFile file) : file(std::move(file)) {}
BundleWriter::BundleWriter(BundleWriter &&) noexcept = default;
BundleWriter &BundleWriter::operator=(BundleWriter &&) noexcept = default;
BundleWriter::~BundleWriter() = default;

Result<BundleWriter> BundleWriter::create(const std::string &path) {
  QUERN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  // The first page is filled in by commit().
  static constexpr std::array<std::byte, kBundlePageSize> page{};
  QUERN_RETURN_IF_ERROR(file.append(page));
  return BundleWriter(std::move(file));
}

Status BundleWriter::fail(Status status) {
  if (!failure.isOk())
    return failure;
  if (!status.isOk()) {
    failure = status;
    file.discard();
  }
  return status;
}

Status BundleWriter::openSection(SectionKind kind, uint64_t size,
                                 uint32_t flags) {
  if (!failure.isOk())
    return failure;
  std::string name(sectionKindName(kind));
  if (stream)
    return fail(internalError(file.getName() + ": a " + name +
                              " section begun inside of another section"));
  if (size == 0)
    return fail(
        invalidArgument(file.getName() + ": an empty " + name + " section"));
  if (sections.size() == kMaxSections)
    return fail(invalidArgument(file.getName() + ": more than " +
                                std::to_string(kMaxSections) + " sections"));
  stream = std::make_unique<Stream>();
  stream->entry.kind = kind;
  stream->entry.flags = flags;
  stream->entry.offset = file.getSize();
  stream->entry.size = size;
  return Status::ok();
}

Result<uint32_t> BundleWriter::addSection(SectionKind kind,
                                          std::span<const std::byte> bytes,
                                          uint32_t flags) {
  QUERN_RETURN_IF_ERROR(openSection(kind, bytes.size(), flags));
  QUERN_RETURN_IF_ERROR(append(bytes));
  QUERN_RETURN_IF_ERROR(endSection());
  return static_cast<uint32_t>(sections.size() - 1);
}

Result<uint32_t> BundleWriter::addSection(SectionKind kind,
                                          std::string_view text,
                                          uint32_t flags) {
  return addSection(kind, std::as_bytes(std::span(text)), flags);
}

Result<uint32_t> BundleWriter::beginSection(SectionKind kind, uint64_t size,
                                            ProgressCallback progress) {
  QUERN_RETURN_IF_ERROR(openSection(kind, size, kSectionRequired));
  stream->progress = std::move(progress);
  // A full disk is better found before the weights are converted.
  QUERN_RETURN_IF_ERROR(fail(file.reserve(file.getSize() + size)));
  return static_cast<uint32_t>(sections.size());
}

Status BundleWriter::writeBytes(std::span<const std::byte> bytes) {
  if (!stream)
    return fail(internalError(file.getName() + ": bytes outside of a section"));
  if (bytes.size() > stream->entry.size - stream->written)
    return fail(internalError(file.getName() + ": the " +
                              std::string(sectionKindName(stream->entry.kind)) +
                              " section of " +
                              std::to_string(stream->entry.size) +
                              " bytes got " + std::to_string(stream->written) +
                              " + " + std::to_string(bytes.size())));
  QUERN_RETURN_IF_ERROR(fail(file.append(bytes)));
  stream->hash.update(bytes);
  stream->written += bytes.size();
  return Status::ok();
}

Status BundleWriter::append(std::span<const std::byte> bytes) {
  if (!failure.isOk())
    return failure;
  QUERN_RETURN_IF_ERROR(writeBytes(bytes));
  if (stream->progress)
    stream->progress(stream->written, stream->entry.size);
  return Status::ok();
}

Status BundleWriter::padTo(uint64_t offset) {
  if (!failure.isOk())
    return failure;
  if (!stream || offset < stream->written)
    return fail(internalError(file.getName() + ": cannot pad to offset " +
                              std::to_string(offset) + " of the section"));
  static constexpr std::array<std::byte, 4096> zeros{};
  while (stream->written < offset)
    QUERN_RETURN_IF_ERROR(writeBytes(std::span(zeros).first(
        std::min<uint64_t>(zeros.size(), offset - stream->written))));
  return Status::ok();
}

Status BundleWriter::endSection() {
  if (!failure.isOk())
    return failure;
  if (!stream || stream->written != stream->entry.size)
    return fail(internalError(
        file.getName() + ": section ended after " +
        std::to_string(stream ? stream->written : 0) + " of " +
        std::to_string(stream ? stream->entry.size : 0) + " bytes"));
  stream->entry.hash = stream->hash.finish();
  sections.push_back(stream->entry);
  stream.reset();
  return fail(file.padTo(kBundlePageSize));
}

Status BundleWriter::commit() {
  if (!failure.isOk())
    return failure;
  if (stream)
    return fail(internalError(file.getName() + ": committed in mid-section"));
  auto table = std::as_bytes(std::span(sections));
  FileHeader header;
  header.sectionCount = static_cast<uint32_t>(sections.size());
  header.totalSize = file.getSize();
  header.tableOffset = sizeof(FileHeader);
  header.tableHash = hashBytes(table);
  auto headerBytes = std::as_bytes(std::span(&header, 1));
  header.headerHash =
      hashBytes(headerBytes.first(offsetof(FileHeader, headerHash)));
  QUERN_RETURN_IF_ERROR(fail(file.writeAt(0, headerBytes)));
  QUERN_RETURN_IF_ERROR(fail(file.writeAt(header.tableOffset, table)));
  return fail(file.commit());
}
