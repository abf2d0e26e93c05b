//===- Number.cpp - Literals of PTX ---------------------------------------===//

#include "test/cuda/driver/ptx/Decoder.h"

#include <bit>
#include <charconv>

using namespace quern::ptx;

static std::optional<uint64_t> parseDigits(std::string_view digits, int base) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(
      digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || error != std::errc() ||
      end != digits.data() + digits.size())
    return std::nullopt;
  return value;
}

static std::optional<uint64_t> parseInteger(std::string_view text) {
  if (text.ends_with('U'))
    text.remove_suffix(1);
  if (text.starts_with("0x") || text.starts_with("0X"))
    return parseDigits(text.substr(2), 16);
  if (text.starts_with("0b") || text.starts_with("0B"))
    return parseDigits(text.substr(2), 2);
  if (text.size() > 1 && text[0] == '0')
    return parseDigits(text.substr(1), 8);
  return parseDigits(text, 10);
}

/// Bits of 0f and 0d literals: `letter` and that many hexadecimal digits.
static std::optional<uint64_t> parseFloatBits(std::string_view text,
                                              char letter, size_t digits) {
  bool matches =
      text.size() == digits + 2 && text[0] == '0' && (text[1] | 0x20) == letter;
  return matches ? parseDigits(text.substr(2), 16) : std::nullopt;
}

static std::optional<uint64_t> parseDecimal(std::string_view text, Type type) {
  double value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      text.find('.') == std::string_view::npos)
    return std::nullopt;
  if (type == Type::F32)
    return std::bit_cast<uint32_t>(static_cast<float>(value));
  return std::bit_cast<uint64_t>(value);
}

std::optional<uint64_t> quern::ptx::parseNumber(std::string_view text,
                                                bool negative, Type type) {
  if (isFloat(type) || isBits(type)) {
    unsigned size = getSize(type);
    std::optional<uint64_t> bits;
    if (size == 4)
      bits = parseFloatBits(text, 'f', 8);
    else if (size == 8)
      bits = parseFloatBits(text, 'd', 16);
    if (!bits && (type == Type::F32 || type == Type::F64))
      bits = parseDecimal(text, type);
    if (bits)
      return negative ? *bits ^ uint64_t(1) << (size * 8 - 1) : *bits;
    if (isFloat(type))
      return std::nullopt;
  }
  if (type == Type::Pred || type == Type::None)
    return std::nullopt;
  std::optional<uint64_t> value = parseInteger(text);
  if (!value)
    return std::nullopt;
  uint64_t bits = negative ? uint64_t(0) - *value : *value;
  // A number that the type can't hold, signed or unsigned, is a mistake.
  unsigned width = getSize(type) * 8;
  if (width < 64) {
    int64_t asSigned = static_cast<int64_t>(bits);
    bool fits = *value < uint64_t(1) << width &&
                asSigned >= -(int64_t(1) << (width - 1));
    if (!fits)
      return std::nullopt;
  }
  return bits;
}
