//===- Bundle.cpp - Reading a bundle --------------------------------------===//

#include "runtime/bundle/Bundle.h"

#include "runtime/base/Allocation.h"
#include "runtime/base/Escape.h"
#include "runtime/base/Fault.h"
#include "runtime/bundle/Verifier.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>
#include <new>

using namespace quern;

/// What is read at once while a large section is loaded or hashed.
static constexpr uint64_t kChunkBytes = uint64_t(4) << 20;

void Bundle::FreeDeleter::operator()(std::byte *memory) const {
  std::free(memory);
}

static std::string describe(const SectionEntry &entry) {
  return std::string(sectionKindName(entry.kind)) + " section";
}

static Status checkHash(const SectionEntry &entry, uint64_t hash) {
  if (hash == entry.hash)
    return Status::ok();
  return corrupt(describe(entry) + ": checksum is " + std::to_string(hash) +
                 ", expected " + std::to_string(entry.hash) +
                 "; the file is damaged");
}

static Result<std::vector<std::byte>> allocateBytes(uint64_t size,
                                                    std::string_view what) {
  auto fail = [&] {
    return resourceExhausted(std::string(what) + ": cannot allocate " +
                             std::to_string(size) + " bytes");
  };
  if (faultAt(FaultPoint::Allocate) == FaultKind::Fail)
    return fail();
  try {
    return std::vector<std::byte>(size);
  } catch (const std::bad_alloc &) {
    return fail();
  }
}

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

Result<Bundle> Bundle::open(const std::string &path,
                            const BundleOptions &options) {
  // Sizes that depend on the file are allocated where their failure is
  // reported with the size; this is for the small rest.
  return guardAllocation("opening a bundle", [&]() -> Result<Bundle> {
    Bundle bundle;
    QUERN_RETURN_IF_ERROR(bundle.load(path, options));
    return bundle;
  });
}

Status Bundle::load(const std::string &path, const BundleOptions &options) {
  QUERN_ASSIGN_OR_RETURN(file, File::open(path));
  std::array<std::byte, kBundlePageSize> page;
  auto firstPage =
      std::span(page).first(std::min<uint64_t>(page.size(), file.getSize()));
  QUERN_RETURN_IF_ERROR(file.readAt(0, firstPage));
  Status status = verifyHeader(firstPage, file.getSize(), header, sections);
  if (status.isOk())
    status = loadContents();
  if (status.isOk() && options.loadWeights)
    status = loadWeightSection(options);
  if (status.isOk() && options.verifyWeights)
    status = verifyAllHashes(options.progress);
  return nameFile(std::move(status));
}

/// Errors of the file system carry the path already; others get it here.
Status Bundle::nameFile(Status status) const {
  if (status.isOk() || status.getMessage().starts_with(getName() + ": "))
    return status;
  return std::move(status).withContext(getName());
}

/// Whether the section is read when the bundle is opened.
static bool isReadAtOpen(SectionKind kind) {
  return kind == SectionKind::Manifest || kind == SectionKind::Kernels ||
         kind == SectionKind::Tokenizer || kind == SectionKind::ChatTemplate;
}

Result<std::vector<std::byte>>
Bundle::readSection(const SectionEntry &entry) const {
  QUERN_ASSIGN_OR_RETURN(std::vector<std::byte> bytes,
                         allocateBytes(entry.size, describe(entry)));
  QUERN_RETURN_IF_ERROR(file.readAt(entry.offset, bytes));
  QUERN_RETURN_IF_ERROR(checkHash(entry, hashBytes(bytes)));
  return bytes;
}

/// Padding after a section is zero, so that every byte of the file means
/// something or is known to mean nothing.
static Status checkPadding(const File &file, const SectionEntry &entry) {
  uint64_t end = entry.offset + entry.size;
  std::array<std::byte, kBundlePageSize> page;
  uint64_t length = (kBundlePageSize - end % kBundlePageSize) % kBundlePageSize;
  auto padding = std::span(page).first(length);
  QUERN_RETURN_IF_ERROR(file.readAt(end, padding));
  for (uint64_t i = 0; i < length; ++i)
    if (padding[i] != std::byte(0))
      return corrupt("byte " + std::to_string(end + i) +
                     ": padding is not zero");
  return Status::ok();
}

Status Bundle::loadContents() {
  contents.resize(sections.size());
  for (size_t i = 0; i < sections.size(); ++i) {
    const SectionEntry &entry = sections[i];
    QUERN_RETURN_IF_ERROR(checkPadding(file, entry));
    if (!isReadAtOpen(entry.kind))
      continue;
    QUERN_ASSIGN_OR_RETURN(contents[i], readSection(entry));
    std::string_view text(reinterpret_cast<const char *>(contents[i].data()),
                          contents[i].size());
    switch (entry.kind) {
    case SectionKind::Manifest:
      QUERN_RETURN_IF_ERROR(verifyManifestBuffer(contents[i]));
      manifest = bundle::GetManifest(contents[i].data());
      break;
    case SectionKind::Tokenizer:
      tokenizer = contents[i];
      break;
    case SectionKind::ChatTemplate:
      if (!isValidUtf8(text))
        return corrupt("chat template section: not UTF-8");
      chatTemplate = text;
      break;
    default:
      break;
    }
  }
  assert(manifest && "verifyHeader finds exactly one manifest");
  return verifyManifest(*manifest, {sections, contents});
}

