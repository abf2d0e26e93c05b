//===- TextTable.h - Aligned columns of text --------------------*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_TEXTTABLE_H
#define QUERN_TOOLS_QUERN_TEXTTABLE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::tool {

/// Rows of cells, printed with two blanks between columns. Cells are escaped
/// (runtime/base/Escape.h), so that names from a file are safe to print.
class TextTable {
public:
  enum class Align { Left, Right };
  struct Column {
    std::string title;
    Align align = Align::Left;
  };

  explicit TextTable(std::vector<Column> columns);
  /// As many cells as there are columns.
  void addRow(std::vector<std::string> cells);
  /// The title row and all others, each line indented by two blanks.
  std::string print() const;

private:
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

/// "1,234,567"
std::string formatCount(uint64_t value);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_TEXTTABLE_H
