//===- State.h - The one device of the test driver ---------------*- C++
//-*-===//
#ifndef QUERN_TEST_CUDA_DRIVER_API_STATE_H
#define QUERN_TEST_CUDA_DRIVER_API_STATE_H

#include "test/cuda/driver/TestDriver.h"
#include "test/cuda/driver/api/Cuda.h"
#include "test/cuda/driver/exec/Block.h"

#include <chrono>
#include <functional>
#include <mutex>
#include <set>

namespace quern::ptx {

/// Ends a call with a code and a text for quernTestCudaGetError.
struct ApiError : std::runtime_error {
  ApiError(Result code, const std::string &text)
      : std::runtime_error(text), code(code) {}
  Result code;
};

struct Options {
  LaunchOptions launch;
  uint64_t memoryBytes = uint64_t(4) << 30;
  unsigned architecture = 80;
  int driverVersion = 13000;
  int numDevices = 1;
  bool quiet = false;
};

struct Function;
struct LoadedModule {
  std::unique_ptr<Module> module;
  std::map<std::string, std::unique_ptr<Function>> functions;
};
struct Function {
  LoadedModule *owner;
  const Kernel *kernel;
  uint32_t maxDynamicShared = 0;
};

/// Work is done when someone waits for it, so that a missing wait shows.
struct Stream {
  bool nonBlocking = false;
  bool wasPolled = false; ///< The first query finds the work not done.
  std::deque<std::function<void()>> queue;
};
struct Event {
  Stream *stream = nullptr;
  bool complete = true;
  uint64_t generation = 0;
  std::chrono::steady_clock::time_point time;
};

/// What a kernel is launched with; the values of its parameters are copied.
struct KernelCall {
  Function *function = nullptr;
  std::array<uint32_t, 3> grid, threads;
  uint32_t sharedBytes = 0;
  std::vector<std::byte> parameters;
};
struct GraphNode {
  enum class Kind : uint8_t { Kernel, Empty, EventRecord } kind;
  std::vector<size_t> dependencies; ///< Indices.
  KernelCall call;
  Event *event = nullptr;
  bool enabled = true;
  size_t index = 0;
};
struct Graph {
  std::vector<std::unique_ptr<GraphNode>> nodes;
};
struct GraphExec {
  std::vector<GraphNode> nodes;
  std::vector<const GraphNode *> origins; ///< Handles that name them.
};

class State {
public:
  static State &get();

  void initialize();
  void reset();
  bool setOption(const std::string &name, const std::string &value);
  void report(const std::string &text);

  /// Finishes the work of a stream. Faults are kept: every call after fails.
  void runStream(Stream &stream);
  void runOne(Stream &stream);
  void runAllStreams(bool nonBlocking);
  Stream &findStream(void *handle);
  KernelCall makeCall(void *function, std::array<uint32_t, 3> grid,
                      std::array<uint32_t, 3> threads, uint32_t sharedBytes,
                      void **parameters, void **extra);
  void runKernel(const KernelCall &call);
  void recordEvent(Event &event, Stream &stream);

  std::recursive_mutex mutex;
  bool initialized = false;
  unsigned contextReferences = 0;
  bool contextCurrent = false;
  Result stickyError = Success;
  std::string lastError;
  Options options;
  QuernTestCudaCounters counters = {};
  struct Injection {
    std::string function;
    Result code;
    unsigned skip;
  };
  std::vector<Injection> injections;
  std::unique_ptr<DeviceMemory> memory = std::make_unique<DeviceMemory>();
  std::map<void *, std::unique_ptr<LoadedModule>> modules;
  std::map<void *, std::unique_ptr<Stream>> streams;
  std::map<void *, std::unique_ptr<Event>> events;
  std::map<void *, std::unique_ptr<Graph>> graphs;
  std::map<void *, std::unique_ptr<GraphExec>> graphExecs;
  std::set<void *> functions;
  std::map<void *, uint64_t> pinned; ///< From cuMemHostAlloc: size.
  Stream defaultStream;

private:
  void readEnvironment();
};

enum class Needs : uint8_t { Nothing, Init, Context };

/// The code that a call ends with: an injected one, a kept one, or that of the
/// body, which may throw.
Result callApi(const char *name, Needs needs,
               const std::function<Result()> &body);

template <typename T>
T &findObject(std::map<void *, std::unique_ptr<T>> &all, void *handle,
              const char *what) {
  auto found = all.find(handle);
  if (found == all.end())
    throw ApiError(InvalidHandle, std::string("no such ") + what);
  return *found->second;
}
template <typename T>
void *addObject(std::map<void *, std::unique_ptr<T>> &all,
                std::unique_ptr<T> object) {
  void *handle = object.get();
  all.emplace(handle, std::move(object));
  return handle;
}
inline void require(bool condition, const char *text) {
  if (!condition)
    throw ApiError(InvalidValue, text);
}

} // namespace quern::ptx

#define QUERN_CUDA_API                                                         \
  extern "C" __attribute__((visibility("default"))) quern::ptx::Result

#endif // QUERN_TEST_CUDA_DRIVER_API_STATE_H
