//===- ReadTest.cpp - Reading valid bundles -------------------------------===//

#include "test/runtime/bundle/BundleTest.h"

#include <sys/stat.h>
#include <unistd.h>

using namespace quern;
using namespace quern::test;

namespace {

class ReadTest : public BundleTest {};

} // namespace

static std::string_view toText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

TEST_F(ReadTest, EverySectionComesBack) {
  TinyBundle tiny = makeTinyBundle();
  ASSERT_TRUE(tiny.write(path).isOk());
  for (bool map : {true, false}) {
    BundleOptions options;
    options.mapWeights = map;
    options.verifyWeights = true;
    Result<Bundle> opened = Bundle::open(path, options);
    ASSERT_TRUE(opened.isOk()) << opened.getStatus().getMessage();
    Bundle bundle = std::move(*opened); // Spans outlive a move.
    EXPECT_EQ(toText(bundle.getWeights()), toText(tiny.weights));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bundle.getWeights().data()) %
                  kBundlePageSize,
              0u);
    EXPECT_EQ(toText(bundle.getKernels(0)), toText(tiny.kernels));
    EXPECT_EQ(toText(bundle.getTokenizer()), toText(tiny.tokenizer));
    EXPECT_EQ(bundle.getChatTemplate(), tiny.chatTemplate);
    EXPECT_EQ(*bundle.readIR(), tiny.ir);
    EXPECT_EQ(toView(bundle.getManifest().model()->family()), "qwen3");
    EXPECT_EQ(bundle.getTargetCount(), 1u);
    EXPECT_EQ(bundle.getTarget(0).programs()->size(), 4u);
    for (uint32_t i = 0; i < tiny.target().kernels.size(); ++i) {
      auto words = makeSpirv("main", {32, 1, 1});
      EXPECT_EQ(toText(bundle.getKernelCode(0, i)),
                toText(std::as_bytes(std::span(words))));
    }
  }
}

TEST_F(ReadTest, ManifestSurvivesTheRoundTrip) {
  TinyBundle tiny = makeTinyBundle();
  ASSERT_TRUE(tiny.write(path).isOk());
  Result<Bundle> bundle = Bundle::open(path);
  ASSERT_TRUE(bundle.isOk());
  std::unique_ptr<bundle::ManifestT> copy(bundle->getManifest().UnPack());
  EXPECT_EQ(serializeManifest(*copy), serializeManifest(tiny.manifest));
}

TEST_F(ReadTest, OptionalSectionsMayBeAbsent) {
  TinyBundle tiny = makeTinyBundle();
  tiny.tokenizer.clear();
  tiny.chatTemplate.clear();
  tiny.ir.clear();
  ASSERT_TRUE(tiny.write(path).isOk());
  Result<Bundle> bundle = Bundle::open(path);
  ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  EXPECT_TRUE(bundle->getTokenizer().empty());
  EXPECT_TRUE(bundle->getChatTemplate().empty());
  EXPECT_EQ(bundle->readIR().getStatus().getCode(), StatusCode::NotFound);
}

TEST_F(ReadTest, WeightsAreLeftAloneOnRequest) {
  ASSERT_TRUE(makeTinyBundle().write(path).isOk());
  BundleOptions options;
  options.loadWeights = false;
  Result<Bundle> bundle = Bundle::open(path, options);
  ASSERT_TRUE(bundle.isOk());
  EXPECT_TRUE(bundle->getWeights().empty());
}

// F18: a bundle of each released format version.
TEST_F(ReadTest, FixtureOfFormatVersion1) {
  std::string fixture =
      std::string(QUERN_SOURCE_DIR) + "/test/data/bundles/tiny-1.0.quern";
  BundleOptions options;
  options.verifyWeights = true;
  Result<Bundle> bundle = Bundle::open(fixture, options);
  ASSERT_TRUE(bundle.isOk()) << bundle.getStatus().getMessage();
  EXPECT_EQ(bundle->getHeader().version, (FormatVersion{1, 0}));
  EXPECT_EQ(toView(bundle->getManifest().model()->name()), "tiny");
  EXPECT_EQ(bundle->getManifest().model()->vocab_size(), 32u);
  EXPECT_EQ(bundle->getTarget(0).programs()->size(), 4u);
  EXPECT_EQ(bundle->getWeights().size(), 1280u);
}

// Group 43.
TEST_F(ReadTest, OtherKindsOfFiles) {
  expectFailure({}, StatusCode::NotFound, "cannot open");
  std::string pipe = folder + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const auto &[name, message] :
       {std::pair(pipe, "a FIFO"), std::pair(folder, "a directory"),
        std::pair(std::string("/dev/zero"), "a device")}) {
    Result<Bundle> bundle = Bundle::open(name);
    ASSERT_FALSE(bundle.isOk());
    EXPECT_NE(bundle.getStatus().getMessage().find(message), std::string::npos)
        << bundle.getStatus().getMessage();
  }
}

// F7: what is read at open does not change when the file does.
TEST_F(ReadTest, FileShrinksWhileInUse) {
  TinyBundle tiny = makeTinyBundle();
  ASSERT_TRUE(tiny.write(path).isOk());
  BundleOptions options;
  options.mapWeights = false;
  Result<Bundle> bundle = Bundle::open(path, options);
  ASSERT_TRUE(bundle.isOk());
  ASSERT_EQ(::truncate(path.c_str(), 0), 0);
  EXPECT_EQ(toView(bundle->getManifest().model()->name()), "tiny");
  EXPECT_EQ(toText(bundle->getKernels(0)), toText(tiny.kernels));
  EXPECT_EQ(toText(bundle->getTokenizer()), toText(tiny.tokenizer));
  EXPECT_EQ(toText(bundle->getWeights()), toText(tiny.weights));
  EXPECT_EQ(bundle->readIR().getStatus().getCode(), StatusCode::IoError);
}

// F6: an open bundle stays what it is when the file is replaced.
TEST_F(ReadTest, FileIsReplacedWhileInUse) {
  TinyBundle tiny = makeTinyBundle();
  ASSERT_TRUE(tiny.write(path).isOk());
  Result<Bundle> old = Bundle::open(path);
  ASSERT_TRUE(old.isOk());
  TinyBundle other = makeTinyBundle();
  other.manifest.model->name = "other";
  other.weights.assign(other.weights.size(), std::byte(1));
  ASSERT_TRUE(other.write(path).isOk());
  EXPECT_EQ(toText(old->getWeights()), toText(tiny.weights));
  EXPECT_TRUE(old->verifyAllHashes().isOk());
  Result<Bundle> fresh = Bundle::open(path);
  ASSERT_TRUE(fresh.isOk());
  EXPECT_EQ(toView(fresh->getManifest().model()->name()), "other");
}
