//===- Shards.h - Small safetensors files for tests --------------*- C++
//-*-===//
#ifndef QUERN_TEST_FRONTEND_HUGGINGFACE_SHARDS_H
#define QUERN_TEST_FRONTEND_HUGGINGFACE_SHARDS_H

#include <cstdint>
#include <string>
#include <string_view>

namespace quern::test {

/// A safetensors file with this header text and these data bytes.
inline std::string makeShard(std::string_view header, std::string_view data) {
  std::string bytes;
  for (unsigned shift = 0; shift < 64; shift += 8)
    bytes += static_cast<char>((uint64_t(header.size()) >> shift) & 0xFF);
  bytes += header;
  bytes += data;
  return bytes;
}

/// The header entry of one tensor, without braces around it.
inline std::string entry(std::string_view name, std::string_view type,
                         std::string_view shape, uint64_t begin, uint64_t end) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(type) +
         "\",\"shape\":" + std::string(shape) + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

} // namespace quern::test

#endif // QUERN_TEST_FRONTEND_HUGGINGFACE_SHARDS_H
