//===- Report.cpp - What `quern compile` prints at the end ----------------===//
#include "tools/compile/Report.h"

#include "runtime/base/Escape.h"
#include "runtime/base/FormatBytes.h"
#include "tools/quern/TextTable.h"

#include <algorithm>
#include <cmath>
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
  if (report.exactWeights + report.decodedWeights != 0) {
    text += "Quantised weights: " + formatCount(report.exactWeights) +
            " with their own codes and scales, " +
            formatCount(report.decodedWeights) + " decoded";
    if (!report.whyDecoded.empty())
      text += " (" + quoteName(report.whyDecoded) + ")";
    text += "\n";
  }
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
  char bits[48];
  std::snprintf(
      bits, sizeof(bits), ", %.2f bits each",
      8 * static_cast<double>(summary.memory.weights) /
          static_cast<double>(std::max<uint64_t>(1, summary.weightElements)));
  table.addRow({"  weights", formatShortBytes(summary.memory.weights) + bits});
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

std::string formatSpills(const BundleContents &contents) {
  std::string text;
  for (size_t i = 0; i != contents.architectures.size(); ++i) {
    size_t count = 0;
    uint32_t most = 0;
    for (const auto &entry : contents.kernels) {
      const KernelResources &resources = entry.second.binaries[i].resources;
      count += resources.spillStores != 0;
      most = std::max(most, resources.spillStores);
    }
    if (count != 0)
      text += "  " + contents.architectures[i].name + ": " +
              std::to_string(count) + " of " +
              std::to_string(contents.kernels.size()) + " kernels, at most " +
              std::to_string(most) + " bytes of a thread\n";
  }
  if (!text.empty())
    text = "Registers spilled to memory (`quern inspect --resources`)\n" + text;
  return text;
}

/// "layers.3" of "model.layers.3.mlp.down_proj.weight.plain", "" outside.
static std::string getLayerName(const std::string &weight) {
  size_t begin = weight.find("layers.");
  if (begin == std::string::npos)
    return "";
  size_t end = weight.find_first_not_of("0123456789", begin + 7);
  // Drafts have layers of their own.
  std::string prefix = weight.find("mtp.") == std::string::npos ? "" : "mtp.";
  return prefix + weight.substr(begin, end - begin);
}

static std::string formatDecibels(const WeightQuality &quality) {
  if (quality.squaredError == 0)
    return "exact";
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.1f dB",
                10 * std::log10(quality.signal / quality.squaredError));
  return buffer;
}

std::string formatQuality(const BundleSummary &bundle, bool verbose) {
  if (bundle.converted.empty())
    return "";
  using Align = tool::TextTable::Align;
  std::vector<WeightQuality> rows;
  WeightQuality total;
  for (const WeightQuality &quality : bundle.converted) {
    std::string layer = verbose ? "" : getLayerName(quality.name);
    std::string name = layer.empty() ? quality.name : layer;
    auto row = std::ranges::find(rows, name, &WeightQuality::name);
    if (row == rows.end())
      row = rows.insert(row, {name, quality.stored});
    for (WeightQuality *sum : {&*row, &total}) {
      if (sum != &total &&
          sum->stored.find(quality.stored) == std::string::npos)
        sum->stored += ", " + quality.stored;
      sum->elements += quality.elements;
      sum->bytes += quality.bytes;
      sum->signal += quality.signal;
      sum->squaredError += quality.squaredError;
    }
  }
  total.name = "all";
  rows.push_back(total);
  tool::TextTable table({{"Quantised weights", Align::Left},
                         {"as", Align::Left},
                         {"size", Align::Right},
                         {"bits", Align::Right},
                         {"signal to noise", Align::Right}});
  for (const WeightQuality &row : rows) {
    char bits[32];
    std::snprintf(bits, sizeof(bits), "%.2f",
                  8 * static_cast<double>(row.bytes) /
                      static_cast<double>(row.elements));
    table.addRow({row.name, row.stored, formatShortBytes(row.bytes), bits,
                  formatDecibels(row)});
  }
  return table.print() + "\n";
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
