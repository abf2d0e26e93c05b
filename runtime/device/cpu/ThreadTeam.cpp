//===- ThreadTeam.cpp - Threads that run one function together ------------===//

#include "runtime/device/cpu/ThreadTeam.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <system_error>

using namespace quern;
using namespace quern::cpu;

static void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void EventCount::advance() {
  value.fetch_add(1, std::memory_order_release);
  value.notify_all();
}

void EventCount::waitWhile(uint32_t old) const {
  // About 50 microseconds: longer than the other threads need to the end of a
  // dispatch if they have a core, and little to lose if they don't.
  using Clock = std::chrono::steady_clock;
  Clock::time_point end = Clock::now() + std::chrono::microseconds(50);
  do {
    for (int i = 0; i != 64; ++i) {
      if (get() != old)
        return;
      relax();
    }
  } while (Clock::now() < end);
  while (get() == old)
    value.wait(old, std::memory_order_acquire);
}

ThreadTeam::ThreadTeam(unsigned size) {
  try {
    for (unsigned i = 1; i < size; ++i)
      workers.emplace_back([this, i] { work(i); });
  } catch (const std::system_error &) {
    return; // No more threads: the team is as large as it got.
  }
}

ThreadTeam::~ThreadTeam() {
  stopping = true;
  started.advance();
  for (std::thread &worker : workers)
    worker.join();
  if (pinned && ::pthread_equal(pinned->thread, ::pthread_self()))
    (void)::pthread_setaffinity_np(pinned->thread, sizeof(cpu_set_t),
                                   &pinned->cores);
}

/// On `core` alone.
static Status pinThread(pthread_t thread, unsigned core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (core < CPU_SETSIZE)
    CPU_SET(core, &cores);
  int error = ::pthread_setaffinity_np(thread, sizeof(cores), &cores);
  if (error != 0)
    return unsupported("can't pin a thread to core " + std::to_string(core) +
                       ": " + std::strerror(error));
  return Status::ok();
}

Status ThreadTeam::pin(std::span<const unsigned> cores) {
  if (cores.size() < getSize())
    return invalidArgument("can't pin " + std::to_string(getSize()) +
                           " threads: the process has " +
                           std::to_string(cores.size()) + " cores");
  Caller caller{::pthread_self(), {}};
  int error = ::pthread_getaffinity_np(caller.thread, sizeof(caller.cores),
                                       &caller.cores);
  if (error != 0)
    return unsupported(std::string("can't pin threads: ") +
                       std::strerror(error));
  for (size_t i = 0; i != workers.size(); ++i)
    QUERN_RETURN_IF_ERROR(pinThread(workers[i].native_handle(), cores[i + 1]));
  QUERN_RETURN_IF_ERROR(pinThread(caller.thread, cores[0]));
  pinned = caller;
  return Status::ok();
}

void ThreadTeam::work(unsigned index) {
  for (uint32_t seen = 0;; ++seen) {
    started.waitWhile(seen);
    if (stopping)
      return;
    (*function)(index);
    synchronize();
  }
}

void ThreadTeam::run(const std::function<void(unsigned)> &body) {
  if (workers.empty())
    return body(0);
  function = &body;
  started.advance();
  body(0);
  synchronize();
}

void ThreadTeam::synchronize() {
  if (workers.empty())
    return;
  uint32_t now = phase.get();
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == getSize()) {
    arrived.store(0, std::memory_order_relaxed);
    phase.advance();
  } else {
    phase.waitWhile(now);
  }
}
