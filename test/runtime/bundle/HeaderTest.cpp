//===- HeaderTest.cpp - Bad headers and section tables --------------------===//

#include "test/runtime/bundle/BundleTest.h"

using namespace quern;
using namespace quern::test;

namespace {

class HeaderTest : public BundleTest {
protected:
  /// A valid bundle whose header page is changed and sealed again is refused.
  void expectPageRefused(const std::function<void(HeaderPage &)> &change,
                         std::string_view message,
                         StatusCode code = StatusCode::Corrupt) {
    Bytes bytes = makeBytes();
    HeaderPage page(bytes);
    change(page);
    page.seal(bytes);
    expectCorrupt(bytes, message, code);
  }
};

} // namespace

// Group 43.

TEST_F(HeaderTest, EmptyFile) { expectCorrupt({}, "the file is empty"); }

TEST_F(HeaderTest, ShorterThanTheHeader) {
  Bytes bytes = makeBytes();
  expectCorrupt(std::span(bytes).first(7), "the file has 7 bytes");
  expectCorrupt(std::span(bytes).first(64), "the file has 64 bytes");
}

TEST_F(HeaderTest, WrongMagic) {
  Bytes bytes = makeBytes();
  std::memcpy(bytes.data(), "GGUF", 4);
  expectCorrupt(bytes, "not a bundle: it begins with 'GGUFNB1\\n'");
}

TEST_F(HeaderTest, OtherEndianness) {
  expectPageRefused(
      [](HeaderPage &page) { page.header.endianMark = 0x01020304; },
      "big-endian", StatusCode::Unsupported);
  expectPageRefused([](HeaderPage &page) { page.header.endianMark = 7; },
                    "byte order mark");
}

// Group 44.

TEST_F(HeaderTest, NewerMajorVersion) {
  expectPageRefused(
      [](HeaderPage &page) {
        page.header.version = {3, 1};
        page.header.minReader = {2, 0};
      },
      "format version 3.1 needs a reader of version 2.0 or newer, this one "
      "reads up to 1.0",
      StatusCode::Unsupported);
}

TEST_F(HeaderTest, NewerMinorVersionThatOldReadersUnderstand) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  page.header.version = {1, 9};
  page.seal(bytes);
  writeBytes(path, bytes);
  Result<Bundle> bundle = Bundle::open(path);
  EXPECT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
}

TEST_F(HeaderTest, VersionZeroOrOlderThanItsReader) {
  expectPageRefused(
      [](HeaderPage &page) {
        page.header.version = page.header.minReader = {0, 9};
      },
      "format version is 0.9");
  expectPageRefused(
      [](HeaderPage &page) {
        page.header.version = {0, 5};
        page.header.minReader = {1, 0};
      },
      "format version is 0.5");
}

TEST_F(HeaderTest, UnknownFeatureBit) {
  expectPageRefused([](HeaderPage &page) { page.header.featureBits = 4; },
                    "needs the features 0x0000000000000004",
                    StatusCode::Unsupported);
}

// Group 45.

TEST_F(HeaderTest, TotalSizeOfAnotherFile) {
  Bytes bytes = makeBytes();
  Bytes longer = bytes;
  longer.resize(bytes.size() + 4096);
  expectCorrupt(longer, "the file has " + std::to_string(longer.size()) +
                            " bytes, expected " + std::to_string(bytes.size()));
  expectCorrupt(std::span(bytes).first(bytes.size() - 1),
                "bytes, expected " + std::to_string(bytes.size()));
}

// Group 46.

TEST_F(HeaderTest, SectionCount) {
  for (uint32_t count : {0u, kMaxSections + 1, UINT32_MAX})
    expectPageRefused(
        [=](HeaderPage &page) { page.header.sectionCount = count; },
        std::to_string(count) + " sections, expected 1 to 84");
}

TEST_F(HeaderTest, TableElsewhere) {
  for (uint64_t offset : {uint64_t(0), uint64_t(4096), ~uint64_t(0)})
    expectPageRefused(
        [=](HeaderPage &page) { page.header.tableOffset = offset; },
        "section table at byte " + std::to_string(offset));
}

TEST_F(HeaderTest, SectionOffsetPlusSizeWraps) {
  expectPageRefused(
      [](HeaderPage &page) {
        page.sections[1].size = ~uint64_t(0) - page.sections[1].offset + 2;
      },
      "section 1 (manifest)");
  expectPageRefused(
      [](HeaderPage &page) {
        page.sections[1].offset = ~uint64_t(0) - 4095;
        page.sections[1].size = 8192;
      },
      "outside of the file");
}

TEST_F(HeaderTest, SectionOutsideOfTheFile) {
  expectPageRefused(
      [](HeaderPage &page) {
        page.find(SectionKind::Weights).size = page.header.totalSize;
      },
      "(weights): ");
}

TEST_F(HeaderTest, SectionUnaligned) {
  expectPageRefused([](HeaderPage &page) { page.sections[2].offset += 8; },
                    "not aligned to 4096");
  expectPageRefused([](HeaderPage &page) { page.sections[2].alignment = 64; },
                    "alignment is 64, expected 4096");
}

