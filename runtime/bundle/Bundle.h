//===- Bundle.h - Reading a bundle ------------------------------*- C++ -*-===//
//
// Opens a bundle once and verifies header, section table, manifest and kernels
// in full before anything is handed out; see Verifier.h for what is checked.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BUNDLE_BUNDLE_H
#define QUERN_RUNTIME_BUNDLE_BUNDLE_H

#include "runtime/base/File.h"
#include "runtime/base/Status.h"
#include "runtime/bundle/Format.h"
#include "runtime/bundle/Manifest.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

struct BundleOptions {
  /// Check the hash of the weights, IR and unknown sections too: reads all of
  /// the file.
  bool verifyWeights = false;
  /// Map the weights. Otherwise they are read into memory, which survives a
  /// file that shrinks while it is in use.
  bool mapWeights = true;
  /// Leave the weights alone: getWeights() is empty. For inspection.
  bool loadWeights = true;
  /// Called while weights are read or hashed.
  ProgressCallback progress;
};

/// An open, verified bundle. Movable; the spans and tables that it hands out
/// live as long as the object, also when it is moved. Const methods may be
/// called from several threads.
class Bundle {
public:
  /// NotFound or IoError if the file can't be read, Corrupt if it breaks the
  /// format, Unsupported if it needs a newer reader or an unknown feature,
  /// ResourceExhausted if memory is short. Messages begin with the path.
  static Result<Bundle> open(const std::string &path,
                             const BundleOptions &options = {});

  Bundle(Bundle &&) noexcept = default;
  Bundle &operator=(Bundle &&) noexcept = default;

  /// Every index, range and enum in it has been verified.
  const bundle::Manifest &getManifest() const;
  uint32_t getTargetCount() const;
  const bundle::TargetPrograms &getTarget(uint32_t target) const;

  /// The weights section, page-aligned, in the order and at the offsets of
  /// Manifest.weights. The memory is readable up to the end of its last page,
  /// with zeros behind the section.
  std::span<const std::byte> getWeights() const { return weights; }

  /// The code of one kernel: 4-byte aligned, a multiple of 4 bytes.
  std::span<const std::byte> getKernelCode(uint32_t target,
                                           uint32_t kernel) const;
  /// Its code for the architecture of that number.
  std::span<const std::byte> getBinaryCode(uint32_t target, uint32_t kernel,
                                           uint32_t architecture) const;
  /// The kernels section of a target.
  std::span<const std::byte> getKernels(uint32_t target) const;

  /// The blob for Tokenizer::deserialize (16-byte aligned), or empty if the
  /// bundle has none.
  std::span<const std::byte> getTokenizer() const { return tokenizer; }
  /// Empty if the bundle has none. UTF-8.
  std::string_view getChatTemplate() const { return chatTemplate; }

  /// Reads the IR text from the file and checks its hash; NotFound if the
  /// bundle has none.
  Result<std::string> readIR() const;

  /// Checks the hash of every section that open() has not checked.
  Status verifyAllHashes(const ProgressCallback &progress = nullptr) const;

  const FileHeader &getHeader() const { return header; }
  std::span<const SectionEntry> getSections() const { return sections; }
  /// The path as used in messages: escaped.
  const std::string &getName() const { return file.getName(); }

private:
  Bundle() = default;
  Status load(const std::string &path, const BundleOptions &options);
  Status loadWeightSection(const BundleOptions &options);
  Result<std::vector<std::byte>> readSection(const SectionEntry &entry) const;
  Status loadContents();
  Status nameFile(Status status) const;

  struct FreeDeleter {
    void operator()(std::byte *memory) const;
  };

  File file;
  FileHeader header;
  std::vector<SectionEntry> sections;
  /// The bytes of sections that are read, by section index; empty for others.
  std::vector<std::vector<std::byte>> contents;
  const bundle::Manifest *manifest = nullptr;
  std::span<const std::byte> tokenizer;
  std::string_view chatTemplate;
  std::span<const std::byte> weights;
  MappedFile mapping;
  std::unique_ptr<std::byte, FreeDeleter> weightMemory;
};

} // namespace quern

#endif // QUERN_RUNTIME_BUNDLE_BUNDLE_H
