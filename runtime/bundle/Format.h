//===- Format.h - Layout of a bundle file -----------------------*- C++ -*-===//
//
// A bundle is one page of header and section table, followed by sections that
// begin on page boundaries:
//
//   0      FileHeader            64 bytes
//   64     SectionEntry[count]   48 bytes each, sorted by offset
//          zeros up to 4096
//   4096   first section, zeros up to the next multiple of 4096
//   ...    further sections; the file ends on a multiple of 4096
//
// Sections neither overlap nor leave holes, and all padding is zero: every
// byte of the file is accounted for. Numbers are little-endian. A bundle holds
// machine code for a device and deserves the trust of an executable.
//
// The version is that of this layout and of the manifest's meaning. A writer
// records its own version and the oldest reader that understands the file;
// a reader refuses what needs a newer one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BUNDLE_FORMAT_H
#define QUERN_RUNTIME_BUNDLE_FORMAT_H

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quern {

static_assert(std::endian::native == std::endian::little,
              "bundles are read and written in place as little-endian data");

inline constexpr std::array<char, 8> kBundleMagic = {'Q', 'U', 'E', 'R',
                                                     'N', 'B', '1', '\n'};
inline constexpr uint32_t kBundleEndianMark = 0x04030201;
inline constexpr uint64_t kBundlePageSize = 4096;

struct FormatVersion {
  uint16_t major = 0;
  uint16_t minor = 0;

  auto operator<=>(const FormatVersion &) const = default;
};

/// The version that this code writes, and the newest that it reads.
inline constexpr FormatVersion kFormatVersion = {1, 0};
/// The oldest reader that understands what this code writes.
inline constexpr FormatVersion kMinReaderVersion = {1, 0};

enum class SectionKind : uint32_t {
  Manifest = 1,     ///< FlatBuffers Manifest; exactly one.
  Kernels = 2,      ///< Kernel code of one target; one per target.
  Tokenizer = 3,    ///< Tokenizer::serialize's blob; at most one.
  ChatTemplate = 4, ///< Jinja text, UTF-8; at most one.
  Weights = 5,      ///< Packed weights; exactly one.
  IR = 6,           ///< Compiler IR as text, for inspection; at most one.
};

/// "manifest", "kernels", ...; "unknown" for other values.
std::string_view sectionKindName(SectionKind kind);

/// SectionEntry::flags. A reader refuses a file with a required section of a
/// kind that it does not know, and ignores an optional one.
inline constexpr uint32_t kSectionRequired = 1;

struct FileHeader {
  std::array<char, 8> magic = kBundleMagic;
  uint32_t endianMark = kBundleEndianMark;
  FormatVersion version = kFormatVersion;
  FormatVersion minReader = kMinReaderVersion;
  uint32_t sectionCount = 0;
  uint64_t totalSize = 0;   ///< Of the file in bytes.
  uint64_t tableOffset = 0; ///< Of the section table: sizeof(FileHeader).
  uint64_t featureBits = 0; ///< Required features; none are defined yet.
  uint64_t tableHash = 0;   ///< hashBytes of the section table.
  uint64_t headerHash = 0;  ///< hashBytes of the preceding 56 bytes.
};
static_assert(sizeof(FileHeader) == 64 && alignof(FileHeader) == 8);
static_assert(offsetof(FileHeader, headerHash) == 56);

struct SectionEntry {
  SectionKind kind = SectionKind::Manifest;
  uint32_t flags = kSectionRequired;
  uint64_t offset = 0;
  uint64_t size = 0; ///< Without padding; never zero.
  uint64_t alignment = kBundlePageSize;
  uint64_t hash = 0; ///< hashBytes of the `size` bytes.
  uint64_t reserved = 0;
};
static_assert(sizeof(SectionEntry) == 48 && alignof(SectionEntry) == 8);

/// As many sections as the first page has room for.
inline constexpr uint32_t kMaxSections =
    (kBundlePageSize - sizeof(FileHeader)) / sizeof(SectionEntry);

// Limits on what is read into memory. Weights are mapped and have none.
inline constexpr uint64_t kMaxManifestBytes = uint64_t(256) << 20;
inline constexpr uint64_t kMaxKernelsBytes = uint64_t(1) << 30;
inline constexpr uint64_t kMaxTokenizerBytes = uint64_t(256) << 20;
inline constexpr uint64_t kMaxChatTemplateBytes = uint64_t(64) << 10;
inline constexpr uint64_t kMaxIRBytes = uint64_t(1) << 30;

/// Called with the bytes done and the bytes in total.
using ProgressCallback = std::function<void(uint64_t done, uint64_t total)>;

/// XXH3, 64 bits, seed 0. Detects damage, not forgery.
uint64_t hashBytes(std::span<const std::byte> bytes);

/// hashBytes of data that arrives in pieces.
class StreamHash {
public:
  StreamHash();
  StreamHash(StreamHash &&) noexcept;
  StreamHash &operator=(StreamHash &&) noexcept;
  ~StreamHash();

  void update(std::span<const std::byte> bytes);
  uint64_t finish() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace quern

#endif // QUERN_RUNTIME_BUNDLE_FORMAT_H
