//===- Report.cpp - What `quern compile` prints at the end ----------------===//
#include "tools/compile/Report.h"

#include "runtime/base/Escape.h"
#include "runtime/base/FormatBytes.h"
#include "tools/quern/TextTable.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace quern {

using tool::formatCount;

std::string formatImportReport(const ImportReport &report, bool verbose) {
  size_t total = report.usedTensors.size() + report.skippedTensors.size() +
                 report.unexpectedTensors.size();
  std::string text =
      "Tensors: " + formatCount(total) + " in the checkpoint, " +
      formatCount(report.usedTensors.size()) + " used (" +
      formatShortBytes(report.weightBytes) + "), " +
      formatCount(report.skippedTensors.size()) + " known and skipped, " +
      formatCount(report.unexpectedTensors.size()) + " unknown\n";
  if (verbose)
    for (const std::string &name : report.usedTensors)
      text += "  used     " + quoteName(name) + "\n";
  for (const auto &skipped : report.skippedTensors)
    text +=
        "  skipped  " + quoteName(skipped.name) + ": " + skipped.reason + "\n";
  for (const std::string &name : report.unexpectedTensors)
    text +=
        "  unknown  " + quoteName(name) + ": no part of this model, left out\n";
  for (const std::string &warning : report.warnings)
    text += "  warning  " + warning + "\n";
  return text;
}

std::string formatSummary(const CompileSummary &summary) {
  using Align = tool::TextTable::Align;
  tool::TextTable table({{"Bundle", Align::Left}, {"", Align::Right}});
  auto seconds = [](double value) {
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), "%.2f s", value);
    return std::string(buffer);
  };
  table.addRow({"parameters", formatCount(summary.parameters)});
  table.addRow({"target", summary.target + ", compute " + summary.compute});
  for (const BundleSummary::Section &section : summary.bundle.sections)
    table.addRow({"section " + section.name, formatShortBytes(section.bytes)});
  table.addRow({"total", formatShortBytes(summary.bundle.totalBytes)});
  table.addRow({"kernels", formatCount(summary.kernels)});
  table.addRow({"dispatches", summary.dispatches});
  table.addRow({"memory at context " + formatCount(summary.context),
                formatShortBytes(summary.memory.total())});
  table.addRow({"  weights", formatShortBytes(summary.memory.weights)});
  table.addRow({"  KV cache", formatShortBytes(summary.memory.cache)});
  if (summary.memory.recurrent)
    table.addRow(
        {"  recurrent states", formatShortBytes(summary.memory.recurrent)});
  table.addRow({"  arena", formatShortBytes(summary.memory.arena)});
  table.addRow({"  step block", formatShortBytes(summary.memory.step)});
  table.addRow({"compile time", seconds(summary.seconds)});
  table.addRow({"peak compiler memory",
                formatShortBytes(summary.peakResidentBytes) + " besides mapped "
                                                              "files"});
  return table.print();
}

void MemoryWatch::sample() {
  std::ifstream status("/proc/self/status");
  std::string line;
  constexpr std::string_view key = "RssAnon:";
  while (std::getline(status, line))
    if (line.starts_with(key)) {
      uint64_t kib = std::strtoull(line.c_str() + key.size(), nullptr, 10);
      peak = std::max(peak, kib * 1024);
    }
}

} // namespace quern
