//===- DataType.h - Element types of stored tensors --------------*- C++
//-*-===//
//
// The element types that safetensors files can hold, with the names that the
// format uses. Reading a type does not mean that the compiler can use it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_DATATYPE_H
#define QUERN_RUNTIME_BASE_DATATYPE_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace quern {

enum class DataType : uint8_t {
#define QUERN_DATA_TYPE(name, spelling, bits) name,
#include "runtime/base/DataTypes.inc"
};

/// The name in a safetensors header, e.g. "BF16".
constexpr std::string_view dataTypeName(DataType type) {
  constexpr std::string_view names[] = {
#define QUERN_DATA_TYPE(name, spelling, bits) spelling,
#include "runtime/base/DataTypes.inc"
  };
  return names[static_cast<unsigned>(type)];
}

/// Bits of one element; fewer than 8 for the packed types.
constexpr unsigned dataTypeBits(DataType type) {
  constexpr unsigned widths[] = {
#define QUERN_DATA_TYPE(name, spelling, bits) bits,
#include "runtime/base/DataTypes.inc"
  };
  return widths[static_cast<unsigned>(type)];
}

/// The type with this safetensors name.
constexpr std::optional<DataType> parseDataType(std::string_view name) {
#define QUERN_DATA_TYPE(type, spelling, bits)                                  \
  if (name == spelling)                                                        \
    return DataType::type;
#include "runtime/base/DataTypes.inc"
  return std::nullopt;
}

} // namespace quern

#endif // QUERN_RUNTIME_BASE_DATATYPE_H
