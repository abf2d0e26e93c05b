//===- BenchReport.cpp - What quern bench prints --------------------------===//

#include "tools/quern/Bench.h"

#include "runtime/base/Json.h"
#include "tools/quern/TextTable.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>

using namespace quern;
using namespace quern::tool;

static std::string format(const char *pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

/// "layers.3.mlp" as "layers.N.mlp".
static std::string removeNumbers(std::string_view label) {
  std::string result;
  for (size_t i = 0; i != label.size();) {
    bool startsPart = i == 0 || label[i - 1] == '.';
    size_t end = i;
    while (end != label.size() && std::isdigit((unsigned char)label[end]))
      ++end;
    if (startsPart && end != i && (end == label.size() || label[end] == '.')) {
      result += 'N';
      i = end;
    } else {
      result += label[i++];
    }
  }
  return result;
}

std::vector<KernelTime> tool::groupByKernel(const ProgramProfile &profile) {
  std::map<std::string, KernelTime> groups;
  for (const DispatchTime &dispatch : profile.dispatches) {
    KernelTime &group = groups[dispatch.kernel];
    group.kernel = dispatch.kernel;
    if (group.label.empty())
      group.label = removeNumbers(dispatch.label);
    ++group.count;
    group.nanoseconds += dispatch.nanoseconds;
    group.bytes += dispatch.bytes;
    group.flops += dispatch.flops;
  }
  std::vector<KernelTime> result;
  result.reserve(groups.size());
  for (auto &[name, group] : groups)
    result.push_back(std::move(group));
  std::ranges::stable_sort(result, std::ranges::greater(),
                           &KernelTime::nanoseconds);
  return result;
}

static double rate(double amount, double seconds) {
  return seconds > 0 ? amount / seconds : 0;
}

/// The share of the bandwidth that moving `bytes` in the time takes; 0 where
/// one of them is unknown.
static double getRoofline(double bytes, double nanoseconds, double bandwidth) {
  return bandwidth > 0 ? rate(bytes, nanoseconds * 1e-9) / bandwidth : 0;
}

/// Ideal bytes of one run of a program.
static double sumBytes(const ProgramProfile &profile) {
  double bytes = 0;
  for (const DispatchTime &dispatch : profile.dispatches)
    bytes += double(dispatch.bytes);
  return bytes;
}

static const ProgramProfile *findProfile(const BenchReport &report,
                                         std::string_view name) {
  for (const ProgramProfile &profile : report.profiles)
    if (profile.name == name)
      return &profile;
  return nullptr;
}

/// The share of the bandwidth that decoding reaches, by wall time.
static double getDecodeRoofline(const BenchReport &report) {
  const ProgramProfile *decode = findProfile(report, "decode");
  if (!decode || report.decode.tokens == 0)
    return 0;
  double seconds = report.decode.wallSeconds / report.decode.tokens;
  return getRoofline(sumBytes(*decode), seconds * 1e9, report.readBandwidth);
}

static std::string printProfile(const ProgramProfile &profile,
                                double bandwidth) {
  using Align = TextTable::Align;
  TextTable table({{"kernel"},
                   {"first at"},
                   {"count", Align::Right},
                   {"us", Align::Right},
                   {"%", Align::Right},
                   {"GB/s", Align::Right},
                   {"GFLOP/s", Align::Right},
                   {"roofline", Align::Right}});
  double total = 0;
  for (const DispatchTime &dispatch : profile.dispatches)
    total += dispatch.nanoseconds;
  for (const KernelTime &group : groupByKernel(profile)) {
    double seconds = group.nanoseconds * 1e-9;
    double roofline =
        getRoofline(double(group.bytes), group.nanoseconds, bandwidth);
    table.addRow({group.kernel, group.label, std::to_string(group.count),
                  format("%.1f", group.nanoseconds / 1e3),
                  format("%.1f", rate(100 * group.nanoseconds, total)),
                  format("%.2f", rate(double(group.bytes), seconds) / 1e9),
                  format("%.2f", rate(double(group.flops), seconds) / 1e9),
                  bandwidth > 0 ? format("%.2f", roofline) : "-"});
  }
  return "\n" + profile.name + ", " + std::to_string(profile.tokens) +
         " tokens, " + std::to_string(profile.dispatches.size()) +
         " dispatches, " + format("%.3f ms", total / 1e6) + "\n" +
         table.print();
}

std::string tool::printReport(const BenchReport &report) {
  using Align = TextTable::Align;
  std::string text = report.model + " for " + report.target + " on " +
                     report.device + "; load " +
                     format("%.3f s", report.loadSeconds) + "\n";
  TextTable table({{"phase"},
                   {"tokens", Align::Right},
                   {"seconds", Align::Right},
                   {"tokens/s", Align::Right},
                   {"CPU seconds", Align::Right},
                   {"tokens/CPU s", Align::Right},
                   {"dispatches/token", Align::Right}});
  for (auto [name, time] : {std::pair("prefill", &report.prefill),
                            std::pair("decode", &report.decode)})
    table.addRow(
        {name, std::to_string(time->tokens), format("%.4f", time->wallSeconds),
         format("%.2f", rate(time->tokens, time->wallSeconds)),
         format("%.4f", time->cpuSeconds),
         format("%.2f", rate(time->tokens, time->cpuSeconds)),
         format("%.1f", rate(double(time->dispatches), time->tokens))});
  text += table.print();
  if (report.readBandwidth > 0)
    text += "memory read bandwidth " +
            format("%.2f GB/s", report.readBandwidth / 1e9) +
            "; decode reaches " + format("%.2f", getDecodeRoofline(report)) +
            " of it\n";
  for (const ProgramProfile &profile : report.profiles)
    text += printProfile(profile, report.readBandwidth);
  return text;
}

static void writePhase(JsonWriter &json, const char *name,
                       const PhaseTime &time) {
  json.key(name).beginObject();
  json.key("tokens").value(uint64_t(time.tokens));
  json.key("seconds").value(time.wallSeconds);
  json.key("cpu_seconds").value(time.cpuSeconds);
  json.key("tokens_per_second").value(rate(time.tokens, time.wallSeconds));
  json.key("tokens_per_cpu_second").value(rate(time.tokens, time.cpuSeconds));
  json.key("dispatches").value(time.dispatches);
  json.key("dispatches_per_token")
      .value(rate(double(time.dispatches), time.tokens));
  json.key("submits").value(time.submits);
  json.endObject();
}

std::string tool::printReportJson(const BenchReport &report) {
  JsonWriter json(/*indent=*/2);
  json.beginObject();
  json.key("model").value(report.model);
  json.key("target").value(report.target);
  json.key("device").value(report.device);
  json.key("load_seconds").value(report.loadSeconds);
  json.key("device_bytes").value(report.deviceBytes);
  writePhase(json, "prefill", report.prefill);
  writePhase(json, "decode", report.decode);
  json.key("read_bandwidth").value(report.readBandwidth);
  json.key("decode_roofline").value(getDecodeRoofline(report));
  json.key("programs").beginArray();
  for (const ProgramProfile &profile : report.profiles) {
    json.beginObject();
    json.key("name").value(profile.name);
    json.key("tokens").value(uint64_t(profile.tokens));
    json.key("dispatches").value(uint64_t(profile.dispatches.size()));
    json.key("kernels").beginArray();
    for (const KernelTime &group : groupByKernel(profile)) {
      json.beginObject();
      json.key("kernel").value(group.kernel);
      json.key("label").value(group.label);
      json.key("count").value(group.count);
      json.key("nanoseconds").value(group.nanoseconds);
      json.key("bytes").value(group.bytes);
      json.key("flops").value(group.flops);
      json.key("roofline")
          .value(getRoofline(double(group.bytes), group.nanoseconds,
                             report.readBandwidth));
      json.endObject();
    }
    json.endArray().endObject();
  }
  json.endArray().endObject();
  return json.take();
}

std::string tool::printTrace(const BenchReport &report) {
  JsonWriter json;
  json.beginObject();
  json.key("displayTimeUnit").value("ns");
  json.key("traceEvents").beginArray();
  for (size_t track = 0; track != report.profiles.size(); ++track) {
    const ProgramProfile &profile = report.profiles[track];
    json.beginObject();
    json.key("name").value("thread_name").key("ph").value("M");
    json.key("pid").value(1).key("tid").value(uint64_t(track + 1));
    json.key("args").beginObject().key("name").value(profile.name).endObject();
    json.endObject();
    double microseconds = 0;
    for (const DispatchTime &dispatch : profile.dispatches) {
      json.beginObject();
      json.key("name").value(dispatch.label.empty() ? dispatch.kernel
                                                    : dispatch.label);
      json.key("cat").value(dispatch.kernel).key("ph").value("X");
      json.key("ts").value(microseconds);
      json.key("dur").value(dispatch.nanoseconds / 1e3);
      json.key("pid").value(1).key("tid").value(uint64_t(track + 1));
      json.key("args").beginObject();
      json.key("bytes").value(dispatch.bytes);
      json.key("flops").value(dispatch.flops);
      json.endObject().endObject();
      microseconds += dispatch.nanoseconds / 1e3;
    }
  }
  json.endArray().endObject();
  return json.take();
}
