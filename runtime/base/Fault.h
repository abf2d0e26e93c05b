//===- Fault.h - Test-only faults --------------------------------*- C++
//-*-===//
//
// A test installs a FaultPlan to make the n-th call of an operation fail, come
// up short or kill the process. Without a plan a check is one relaxed load of
// a null pointer.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_FAULT_H
#define QUERN_RUNTIME_BASE_FAULT_H

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <unistd.h>

namespace quern {

/// The operations that can be made to fail.
enum class FaultPoint : uint8_t {
  Open,
  Read,
  Map,
  Write,
  Sync,
  Rename,
  Allocate,
  Count
};

enum class FaultKind : uint8_t {
  None,
  /// The call fails with `errorNumber` (Allocate: as if out of memory).
  Fail,
  /// A read or write moves only one byte.
  Short,
  /// The process is killed before the call takes effect.
  Crash,
};

/// What shall happen at one point: `kind` at the calls first, first + 1, ...
/// up to `count` of them. Calls are counted from 1; first = 0 means never.
struct FaultRule {
  FaultKind kind = FaultKind::None;
  uint64_t first = 0;
  uint64_t count = 1;
  int errorNumber = EIO;
};

/// Rules for all points and the number of calls so far. Thread-safe once
/// installed; must outlive its installation.
class FaultPlan {
public:
  FaultRule &operator[](FaultPoint point) {
    return rules[static_cast<size_t>(point)];
  }
  uint64_t getCalls(FaultPoint point) const {
    return calls[static_cast<size_t>(point)].load();
  }

  /// Counts one call and says what shall happen to it. Sets errno for Fail.
  FaultKind next(FaultPoint point) {
    size_t index = static_cast<size_t>(point);
    uint64_t call = calls[index].fetch_add(1) + 1;
    const FaultRule &rule = rules[index];
    if (rule.first == 0 || call < rule.first || call - rule.first >= rule.count)
      return FaultKind::None;
    if (rule.kind == FaultKind::Crash)
      ::kill(::getpid(), SIGKILL);
    if (rule.kind == FaultKind::Fail)
      errno = rule.errorNumber;
    return rule.kind;
  }

private:
  std::array<FaultRule, static_cast<size_t>(FaultPoint::Count)> rules{};
  std::array<std::atomic<uint64_t>, static_cast<size_t>(FaultPoint::Count)>
      calls{};
};

inline std::atomic<FaultPlan *> installedFaultPlan{nullptr};

/// What shall happen to this call of `point`.
inline FaultKind faultAt(FaultPoint point) {
  FaultPlan *plan = installedFaultPlan.load(std::memory_order_relaxed);
  return plan ? plan->next(point) : FaultKind::None;
}

/// Installs a plan for the lifetime of this object.
class ScopedFaultPlan {
public:
  explicit ScopedFaultPlan(FaultPlan &plan) { installedFaultPlan = &plan; }
  ~ScopedFaultPlan() { installedFaultPlan = nullptr; }
  ScopedFaultPlan(const ScopedFaultPlan &) = delete;
  ScopedFaultPlan &operator=(const ScopedFaultPlan &) = delete;
};

} // namespace quern

#endif // QUERN_RUNTIME_BASE_FAULT_H
