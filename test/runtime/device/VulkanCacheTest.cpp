//===- VulkanCacheTest.cpp - Pipeline caches on disk ----------------------===//

#include "runtime/device/vulkan/VulkanCache.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace quern::vulkan;

namespace {
class VulkanCacheTest : public testing::Test {
protected:
  void SetUp() override {
    const char *old = std::getenv("XDG_CACHE_HOME");
    saved = old ? old : "";
    std::filesystem::remove_all(folder);
    ::setenv("XDG_CACHE_HOME", folder.c_str(), 1);
  }
  void TearDown() override {
    ::setenv("XDG_CACHE_HOME", saved.c_str(), 1);
    std::filesystem::remove_all(folder);
  }
  std::filesystem::path getFile() const {
    return folder / "quern" / "vulkan-00017f80ff.bin";
  }

  std::filesystem::path folder = QUERN_BINARY_DIR "/cache-test";
  std::string saved;
  const std::vector<uint8_t> uuid = {0, 1, 0x7f, 0x80, 0xff};
  const std::vector<std::byte> data =
      std::vector<std::byte>(1000, std::byte(7));
};
} // namespace

TEST_F(VulkanCacheTest, ReadsWhatItWrote) {
  EXPECT_TRUE(readPipelineCache(uuid).empty());
  writePipelineCache(uuid, data);
  EXPECT_TRUE(std::filesystem::exists(getFile()));
  EXPECT_EQ(readPipelineCache(uuid), data);
  const std::vector<uint8_t> other = {9};
  EXPECT_TRUE(readPipelineCache(other).empty());
}

TEST_F(VulkanCacheTest, IgnoresDamagedFiles) {
  writePipelineCache(uuid, data);
  std::string bytes;
  {
    std::ifstream file(getFile(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  auto write = [&](const std::string &content) {
    std::ofstream(getFile(), std::ios::binary) << content;
  };
  for (size_t i : {size_t(0), size_t(9), size_t(17), size_t(24), size_t(500),
                   bytes.size() - 1}) {
    std::string damaged = bytes;
    damaged[i] ^= 1;
    write(damaged);
    EXPECT_TRUE(readPipelineCache(uuid).empty()) << i;
  }
  for (size_t size : {size_t(0), size_t(10), size_t(24), bytes.size() - 1}) {
    write(bytes.substr(0, size));
    EXPECT_TRUE(readPipelineCache(uuid).empty()) << size;
  }
  write(bytes);
  EXPECT_EQ(readPipelineCache(uuid), data);
}

TEST_F(VulkanCacheTest, WorksWithoutAPlaceToWrite) {
  ::setenv("XDG_CACHE_HOME", "/proc/no-such-folder", 1);
  EXPECT_EQ(getCacheFolder(), "");
  writePipelineCache(uuid, data);
  EXPECT_TRUE(readPipelineCache(uuid).empty());
}
