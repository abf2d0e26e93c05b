//===- Report.cpp - What `quern compile` prints at the end ----------------===//
#include "tools/compile/Report.h"

#include "runtime/base/Escape.h"
#include "tools/quern/TextTable.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace quern {

using tool::formatBytes;
using tool::formatCount;

std::string formatImportReport(const ImportReport &report, bool verbose) {
  size_t total = report.usedTensors.size() + report.skippedTensors.size() +
                 report.unexpectedTensors.size();
  std::string text =
      "Tensors: " + formatCount(total) + " in the checkpoint, " +
      formatCount(report.usedTensors.size()) + " used (" +
      formatBytes(report.weightBytes) + "), " +
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
    table.addRow({"section " + section.name, formatBytes(section.bytes)});
  table.addRow({"total", formatBytes(summary.bundle.totalBytes)});
  table.addRow({"kernels", formatCount(summary.kernels)});
  table.addRow({"dispatches", summary.dispatches});
  table.addRow({"memory at context " + formatCount(summary.context),
                formatBytes(summary.memory.total())});
  table.addRow({"  weights", formatBytes(summary.memory.weights)});
  table.addRow({"  KV cache", formatBytes(summary.memory.cache)});
  if (summary.memory.recurrent)
    table.addRow({"  recurrent states", formatBytes(summary.memory.recurrent)});
  table.addRow({"  arena", formatBytes(summary.memory.arena)});
  table.addRow({"  step block", formatBytes(summary.memory.step)});
  table.addRow({"compile time", seconds(summary.seconds)});
  table.addRow({"peak compiler memory", formatBytes(summary.peakResidentBytes) +
                                            " besides mapped "
                                            "files"});
  return table.print();
}

void MemoryWatch::sample() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    unsigned long long kib = 0;
    if (std::sscanf(line.c_str(), "RssAnon: %llu", &kib) == 1)
      peak = std::max<uint64_t>(peak, kib * 1024);
  }
}

} // namespace quern
