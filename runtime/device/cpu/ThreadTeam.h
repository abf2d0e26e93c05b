//===- ThreadTeam.h - Threads that run one function together -----*- C++
//-*-===//
//
// The caller and size - 1 workers. Workers, and whoever waits at a barrier,
// spin for a moment before they sleep: between the dispatches of a step nobody
// sleeps, between steps of a chat everybody does.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_CPU_THREADTEAM_H
#define QUERN_RUNTIME_DEVICE_CPU_THREADTEAM_H

#include "runtime/base/Status.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <sched.h>
#include <span>
#include <thread>
#include <vector>

namespace quern::cpu {

/// Counts up; waiting for a change spins, then sleeps.
class EventCount {
public:
  uint32_t get() const { return value.load(std::memory_order_acquire); }
  void advance();
  void waitWhile(uint32_t old) const;

private:
  std::atomic<uint32_t> value = 0;
};

/// Not thread-safe: one thread calls run.
class ThreadTeam {
public:
  /// `size` threads with the caller, at least 1. If the system gives fewer, the
  /// team is smaller.
  explicit ThreadTeam(unsigned size);
  ~ThreadTeam();

  unsigned getSize() const { return unsigned(workers.size()) + 1; }

  /// Keeps each thread on a core of its own, the caller of this function, which
  /// is to call run, on the first of `cores`; it may move again when the team
  /// ends. InvalidArgument if there are fewer cores than threads, Unsupported
  /// if the system refuses.
  Status pin(std::span<const unsigned> cores);

  /// Calls function(0) ... function(size - 1), each on its thread, 0 on the
  /// caller's; returns when all have.
  void run(const std::function<void(unsigned)> &function);

  /// All threads of the running function have to get here before any goes on;
  /// what they wrote is visible then.
  void synchronize();

private:
  void work(unsigned index);

  /// Who called pin, and where that thread could run before.
  struct Caller {
    pthread_t thread;
    cpu_set_t cores;
  };

  std::vector<std::thread> workers;
  std::optional<Caller> pinned;
  const std::function<void(unsigned)> *function = nullptr;
  bool stopping = false;
  EventCount started;
  // Apart, so that arriving does not disturb those who look for the phase.
  alignas(64) std::atomic<uint32_t> arrived = 0;
  alignas(64) EventCount phase;
};

} // namespace quern::cpu

#endif // QUERN_RUNTIME_DEVICE_CPU_THREADTEAM_H
