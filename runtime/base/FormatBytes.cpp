//===- FormatBytes.cpp - Byte counts as text ------------------------------===//

#include "runtime/base/FormatBytes.h"

#include <cstdio>
#include <iterator>

std::string quern::formatShortBytes(uint64_t bytes, int digits) {
  static constexpr const char *units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024)
    return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  char text[32];
  std::snprintf(text, sizeof(text), "%.*f %s", digits, value, units[unit]);
  return text;
}

std::string quern::formatBytes(uint64_t bytes) {
  std::string all = std::to_string(bytes) + " bytes";
  return bytes < 1024 ? all : formatShortBytes(bytes, 1) + " (" + all + ")";
}
