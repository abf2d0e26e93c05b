//===- TuningCandidates.cpp - Schedules that are worth a try --------------===//
#include "codegen/Tuning.h"
#include "runtime/base/Json.h"

#include <algorithm>
#include <utility>

using namespace quern;

namespace {

using Numbers = std::vector<std::pair<const char *, uint32_t>>;

/// Collects candidates; leaves out what is the target's own choice.
class CandidateList {
public:
  explicit CandidateList(const TargetDescription &target) : target(target) {}

  /// `{member: {numbers}}`, or `{member: number}` for one without a name.
  void add(const std::vector<std::string> &families, const char *member,
           const Numbers &numbers, const Numbers &own) {
    if (std::equal(numbers.begin(), numbers.end(), own.begin(), own.end(),
                   [](auto a, auto b) { return a.second == b.second; }))
      return;
    JsonWriter writer;
    writer.beginObject().key(member);
    if (numbers.begin()->first)
      writer.beginObject();
    for (auto [name, number] : numbers) {
      if (name)
        writer.key(name);
      writer.value(number);
    }
    if (numbers.begin()->first)
      writer.endObject();
    writer.endObject();
    candidates.push_back({families, writer.take()});
  }

  const TargetDescription &target;
  std::vector<ScheduleCandidate> candidates;
};

} // namespace

/// Register tiles that 16 or 32 registers hold.
static constexpr std::pair<uint32_t, uint32_t> registerTiles[] = {
    {2, 4}, {3, 3}, {4, 1}, {4, 2}, {4, 3}, {4, 4},  {6, 2},
    {6, 3}, {6, 4}, {8, 1}, {8, 2}, {8, 3}, {12, 1}, {12, 2}};

static void addPanels(CandidateList &list) {
  const TargetDescription &t = list.target;
  auto addFloats = [&](uint32_t tokens, uint32_t width, uint32_t streams,
                       uint32_t prefetch) {
    list.add({"linear"}, "panels",
             {{"tokens", tokens},
              {"width", width},
              {"streams", streams},
              {"prefetch", prefetch}},
             {{"tokens", t.panelTokens},
              {"width", t.panelWidth},
              {"streams", t.panelStreams},
              {"prefetch", t.panelPrefetch}});
  };
  auto addCodes = [&](uint32_t tokens, uint32_t width, uint32_t prefetch) {
    list.add({"integer_linear"}, "integer_panels",
             {{"tokens", tokens}, {"width", width}, {"prefetch", prefetch}},
             {{"tokens", t.integerTokens},
              {"width", t.integerWidth},
              {"prefetch", t.integerPrefetch}});
  };
  for (auto [tokens, width] : registerTiles) {
    addFloats(tokens, width, t.panelStreams, t.panelPrefetch);
    addCodes(tokens, width, t.integerPrefetch);
  }
  for (uint32_t streams : {1, 2, 6, 8})
    addFloats(t.panelTokens, t.panelWidth, streams, t.panelPrefetch);
  for (uint32_t prefetch : {0, 1024, 2048, 4096, 8192}) {
    addFloats(t.panelTokens, t.panelWidth, t.panelStreams, prefetch);
    addCodes(t.integerTokens, t.integerWidth, prefetch);
  }
}

static void addTiles(CandidateList &list) {
  const TargetDescription &t = list.target;
  for (uint32_t rows : {2, 4, 8, 16})
    list.add({"linear", "expert_rows", "expert_sum"}, "gemv", {{"rows", rows}},
             {{"rows", t.gemvRows}});
  for (uint32_t tokens : {2, 4, 8})
    for (uint32_t rows : {2, 4, 8})
      list.add({"linear"}, "gemm", {{"tokens", tokens}, {"rows", rows}},
               {{"tokens", t.gemmTokens}, {"rows", t.gemmRows}});
  for (uint32_t subgroups : {1, 2, 4, 8, 16})
    if (subgroups * t.subgroupSize <= t.maxWorkgroupSize)
      list.add({"linear", "expert_rows", "expert_sum", "expert_tiles"},
               "subgroups_per_workgroup", {{nullptr, subgroups}},
               {{nullptr, t.subgroupsPerWorkgroup}});
}

static void addAttention(CandidateList &list) {
  const TargetDescription &t = list.target;
  // Only CPUs ask ahead.
  bool asksAhead = t.lanesAreRegister();
  auto add = [&](uint32_t rows, uint32_t positions, uint32_t prefetch) {
    auto describe = [&](uint32_t rows, uint32_t positions, uint32_t prefetch) {
      Numbers numbers = {{"tokens", t.attentionTokens},
                         {"rows", rows},
                         {"positions", positions},
                         {"workgroups", t.attentionWorkgroups}};
      if (asksAhead)
        numbers.emplace_back("prefetch", prefetch);
      return numbers;
    };
    list.add(
        {"attention", "attention_split"}, "attention",
        describe(rows, positions, prefetch),
        describe(t.attentionRows, t.attentionPositions, t.attentionPrefetch));
  };
  for (uint32_t rows : {2, 4, 8, 16})
    for (uint32_t positions : {2, 4, 8})
      add(rows, positions, t.attentionPrefetch);
  if (asksAhead)
    for (uint32_t prefetch : {0, 4, 8, 16, 32})
      add(t.attentionRows, t.attentionPositions, prefetch);
}

std::vector<ScheduleCandidate>
quern::getCandidates(const TargetDescription &target) {
  CandidateList list(target);
  if (target.getPanelRows() != 0)
    addPanels(list);
  else
    addTiles(list);
  addAttention(list);
  for (uint32_t columns : {16, 32, 64, 128})
    list.add({"delta_rule", "delta_scan"}, "delta_rule", {{"columns", columns}},
             {{"columns", target.deltaRuleColumns}});
  return std::move(list.candidates);
}
