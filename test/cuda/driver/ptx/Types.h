//===- Types.h - The scalar types of PTX -------------------------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_PTX_TYPES_H
#define QUERN_TEST_CUDA_DRIVER_PTX_TYPES_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace quern::ptx {

enum class Type : uint8_t {
  None,
  Pred,
  B8,
  B16,
  B32,
  B64,
  U8,
  U16,
  U32,
  U64,
  S8,
  S16,
  S32,
  S64,
  F16,
  BF16,
  F32,
  F64,
  F16x2,
  BF16x2,
};

/// Bytes; 0 for None and Pred.
constexpr unsigned getSize(Type type) {
  switch (type) {
  case Type::None:
  case Type::Pred:
    return 0;
  case Type::B8:
  case Type::U8:
  case Type::S8:
    return 1;
  case Type::B16:
  case Type::U16:
  case Type::S16:
  case Type::F16:
  case Type::BF16:
    return 2;
  case Type::B32:
  case Type::U32:
  case Type::S32:
  case Type::F32:
  case Type::F16x2:
  case Type::BF16x2:
    return 4;
  case Type::B64:
  case Type::U64:
  case Type::S64:
  case Type::F64:
    return 8;
  }
  return 0;
}

constexpr bool isSigned(Type type) {
  return type >= Type::S8 && type <= Type::S64;
}
/// .u and .s types.
constexpr bool isInteger(Type type) {
  return type >= Type::U8 && type <= Type::S64;
}
constexpr bool isBits(Type type) {
  return type >= Type::B8 && type <= Type::B64;
}
constexpr bool isFloat(Type type) { return type >= Type::F16; }

/// The type of a name without its dot ("u32"); None for anything else.
Type parseType(std::string_view name);

/// What the loader says of a module it can't take; the text names the line.
struct ParseError : std::runtime_error {
  ParseError(unsigned line, const std::string &text)
      : std::runtime_error("line " + std::to_string(line) + ": " + text),
        line(line) {}
  unsigned line;
};

} // namespace quern::ptx

#endif // QUERN_TEST_CUDA_DRIVER_PTX_TYPES_H
