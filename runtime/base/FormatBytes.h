//===- FormatBytes.h - Byte counts as text ----------------------*- C++ -*-===//
#ifndef QUERN_RUNTIME_BASE_FORMATBYTES_H
#define QUERN_RUNTIME_BASE_FORMATBYTES_H

#include <cstdint>
#include <string>

namespace quern {

/// "1.50 GiB" with that many digits after the point, "512 B": for tables.
std::string formatShortBytes(uint64_t bytes, int digits = 2);

/// "64.0 MiB (67108864 bytes)", "512 bytes": for messages.
std::string formatBytes(uint64_t bytes);

} // namespace quern

#endif // QUERN_RUNTIME_BASE_FORMATBYTES_H
