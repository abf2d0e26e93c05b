//===- HeaderVerifier.cpp - Checks on header and section table ------------===//

#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"
#include "runtime/bundle/Verifier.h"

#include <algorithm>
#include <cstring>

using namespace quern;

static std::string toText(FormatVersion version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

static std::string toHex(uint64_t value) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 60; shift >= 0; shift -= 4)
    text += digits[(value >> shift) & 15];
  return text;
}

//===----------------------------------------------------------------------===//
// Header
//===----------------------------------------------------------------------===//

/// What kind of file is it, and can we read this version of it?
static Status checkIdentity(const FileHeader &header) {
  if (header.magic != kBundleMagic)
    return corrupt("header: not a bundle: it begins with " +
                   quoteName({header.magic.data(), header.magic.size()}) +
                   ", expected 'QUERNB1\\n'");
  if (header.endianMark == __builtin_bswap32(kBundleEndianMark))
    return unsupported("header: the bundle was written in big-endian byte "
                       "order, expected little-endian");
  if (header.endianMark != kBundleEndianMark)
    return corrupt("header: byte order mark is " + toHex(header.endianMark) +
                   ", expected " + toHex(kBundleEndianMark));
  if (header.minReader > kFormatVersion)
    return unsupported(
        "header: format version " + toText(header.version) +
        " needs a reader of version " + toText(header.minReader) +
        " or newer, this one reads up to " + toText(kFormatVersion) +
        "; run `quern inspect` of a newer release, or compile "
        "the model again with this one");
  if (header.version.major == 0 || header.version < header.minReader)
    return corrupt("header: format version is " + toText(header.version) +
                   " with oldest reader " + toText(header.minReader));
  return Status::ok();
}

