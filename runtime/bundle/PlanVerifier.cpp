//===- PlanVerifier.cpp - Checks on the memory plan -----------------------===//

#include "runtime/bundle/ManifestCheck.h"

#include <algorithm>
#include <map>
#include <tuple>

using namespace quern;
using namespace quern::manifestcheck;

namespace {

/// A planned buffer begins or ends to live.
struct PlanEvent {
  uint64_t time; ///< Dispatch index; ends come at last + 1.
  bool isBegin;
  uint32_t buffer;
};

} // namespace

/// Walks over the events of one program with the set of live buffers, which
/// are disjoint, so that a new one has to be compared with its neighbours only.
static Status
checkPlan(const std::string &place,
          const flatbuffers::Vector<flatbuffers::Offset<bundle::ArenaBuffer>>
              &buffers,
          std::vector<PlanEvent> &events) {
  std::ranges::sort(events, {}, [](const PlanEvent &event) {
    return std::tuple(event.time, event.isBegin, event.buffer);
  });
  std::map<uint64_t, uint32_t> live; // By offset.
  auto clash = [&](uint32_t first, uint32_t second) {
    return broken(element(place, "arena_buffers", first),
                  "overlaps arena_buffers[" + std::to_string(second) +
                      "] while both live");
  };
  for (const PlanEvent &event : events) {
    const bundle::ArenaBuffer &buffer = *buffers.Get(event.buffer);
    if (!event.isBegin) {
      live.erase(buffer.offset());
      continue;
    }
    auto next = live.lower_bound(buffer.offset());
    if (next != live.end() && next->first - buffer.offset() < buffer.size())
      return clash(event.buffer, next->second);
    if (next != live.begin()) {
      auto previous = std::prev(next);
      if (buffer.offset() - previous->first <
          buffers.Get(previous->second)->size())
        return clash(event.buffer, previous->second);
    }
    live.emplace(buffer.offset(), event.buffer);
  }
  return Status::ok();
}

Status TargetChecker::checkArenaBuffers() {
  if (!target.arena_buffers())
    return Status::ok();
  std::vector<std::vector<PlanEvent>> events(sizeOf(target.programs()));
  for (uint32_t i = 0; i < target.arena_buffers()->size(); ++i) {
    const bundle::ArenaBuffer &buffer = *target.arena_buffers()->Get(i);
    std::string at = element(place, "arena_buffers", i);
    QUERN_RETURN_IF_ERROR(
        checker.checkText(at + ".name", buffer.name(), Presence::Optional));
    QUERN_RETURN_IF_ERROR(
        checkBetween(at, "program", buffer.program(), 0, events.size() - 1));
    uint32_t count =
        target.programs()->Get(buffer.program())->dispatches()->size();
    QUERN_RETURN_IF_ERROR(checkBetween(at, "last_dispatch",
                                       buffer.last_dispatch(), 0, count - 1));
    QUERN_RETURN_IF_ERROR(checkBetween(at, "first_dispatch",
                                       buffer.first_dispatch(), 0,
                                       buffer.last_dispatch()));
    QUERN_RETURN_IF_ERROR(checkRange(at, buffer.offset(), buffer.size(),
                                     target.arena_size(), "arena"));
    events[buffer.program()].push_back({buffer.first_dispatch(), true, i});
    events[buffer.program()].push_back(
        {uint64_t(buffer.last_dispatch()) + 1, false, i});
  }
  for (std::vector<PlanEvent> &plan : events)
    QUERN_RETURN_IF_ERROR(checkPlan(place, *target.arena_buffers(), plan));
  return Status::ok();
}
