//===- TextTable.cpp - Aligned columns of text ----------------------------===//

#include "tools/quern/TextTable.h"

#include "runtime/base/Escape.h"

#include <algorithm>
#include <cassert>

using namespace quern;
using namespace quern::tool;

TextTable::TextTable(std::vector<Column> columns)
    : columns(std::move(columns)) {}

void TextTable::addRow(std::vector<std::string> cells) {
  assert(cells.size() == columns.size() && "a cell per column");
  for (std::string &cell : cells)
    cell = escapeText(cell);
  rows.push_back(std::move(cells));
}

/// Code points: what a terminal's column count comes close to.
static size_t getWidth(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string TextTable::print() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns.size(); ++i) {
    widths.push_back(getWidth(columns[i].title));
    for (const std::vector<std::string> &row : rows)
      widths[i] = std::max(widths[i], getWidth(row[i]));
  }
  std::string out;
  auto printRow = [&](auto getCell) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      const std::string &cell = getCell(i);
      std::string blanks(widths[i] - getWidth(cell), ' ');
      bool isRight = columns[i].align == Align::Right;
      line += "  " + (isRight ? blanks + cell : cell + blanks);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  printRow([&](size_t i) -> const std::string & { return columns[i].title; });
  for (const std::vector<std::string> &row : rows)
    printRow([&](size_t i) -> const std::string & { return row[i]; });
  return out;
}

std::string tool::formatCount(uint64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3; at -= 3)
    digits.insert(at - 3, ",");
  return digits;
}
