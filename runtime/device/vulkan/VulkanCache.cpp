//===- VulkanCache.cpp - Compiled pipelines kept on disk ------------------===//

#include "runtime/device/vulkan/VulkanCache.h"

#include "runtime/base/AtomicFile.h"
#include "runtime/base/File.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

using namespace quern;
using namespace quern::vulkan;

/// Before the driver's bytes in the file; native byte order, one machine.
namespace {
struct CacheHeader {
  char magic[8];
  uint64_t size;
  uint64_t hash;
};
} // namespace
static constexpr char cacheMagic[8] = {'Q', 'R', 'N', 'V', 'K', 'P', 'C', '1'};
static constexpr uint64_t maxCacheBytes = uint64_t(256) << 20;

std::string vulkan::getCacheFolder() {
  std::filesystem::path folder;
  if (const char *cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/')
    folder = cache;
  else if (const char *home = std::getenv("HOME"); home && *home == '/')
    folder = std::filesystem::path(home) / ".cache";
  else
    return "";
  folder /= "quern";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? "" : folder.string();
}

static std::string getCachePath(std::span<const uint8_t> uuid) {
  std::string folder = getCacheFolder();
  if (folder.empty())
    return "";
  std::string path = folder + "/vulkan-";
  for (uint8_t byte : uuid) {
    path += "0123456789abcdef"[byte >> 4];
    path += "0123456789abcdef"[byte & 15];
  }
  return path + ".bin";
}

std::vector<std::byte>
vulkan::readPipelineCache(std::span<const uint8_t> uuid) {
  std::string path = getCachePath(uuid);
  if (path.empty())
    return {};
  Result<std::string> bytes = readWholeFile(path, maxCacheBytes);
  CacheHeader header;
  if (!bytes.isOk() || bytes->size() < sizeof(header))
    return {};
  std::memcpy(&header, bytes->data(), sizeof(header));
  const char *data = bytes->data() + sizeof(header);
  uint64_t size = bytes->size() - sizeof(header);
  if (std::memcmp(header.magic, cacheMagic, sizeof(cacheMagic)) != 0 ||
      header.size != size || header.hash != XXH3_64bits(data, size))
    return {};
  auto *begin = reinterpret_cast<const std::byte *>(data);
  return {begin, begin + size};
}

void vulkan::writePipelineCache(std::span<const uint8_t> uuid,
                                std::span<const std::byte> data) {
  std::string path = getCachePath(uuid);
  if (path.empty() || data.size() > maxCacheBytes - sizeof(CacheHeader))
    return;
  CacheHeader header;
  std::memcpy(header.magic, cacheMagic, sizeof(cacheMagic));
  header.size = data.size();
  header.hash = XXH3_64bits(data.data(), data.size());
  std::string bytes(reinterpret_cast<const char *>(&header), sizeof(header));
  bytes.append(reinterpret_cast<const char *>(data.data()), data.size());
  (void)writeFileAtomically(path, bytes);
}