static Status checkHeader(const FileHeader &header, uint64_t fileSize,
                          std::span<const std::byte> bytes) {
  uint64_t hash = hashBytes(bytes.first(offsetof(FileHeader, headerHash)));
  if (hash != header.headerHash)
    return corrupt("header: checksum is " + toHex(hash) + ", expected " +
                   toHex(header.headerHash));
  if (header.featureBits != 0)
    return unsupported("header: the bundle needs the features " +
                       toHex(header.featureBits) +
                       ", this reader knows none; use a newer release");
  if (header.totalSize != fileSize)
    return corrupt("header: the file has " + std::to_string(fileSize) +
                   " bytes, expected " + std::to_string(header.totalSize));
  if (header.sectionCount == 0 || header.sectionCount > kMaxSections)
    return corrupt("header: " + std::to_string(header.sectionCount) +
                   " sections, expected 1 to " + std::to_string(kMaxSections));
  if (header.tableOffset != sizeof(FileHeader))
    return corrupt("header: section table at byte " +
                   std::to_string(header.tableOffset) + ", expected " +
                   std::to_string(sizeof(FileHeader)));
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Sections
//===----------------------------------------------------------------------===//

/// The most bytes that a section of this kind may have.
static uint64_t getSizeLimit(SectionKind kind) {
  switch (kind) {
  case SectionKind::Manifest:
    return kMaxManifestBytes;
  case SectionKind::Kernels:
    return kMaxKernelsBytes;
  case SectionKind::Tokenizer:
    return kMaxTokenizerBytes;
  case SectionKind::ChatTemplate:
    return kMaxChatTemplateBytes;
  case SectionKind::IR:
    return kMaxIRBytes;
  case SectionKind::Weights:
    break;
  }
  return ~uint64_t(0);
}

static Status checkKind(const SectionEntry &entry) {
  if (sectionKindName(entry.kind) == "unknown" &&
      (entry.flags & kSectionRequired))
    return unsupported("unknown kind " +
                       std::to_string(static_cast<uint32_t>(entry.kind)) +
                       ", which the bundle marks as required; use a newer "
                       "release");
  if (entry.flags & ~kSectionRequired)
    return unsupported("unknown flags " + toHex(entry.flags));
  if (entry.reserved != 0)
    return corrupt("reserved field is " + toHex(entry.reserved) +
                   ", expected 0");
  if (entry.size > getSizeLimit(entry.kind))
    return corrupt(std::to_string(entry.size) + " bytes, expected at most " +
                   std::to_string(getSizeLimit(entry.kind)));
  return Status::ok();
}

/// `previousEnd` is where the bytes before the section end, without padding.
static Status checkPlace(const SectionEntry &entry, uint64_t previousEnd,
                         uint64_t totalSize) {
  std::string place = std::to_string(entry.size) + " bytes at byte " +
                      std::to_string(entry.offset);
  if (entry.alignment != kBundlePageSize)
    return corrupt("alignment is " + std::to_string(entry.alignment) +
                   ", expected " + std::to_string(kBundlePageSize));
  if (entry.size == 0)
    return corrupt("empty");
  if (entry.offset % kBundlePageSize != 0)
    return corrupt(place + ": not aligned to " +
                   std::to_string(kBundlePageSize));
  if (!rangeInside(entry.offset, entry.size, totalSize))
    return corrupt(place + ": outside of the file of " +
                   std::to_string(totalSize) + " bytes");
  if (entry.offset < previousEnd)
    return corrupt(place +
                   ": overlaps what comes before it, which ends at "
                   "byte " +
                   std::to_string(previousEnd));
  std::optional<uint64_t> expected =
      checkedAlign<uint64_t>(previousEnd, kBundlePageSize);
  if (!expected || entry.offset != *expected)
    return corrupt(place + ": a hole before it, which should end at byte " +
                   std::to_string(expected.value_or(previousEnd)));
  return Status::ok();
}

static Status checkCounts(std::span<const SectionEntry> sections) {
  auto count = [&](SectionKind kind) {
    return std::ranges::count(sections, kind, &SectionEntry::kind);
  };
  for (SectionKind kind :
       {SectionKind::Manifest, SectionKind::Weights, SectionKind::Kernels,
        SectionKind::Tokenizer, SectionKind::ChatTemplate, SectionKind::IR}) {
    bool isNeeded = kind == SectionKind::Manifest ||
                    kind == SectionKind::Weights ||
                    kind == SectionKind::Kernels;
    if (isNeeded && count(kind) == 0)
      return corrupt("section table: no " + std::string(sectionKindName(kind)) +
                     " section");
    if (kind != SectionKind::Kernels && count(kind) > 1)
      return corrupt("section table: " + std::to_string(count(kind)) + " " +
                     std::string(sectionKindName(kind)) +
                     " sections, expected at most one");
  }
  return Status::ok();
}

static Status checkSections(std::span<const SectionEntry> sections,
                            uint64_t totalSize) {
  uint64_t end = kBundlePageSize;
  for (size_t i = 0; i < sections.size(); ++i) {
    const SectionEntry &entry = sections[i];
    Status status = checkPlace(entry, end, totalSize);
    if (status.isOk())
      status = checkKind(entry);
    if (!status.isOk())
      return std::move(status).withContext(
          "section " + std::to_string(i) + " (" +
          std::string(sectionKindName(entry.kind)) + ")");
    end = entry.offset + entry.size;
  }
  std::optional<uint64_t> expected =
      checkedAlign<uint64_t>(end, kBundlePageSize);
  if (!expected || *expected != totalSize)
    return corrupt("section table: the sections end at byte " +
                   std::to_string(expected.value_or(end)) +
                   ", but the file has " + std::to_string(totalSize));
  return checkCounts(sections);
}

Status quern::verifyHeader(std::span<const std::byte> page, uint64_t fileSize,
                           FileHeader &header,
                           std::vector<SectionEntry> &sections) {
  if (page.empty())
    return corrupt("the file is empty, expected a bundle");
  if (page.size() >= sizeof(FileHeader)) {
    std::memcpy(&header, page.data(), sizeof(header));
    QUERN_RETURN_IF_ERROR(checkIdentity(header));
  }
  if (page.size() < kBundlePageSize)
    return corrupt("the file has " + std::to_string(fileSize) +
                   " bytes, a bundle has at least " +
                   std::to_string(kBundlePageSize));
  QUERN_RETURN_IF_ERROR(checkHeader(header, fileSize, page));

  auto table = page.subspan(sizeof(FileHeader),
                            header.sectionCount * sizeof(SectionEntry));
  uint64_t hash = hashBytes(table);
  if (hash != header.tableHash)
    return corrupt("section table: checksum is " + toHex(hash) + ", expected " +
                   toHex(header.tableHash));
  sections.resize(header.sectionCount);
  std::memcpy(sections.data(), table.data(), table.size());
  auto padding = page.subspan(sizeof(FileHeader) + table.size());
  auto stray = std::ranges::find_if(
      padding, [](std::byte value) { return value != std::byte(0); });
  if (stray != padding.end())
    return corrupt("byte " +
                   std::to_string(sizeof(FileHeader) + table.size() +
                                  (stray - padding.begin())) +
                   ": padding is not zero");
  return checkSections(sections, header.totalSize);
}
