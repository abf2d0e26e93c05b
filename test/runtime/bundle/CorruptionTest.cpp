//===- CorruptionTest.cpp - Truncated and damaged bundles -----------------===//

#include "runtime/bundle/Verifier.h"
#include "test/runtime/bundle/BundleTest.h"
#include "test/runtime/bundle/Visit.h"

#include <chrono>
#include <unistd.h>

using namespace quern;
using namespace quern::test;

namespace {
class CorruptionTest : public BundleTest {};
} // namespace

// F2.
TEST_F(CorruptionTest, EveryPrefix) {
  Bytes bytes = makeBytes();
  ASSERT_LT(bytes.size(), 65536u);
  for (size_t size = bytes.size(); size-- > 0;) {
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(size)), 0);
    Result<Bundle> bundle = Bundle::open(path);
    ASSERT_FALSE(bundle.isOk()) << size;
    EXPECT_EQ(bundle.getStatus().getCode(), StatusCode::Corrupt);
    EXPECT_TRUE(bundle.getStatus().getMessage().starts_with(path));
  }
}

// F2, with a header that claims the shortened size.
TEST_F(CorruptionTest, EveryPrefixWithMatchingHeader) {
  Bytes bytes = makeBytes();
  for (size_t size = kBundlePageSize; size < bytes.size(); size += 64) {
    Bytes prefix(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    HeaderPage page(prefix);
    page.header.totalSize = size;
    page.seal(prefix);
    writeBytes(path, prefix);
    ASSERT_FALSE(Bundle::open(path).isOk()) << size;
  }
}

// F3: every byte but weights and IR is known, so that each flip is an error.
TEST_F(CorruptionTest, EveryBitOfHeaderAndManifest) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  const SectionEntry &manifest = page.find(SectionKind::Manifest);
  uint64_t end = manifest.offset + manifest.size;
  for (uint64_t at = 0; at < end; ++at) {
    // The kernels lie between; one bit of each of their bytes is enough.
    bool isDense = at < kBundlePageSize || at >= manifest.offset;
    for (int bit = 0; bit < (isDense ? 8 : 1); ++bit) {
      bytes[at] ^= std::byte(1 << bit);
      FILE *file = std::fopen(path.c_str(), "r+");
      ASSERT_NE(file, nullptr);
      std::fseek(file, static_cast<long>(at), SEEK_SET);
      std::fputc(static_cast<int>(bytes[at]), file);
      std::fclose(file);
      ASSERT_FALSE(Bundle::open(path).isOk()) << at << " bit " << bit;
      bytes[at] ^= std::byte(1 << bit);
    }
    FILE *file = std::fopen(path.c_str(), "r+");
    std::fseek(file, static_cast<long>(at), SEEK_SET);
    std::fputc(static_cast<int>(bytes[at]), file);
    std::fclose(file);
  }
  EXPECT_TRUE(Bundle::open(path).isOk());
}

// F3 without the protection of checksums: each flip is an error, or harmless.
TEST_F(CorruptionTest, EveryBitOfTheManifestBehindTheChecksum) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  size_t index = 0;
  while (page.sections[index].kind != SectionKind::Manifest)
    ++index;
  std::vector<Bytes> contents;
  contents.reserve(std::size(page.sections));
  for (const SectionEntry &entry : page.sections)
    contents.emplace_back(
        bytes.begin() + static_cast<ptrdiff_t>(entry.offset),
        bytes.begin() + static_cast<ptrdiff_t>(entry.offset + entry.size));
  BundleSections sections{page.sections, contents};
  uint64_t accepted = 0, refused = 0;
  Bytes &manifest = contents[index];
  for (std::byte &byte : manifest)
    for (int bit = 0; bit < 8; ++bit) {
      byte ^= std::byte(1 << bit);
      bool isOk = verifyManifestBuffer(manifest).isOk();
      if (isOk) {
        const bundle::Manifest &root = *bundle::GetManifest(manifest.data());
        isOk = verifyManifest(root, sections).isOk();
        if (isOk)
          visitManifest(root, sections);
      }
      (isOk ? accepted : refused) += 1;
      byte ^= std::byte(1 << bit);
    }
  // Names, labels and figures may change freely; offsets and sizes not.
  EXPECT_GT(refused, accepted);
}