TEST_F(HeaderTest, SectionsOverlap) {
  expectPageRefused([](HeaderPage &page) { page.sections[1].offset = 4096; },
                    "overlaps what comes before it");
}

TEST_F(HeaderTest, SectionOverlapsTheHeader) {
  expectPageRefused([](HeaderPage &page) { page.sections[0].offset = 0; },
                    "section 0 (kernels): ");
}

TEST_F(HeaderTest, HoleBetweenSections) {
  expectPageRefused([](HeaderPage &page) { page.sections[1].offset += 4096; },
                    "a hole before it");
}

TEST_F(HeaderTest, HoleAtTheEnd) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  bytes.resize(bytes.size() + 4096);
  page.header.totalSize += 4096;
  page.seal(bytes);
  expectCorrupt(bytes, "the sections end at byte");
}

TEST_F(HeaderTest, EmptySection) {
  expectPageRefused([](HeaderPage &page) { page.sections[2].size = 0; },
                    "section 2 (tokenizer): empty");
}

TEST_F(HeaderTest, UnknownRequiredKind) {
  expectPageRefused(
      [](HeaderPage &page) {
        page.find(SectionKind::Tokenizer).kind = SectionKind(99);
      },
      "unknown kind 99, which the bundle marks as required",
      StatusCode::Unsupported);
}

TEST_F(HeaderTest, UnknownOptionalKindIsIgnored) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  page.find(SectionKind::Tokenizer).flags = 0;
  page.find(SectionKind::Tokenizer).kind = SectionKind(99);
  page.seal(bytes);
  writeBytes(path, bytes);
  BundleOptions options;
  options.verifyWeights = true;
  Result<Bundle> bundle = Bundle::open(path, options);
  ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  EXPECT_TRUE(bundle->getTokenizer().empty());
}

TEST_F(HeaderTest, UnknownFlag) {
  expectPageRefused([](HeaderPage &page) { page.sections[0].flags = 3; },
                    "unknown flags", StatusCode::Unsupported);
}

TEST_F(HeaderTest, ReservedField) {
  expectPageRefused([](HeaderPage &page) { page.sections[0].reserved = 3; },
                    "reserved field");
}

TEST_F(HeaderTest, DuplicateKind) {
  for (SectionKind kind : {SectionKind::Manifest, SectionKind::Weights})
    expectPageRefused(
        [=](HeaderPage &page) {
          page.find(SectionKind::Tokenizer).kind = kind;
        },
        "2 " + std::string(sectionKindName(kind)) +
            " sections, expected at most one");
}

TEST_F(HeaderTest, MissingKind) {
  for (SectionKind kind :
       {SectionKind::Manifest, SectionKind::Weights, SectionKind::Kernels})
    expectPageRefused(
        [=](HeaderPage &page) {
          page.find(kind).flags = 0;
          page.find(kind).kind = SectionKind(99);
        },
        "no " + std::string(sectionKindName(kind)) + " section");
}

TEST_F(HeaderTest, ChatTemplateTooLong) {
  expectRefused([](TinyBundle &tiny) { tiny.chatTemplate.assign(65537, 'x'); },
                "65537 bytes, expected at most 65536");
}

TEST_F(HeaderTest, ChatTemplateNotUtf8) {
  expectRefused([](TinyBundle &tiny) { tiny.chatTemplate = "a\xff"; },
                "chat template section: not UTF-8");
}

// Group 53.

TEST_F(HeaderTest, Checksums) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  for (SectionKind kind : {SectionKind::Manifest, SectionKind::Kernels,
                           SectionKind::Tokenizer, SectionKind::ChatTemplate}) {
    Bytes changed = bytes;
    changed[page.find(kind).offset + 9] ^= std::byte(1);
    expectCorrupt(changed, std::string(sectionKindName(kind)) +
                               " section: checksum is ");
  }
}

TEST_F(HeaderTest, ChecksumsOnRequest) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  for (SectionKind kind : {SectionKind::Weights, SectionKind::IR}) {
    Bytes changed = bytes;
    changed[page.find(kind).offset + 5] ^= std::byte(1);
    writeBytes(path, changed);
    EXPECT_TRUE(Bundle::open(path).isOk());
    BundleOptions options;
    options.verifyWeights = true;
    expectFailure(options, StatusCode::Corrupt,
                  std::string(sectionKindName(kind)) +
                      " section: checksum is ");
  }
}

TEST_F(HeaderTest, PaddingIsZero) {
  Bytes bytes = makeBytes();
  HeaderPage page(bytes);
  for (uint64_t offset :
       {uint64_t(4095), uint64_t(page.find(SectionKind::Manifest).offset - 1),
        uint64_t(bytes.size() - 1)}) {
    Bytes changed = bytes;
    changed[offset] = std::byte(1);
    expectCorrupt(changed,
                  "byte " + std::to_string(offset) + ": padding is not zero");
  }
}
