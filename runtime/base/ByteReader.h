//===- ByteReader.h - Bounded cursor over untrusted bytes --------*- C++
//-*-===//
//
// Reads little-endian numbers and sub-ranges; a read past the end is an error
// that names the byte offset. Never reads outside the span it was given and
// needs no alignment. Does not own the bytes. Not thread-safe.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_BYTEREADER_H
#define QUERN_RUNTIME_BASE_BYTEREADER_H

#include "runtime/base/CheckedMath.h"
#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace quern {

class ByteReader {
public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes(bytes) {}

  uint64_t offset() const { return cursor; }
  uint64_t remaining() const { return bytes.size() - cursor; }

  Result<uint8_t> readU8() { return readInteger<uint8_t>(); }
  Result<uint16_t> readU16() { return readInteger<uint16_t>(); }
  Result<uint32_t> readU32() { return readInteger<uint32_t>(); }
  Result<uint64_t> readU64() { return readInteger<uint64_t>(); }

  /// The next `length` bytes, without copying.
  Result<std::span<const std::byte>> readBytes(uint64_t length) {
    if (length > remaining())
      return shortBy(length);
    std::span<const std::byte> result = bytes.subspan(cursor, length);
    cursor += length;
    return result;
  }

  Status skip(uint64_t length) {
    if (length > remaining())
      return shortBy(length);
    cursor += length;
    return Status::ok();
  }

  Status seek(uint64_t position) {
    if (position > bytes.size())
      return corrupt("byte " + std::to_string(position) +
                     ": outside of the data, which has " +
                     std::to_string(bytes.size()) + " bytes");
    cursor = position;
    return Status::ok();
  }

private:
  template <typename T> Result<T> readInteger() {
    if (sizeof(T) > remaining())
      return shortBy(sizeof(T));
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value |= static_cast<T>(static_cast<T>(bytes[cursor + i]) << (8 * i));
    cursor += sizeof(T);
    return value;
  }

  Status shortBy(uint64_t length) const {
    return corrupt("byte " + std::to_string(cursor) + ": expected " +
                   std::to_string(length) + " more bytes, found " +
                   std::to_string(remaining()));
  }

  std::span<const std::byte> bytes;
  uint64_t cursor = 0;
};

} // namespace quern

#endif // QUERN_RUNTIME_BASE_BYTEREADER_H