Status Bundle::loadWeightSection(const BundleOptions &options) {
  const SectionEntry &entry =
      *std::ranges::find(sections, SectionKind::Weights, &SectionEntry::kind);
  if (options.mapWeights) {
    QUERN_ASSIGN_OR_RETURN(mapping, MappedFile::map(file));
    weights = mapping.getBytes().subspan(entry.offset, entry.size);
    return Status::ok();
  }
  // The padding of the last page is part of the file: see Format.h.
  uint64_t padded = (entry.size + kBundlePageSize - 1) & ~(kBundlePageSize - 1);
  void *memory = faultAt(FaultPoint::Allocate) == FaultKind::Fail
                     ? nullptr
                     : std::aligned_alloc(kBundlePageSize, padded);
  if (!memory)
    return resourceExhausted("weights section: cannot allocate " +
                             std::to_string(padded) + " bytes");
  weightMemory.reset(static_cast<std::byte *>(memory));
  std::span<std::byte> bytes(weightMemory.get(), padded);
  for (uint64_t done = 0; done < padded;) {
    uint64_t length = std::min(kChunkBytes, padded - done);
    QUERN_RETURN_IF_ERROR(
        file.readAt(entry.offset + done, bytes.subspan(done, length)));
    done += length;
    if (options.progress)
      options.progress(std::min(done, entry.size), entry.size);
  }
  weights = bytes.first(entry.size);
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

const bundle::Manifest &Bundle::getManifest() const { return *manifest; }

uint32_t Bundle::getTargetCount() const { return manifest->targets()->size(); }

const bundle::TargetPrograms &Bundle::getTarget(uint32_t target) const {
  assert(target < getTargetCount() && "target out of range");
  return *manifest->targets()->Get(target);
}

std::span<const std::byte> Bundle::getKernels(uint32_t target) const {
  return contents[getTarget(target).kernels_section()];
}

std::span<const std::byte> Bundle::getKernelCode(uint32_t target,
                                                 uint32_t kernel) const {
  assert(kernel < getTarget(target).kernels()->size() && "kernel out of range");
  const bundle::Kernel &entry = *getTarget(target).kernels()->Get(kernel);
  return getKernels(target).subspan(entry.code_offset(), entry.code_size());
}

std::span<const std::byte> Bundle::getBinaryCode(uint32_t target,
                                                 uint32_t kernel,
                                                 uint32_t architecture) const {
  const auto *binaries = getTarget(target).kernels()->Get(kernel)->binaries();
  assert(binaries && architecture < binaries->size() &&
         "architecture out of range");
  const bundle::Binary &entry = *binaries->Get(architecture);
  return getKernels(target).subspan(entry.code_offset(), entry.code_size());
}

Result<std::string> Bundle::readIR() const {
  auto entry =
      std::ranges::find(sections, SectionKind::IR, &SectionEntry::kind);
  if (entry == sections.end())
    return notFound(getName() + ": the bundle holds no IR");
  Result<std::vector<std::byte>> bytes = readSection(*entry);
  if (!bytes.isOk())
    return nameFile(std::move(bytes).takeStatus());
  return std::string(reinterpret_cast<const char *>(bytes->data()),
                     bytes->size());
}

Status Bundle::verifyAllHashes(const ProgressCallback &progress) const {
  uint64_t total = 0;
  for (const SectionEntry &entry : sections)
    total += isReadAtOpen(entry.kind) ? 0 : entry.size;
  QUERN_ASSIGN_OR_RETURN(
      std::vector<std::byte> chunk,
      allocateBytes(std::min(kChunkBytes, total), getName()));
  uint64_t done = 0;
  for (const SectionEntry &entry : sections) {
    if (isReadAtOpen(entry.kind))
      continue;
    StreamHash hash;
    for (uint64_t read = 0; read < entry.size;) {
      auto bytes = std::span(chunk).first(
          std::min<uint64_t>(chunk.size(), entry.size - read));
      QUERN_RETURN_IF_ERROR(file.readAt(entry.offset + read, bytes));
      hash.update(bytes);
      read += bytes.size();
      done += bytes.size();
      if (progress)
        progress(done, total);
    }
    QUERN_RETURN_IF_ERROR(nameFile(checkHash(entry, hash.finish())));
  }
  return Status::ok();
}
