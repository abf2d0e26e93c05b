//===- CpuSeconds.h - CPU time of this process ------------------*- C++ -*-===//
#ifndef QUERN_TEST_KERNELS_CPUSECONDS_H
#define QUERN_TEST_KERNELS_CPUSECONDS_H

#include <sys/resource.h>

namespace quern::test {

/// User and system time of all threads, lavapipe's among them, in seconds.
inline double cpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval &t) { return t.tv_sec + t.tv_usec * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

} // namespace quern::test

#endif // QUERN_TEST_KERNELS_CPUSECONDS_H
