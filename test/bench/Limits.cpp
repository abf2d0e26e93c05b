//===- Limits.cpp - Read bandwidth and FMA rate of this machine -----------===//
//
// What no program can beat on this machine at this moment, measured beside the
// programs that are compared:
//
//   bench-limits [THREADS [MIB]]
//
// - reads: each thread sums its part of an array that no cache holds, as 1, 2,
//   4 or 8 streams that lie far apart. One stream alone does not reach what
//   memory gives, since a prefetcher follows each stream only so far.
// - f32 fused multiply-adds in independent chains, in vectors of the width that
//   this file is compiled for.
//
// Prints one JSON object; the fastest of a few runs of each counts.
//
//===----------------------------------------------------------------------===//

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr size_t kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr size_t kVectorBytes = 32;
#else
constexpr size_t kVectorBytes = 16;
#endif
#ifdef __x86_64__
#define QUERN_VECTOR_REGISTER "x"
#else
#define QUERN_VECTOR_REGISTER "w"
#endif
constexpr size_t kLanes = kVectorBytes / sizeof(float);
using Vector [[gnu::vector_size(kVectorBytes)]] = float;

constexpr int kRuns = 3;
constexpr size_t kMaxStreams = 8;
/// Enough chains to hide the latency of two units with 4 to 5 cycles.
constexpr size_t kChains = 12;
constexpr size_t kFmaSteps = 20'000'000;

/// Memory by pages, of huge pages where the system has them.
class Pages {
public:
  explicit Pages(size_t bytes) : bytes(bytes) {
    data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
      std::perror("bench-limits: error: no memory");
      std::exit(1);
    }
    madvise(data, bytes, MADV_HUGEPAGE);
    // Pages that are only read would all be the same page of zeros.
    std::memset(data, 1, bytes);
  }
  Pages(const Pages &) = delete;
  Pages &operator=(const Pages &) = delete;
  ~Pages() { munmap(data, bytes); }

  const Vector *begin() const { return static_cast<const Vector *>(data); }
  size_t size() const { return bytes / sizeof(Vector); }

private:
  size_t bytes;
  void *data;
};

struct Time {
  double seconds = 0;    ///< Wall.
  double cpuSeconds = 0; ///< Of all threads together.
};

} // namespace

static double getThreadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

/// Keeps what computed `value` from being left out.
static void use(Vector value) {
  asm volatile("" : : QUERN_VECTOR_REGISTER(value));
}

/// Runs work(thread) on so many threads at once.
static Time runOnThreads(size_t threads,
                         const std::function<void(size_t)> &work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> cpuSeconds(threads);
  std::barrier barrier(std::ptrdiff_t(threads + 1));
  std::vector<std::jthread> workers;
  for (size_t thread = 0; thread != threads; ++thread)
    workers.emplace_back([&, thread] {
      barrier.arrive_and_wait();
      double begin = getThreadSeconds();
      work(thread);
      cpuSeconds[thread] = getThreadSeconds() - begin;
      barrier.arrive_and_wait();
    });
  barrier.arrive_and_wait();
  Clock::time_point begin = Clock::now();
  barrier.arrive_and_wait();
  Time time;
  time.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  for (double seconds : cpuSeconds)
    time.cpuSeconds += seconds;
  return time;
}

/// The least wall and the least CPU time of a few runs.
static Time runBest(size_t threads, const std::function<void(size_t)> &work) {
  Time best = runOnThreads(threads, work);
  for (int run = 1; run != kRuns; ++run) {
    Time time = runOnThreads(threads, work);
    best.seconds = std::min(best.seconds, time.seconds);
    best.cpuSeconds = std::min(best.cpuSeconds, time.cpuSeconds);
  }
  return best;
}

/// Sums `Streams` parts of `count / Streams` vectors side by side.
template <size_t Streams>
static void readStreams(const Vector *data, size_t count) {
  constexpr size_t unroll = kMaxStreams / Streams;
  Vector sums[Streams][unroll] = {};
  size_t length = count / Streams;
  for (size_t i = 0; i + unroll <= length; i += unroll)
    for (size_t stream = 0; stream != Streams; ++stream)
      for (size_t j = 0; j != unroll; ++j)
        sums[stream][j] += data[stream * length + i + j];
  for (auto &stream : sums)
    for (Vector sum : stream)
      use(sum);
}

template <size_t Streams>
static void printReads(const Pages &pages, size_t threads, bool last) {
  size_t part = pages.size() / threads / kMaxStreams * kMaxStreams;
  Time time = runBest(threads, [&](size_t thread) {
    readStreams<Streams>(pages.begin() + thread * part, part);
  });
  std::printf("{\"streams\":%zu,\"bytes\":%zu,\"seconds\":%.6f,"
              "\"cpu_seconds\":%.6f}%s",
              Streams, part * threads * sizeof(Vector), time.seconds,
              time.cpuSeconds, last ? "" : ",");
}

static void multiplyAdd(size_t steps) {
  Vector chains[kChains] = {};
  // Equal chains would be computed once.
  for (Vector &chain : chains)
    asm volatile("" : "+" QUERN_VECTOR_REGISTER(chain));
  Vector factor = Vector{} + 0.999F, summand = Vector{} + 1e-3F;
  for (size_t step = 0; step != steps; ++step) {
    for (Vector &chain : chains)
      chain = chain * factor + summand;
    // A loop that could be seen through might be computed at once.
    asm volatile("" : "+" QUERN_VECTOR_REGISTER(factor));
  }
  for (Vector chain : chains)
    use(chain);
}

int main(int argc, char **argv) {
  long threads = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1;
  long mebibytes = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1024;
  if (threads < 1 || threads > 1024 || mebibytes < 1 || argc > 3) {
    std::fprintf(stderr, "usage: bench-limits [THREADS [MIB]]\n");
    return 2;
  }
  Pages pages(size_t(mebibytes) << 20);
  size_t count = size_t(threads);
  std::printf("{\"threads\":%ld,\"reads\":[", threads);
  printReads<1>(pages, count, false);
  printReads<2>(pages, count, false);
  printReads<4>(pages, count, false);
  printReads<8>(pages, count, true);
  Time time = runBest(count, [](size_t) { multiplyAdd(kFmaSteps); });
  std::printf("],\"fma\":{\"vector_bytes\":%zu,\"flops\":%.0f,"
              "\"seconds\":%.6f,\"cpu_seconds\":%.6f}}\n",
              kVectorBytes, 2.0 * kFmaSteps * kChains * kLanes * double(count),
              time.seconds, time.cpuSeconds);
  return 0;
}
