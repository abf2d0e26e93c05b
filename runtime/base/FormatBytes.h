//===- FormatBytes.h - Byte counts in messages -------------------*- C++
//-*-===//
#ifndef QUERN_RUNTIME_BASE_FORMATBYTES_H
#define QUERN_RUNTIME_BASE_FORMATBYTES_H

#include <cstdint>
#include <string>

namespace quern {

/// "64.0 MiB (67108864 bytes)".
std::string formatBytes(uint64_t bytes);

} // namespace quern

#endif // QUERN_RUNTIME_BASE_FORMATBYTES_H
