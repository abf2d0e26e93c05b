//===- Safetensors.h - Reading safetensors files -----------------*- C++
//-*-===//
//
// Format: eight bytes of header length (little-endian), a JSON header, then
// the data. Everything that the reference implementation (huggingface/
// safetensors, tensor.rs) checks is checked, before anything is mapped: limits
// of the header, element types, products without overflow, data that cover the
// rest of the file exactly, without overlap or hole.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_SAFETENSORS_H
#define QUERN_FRONTEND_HUGGINGFACE_SAFETENSORS_H

#include "runtime/base/DataType.h"
#include "runtime/base/File.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern {

/// One tensor as its header describes it.
struct SafetensorsEntry {
  std::string name;
  DataType type = DataType::F32;
  /// Row-major; empty for a scalar; dimensions may be zero.
  std::vector<int64_t> shape;
  /// Bytes from the start of the file; not necessarily aligned to the element.
  uint64_t offset = 0;
  uint64_t byteSize = 0;
};

struct SafetensorsHeader {
  /// In the order of their data, which cover [dataOffset, file size).
  std::vector<SafetensorsEntry> entries;
  /// The strings of "__metadata__".
  std::vector<std::pair<std::string, std::string>> metadata;
  uint64_t dataOffset = 0;
};

/// What the header may hold.
struct SafetensorsLimits {
  static constexpr uint64_t maxHeaderBytes = 100'000'000;
  static constexpr uint64_t maxNameBytes = 1024;
  static constexpr uint64_t maxRank = 8;
};

/// Parses and validates the JSON text of a header of a file with `fileSize`
/// bytes. Corrupt for a bad file, Unsupported for an unknown element type.
Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view text,
                                                 uint64_t fileSize);

/// Reads the header of an open file; messages start with the file's name.
Result<SafetensorsHeader> readSafetensorsHeader(const File &file);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_SAFETENSORS_H
