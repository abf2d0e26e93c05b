//===- BundleTest.h - Shared by the bundle's tests --------------*- C++ -*-===//
#ifndef QUERN_TEST_RUNTIME_BUNDLE_BUNDLETEST_H
#define QUERN_TEST_RUNTIME_BUNDLE_BUNDLETEST_H

#include "runtime/base/File.h"
#include "test/runtime/bundle/TinyBundle.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

namespace quern::test {

/// A fixture with a folder of its own, which has to be empty of temporary
/// files in the end.
class BundleTest : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "quern-bundle-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    path = folder + "/tiny.quern";
  }

  void TearDown() override { std::filesystem::remove_all(folder); }

  using Bytes = std::vector<std::byte>;

  static Bytes readBytes(const std::string &name) {
    Result<std::string> text = readWholeFile(name, uint64_t(1) << 30);
    EXPECT_TRUE(text.isOk()) << text.getStatus().getMessage();
    auto span = std::as_bytes(std::span(*text));
    return Bytes(span.begin(), span.end());
  }

  static void writeBytes(const std::string &name,
                         std::span<const std::byte> bytes) {
    std::ofstream file(name, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char *>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good());
  }

  /// The bytes of a valid bundle.
  Bytes makeBytes() {
    Status status = makeTinyBundle().write(path);
    EXPECT_TRUE(status.isOk()) << status.getMessage();
    return readBytes(path);
  }

  void expectFailure(const BundleOptions &options, StatusCode code,
                     std::string_view message) {
    Result<Bundle> bundle = Bundle::open(path, options);
    ASSERT_FALSE(bundle.isOk()) << "expected: " << message;
    EXPECT_EQ(bundle.getStatus().getCode(), code)
        << bundle.getStatus().getMessage();
    EXPECT_NE(bundle.getStatus().getMessage().find(message), std::string::npos)
        << "found:    " << bundle.getStatus().getMessage()
        << "\nexpected: " << message;
    EXPECT_TRUE(bundle.getStatus().getMessage().starts_with(path + ": "))
        << bundle.getStatus().getMessage();
  }

  /// Opening a file of these bytes fails.
  void expectCorrupt(std::span<const std::byte> bytes, std::string_view message,
                     StatusCode code = StatusCode::Corrupt) {
    writeBytes(path, bytes);
    expectFailure({}, code, message);
  }

  /// A tiny bundle changed by `change` is refused.
  void expectRefused(const std::function<void(TinyBundle &)> &change,
                     std::string_view message,
                     StatusCode code = StatusCode::Corrupt) {
    TinyBundle tiny = makeTinyBundle();
    change(tiny);
    Status written = tiny.write(path);
    ASSERT_TRUE(written.isOk()) << written.getMessage();
    expectFailure({}, code, message);
  }

  /// A tiny bundle changed by `change` is still fine.
  void expectAccepted(const std::function<void(TinyBundle &)> &change) {
    TinyBundle tiny = makeTinyBundle();
    change(tiny);
    Status written = tiny.write(path);
    ASSERT_TRUE(written.isOk()) << written.getMessage();
    Result<Bundle> bundle = Bundle::open(path);
    EXPECT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  }

  std::string folder;
  std::string path;
};

/// Header and section table of a bundle in memory, for tests that change them.
struct HeaderPage {
  FileHeader header;
  std::vector<SectionEntry> sections;

  explicit HeaderPage(std::span<const std::byte> bytes) {
    std::memcpy(&header, bytes.data(), sizeof(header));
    sections.resize(header.sectionCount);
    std::memcpy(sections.data(), bytes.data() + sizeof(header),
                sections.size() * sizeof(SectionEntry));
  }

  SectionEntry &find(SectionKind kind) {
    for (SectionEntry &entry : sections)
      if (entry.kind == kind)
        return entry;
    std::abort();
  }

  /// Writes both back with right hashes.
  void seal(std::span<std::byte> bytes) {
    auto table = std::as_bytes(std::span(sections));
    std::memcpy(bytes.data() + sizeof(header), table.data(), table.size());
    header.tableHash = hashBytes(bytes.subspan(
        sizeof(header), std::min<size_t>(header.sectionCount, kMaxSections) *
                            sizeof(SectionEntry)));
    header.headerHash = hashBytes(std::as_bytes(std::span(&header, 1))
                                      .first(offsetof(FileHeader, headerHash)));
    std::memcpy(bytes.data(), &header, sizeof(header));
  }
};

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_BUNDLE_BUNDLETEST_H