// F3: the second half of the file is overwritten.
TEST_F(CorruptionTest, SecondHalfOverwritten) {
  Bytes bytes = makeBytes();
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(bytes.size() / 2),
            bytes.end(), std::byte(0x55));
  writeBytes(path, bytes);
  EXPECT_EQ(Bundle::open(path).getStatus().getCode(), StatusCode::Corrupt);
}

// Group 47.

TEST_F(CorruptionTest, ManifestThatIsNoFlatBuffer) {
  alignas(8) std::byte zeros[64] = {};
  for (size_t size : {size_t(0), size_t(7), size_t(64)})
    EXPECT_EQ(verifyManifestBuffer(std::span(zeros).first(size)).getCode(),
              StatusCode::Corrupt);
  // The identifier alone, with a root offset that points outside.
  std::memcpy(zeros + 4, "QRNM", 4);
  for (uint32_t root : {0u, 1u, 60u, 63u, 64u, 0x7fffffffu, 0xffffffffu}) {
    std::memcpy(zeros, &root, 4);
    EXPECT_FALSE(verifyManifestBuffer(zeros).isOk()) << root;
  }
}

TEST_F(CorruptionTest, ManifestTooLarge) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  uint64_t size = kMaxManifestBytes + 4096;
  page.sections[1].size = size;
  page.sections.resize(2);
  page.header.sectionCount = 2;
  page.header.totalSize = page.sections[1].offset + size;
  std::fill(bytes.begin() + sizeof(FileHeader), bytes.begin() + kBundlePageSize,
            std::byte(0));
  page.seal(bytes);
  bytes.resize(page.sections[1].offset);
  writeBytes(path, bytes);
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(page.header.totalSize)),
            0);
  expectFailure({}, StatusCode::Corrupt, "expected at most 268435456");
}

TEST_F(CorruptionTest, MoreTablesThanTheManifestHasRoomFor) {
  // A vector of one layer's dispatches that all are the same table is legal
  // FlatBuffers; a million uses of it are not ours.
  flatbuffers::FlatBufferBuilder builder;
  auto name = builder.CreateString("x");
  auto weight = bundle::CreateWeight(builder, name);
  std::vector<flatbuffers::Offset<bundle::Weight>> weights(1100000, weight);
  auto list = builder.CreateVector(weights);
  auto model = bundle::CreateModel(builder, name);
  bundle::ManifestBuilder manifest(builder);
  manifest.add_model(model);
  manifest.add_weights(list);
  bundle::FinishManifestBuffer(builder, manifest.Finish());
  auto bytes = std::as_bytes(builder.GetBufferSpan());
  Bytes aligned(bytes.begin(), bytes.end());
  EXPECT_FALSE(verifyManifestBuffer(aligned).isOk());
}

TEST_F(CorruptionTest, SharedStringListsDoNotTakeQuadraticTime) {
  flatbuffers::FlatBufferBuilder builder;
  auto name = builder.CreateString("x");
  std::vector<flatbuffers::Offset<flatbuffers::String>> names(200000, name);
  auto sources = builder.CreateVector(names);
  bundle::WeightBuilder shared(builder);
  shared.add_name(name);
  shared.add_sources(sources);
  auto weight = shared.Finish();
  std::vector<flatbuffers::Offset<bundle::Weight>> weights(200000, weight);
  auto list = builder.CreateVector(weights);
  auto model = bundle::CreateModel(builder, name);
  bundle::ManifestBuilder manifest(builder);
  manifest.add_model(model);
  manifest.add_weights(list);
  bundle::FinishManifestBuffer(builder, manifest.Finish());
  auto bytes = std::as_bytes(builder.GetBufferSpan());
  Bytes aligned(bytes.begin(), bytes.end());
  auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(verifyManifestBuffer(aligned).isOk());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}
