//===- State.cpp - The one device of the test driver ----------------------===//

#include "test/cuda/driver/api/State.h"

#include "test/cuda/driver/ops/Approximation.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

using namespace quern::ptx;

State &State::get() {
  // Never destroyed: devices may be closed while the process ends.
  static State &state = *new State;
  return state;
}

static constexpr const char *optionNames[] = {
    "SHUFFLE", "MAX_INSTRUCTIONS", "MEMORY", "ARCH",
    "VERSION", "DEVICES",          "QUIET",  "APPROX"};

bool State::setOption(const std::string &name, const std::string &value) {
  if (name == "APPROX") {
    if (value != "exact" && value != "low" && value != "high")
      return false;
    setApproximation(value == "low"    ? Approximation::Low
                     : value == "high" ? Approximation::High
                                       : Approximation::Exact);
    return true;
  }
  char *end = nullptr;
  uint64_t number = std::strtoull(value.c_str(), &end, 10);
  if (value.empty() || *end != '\0')
    return false;
  if (name == "SHUFFLE")
    options.launch.shuffleSeed = number;
  else if (name == "MAX_INSTRUCTIONS")
    options.launch.maxInstructions = number;
  else if (name == "MEMORY")
    options.memoryBytes = number;
  else if (name == "ARCH")
    options.architecture = static_cast<unsigned>(number);
  else if (name == "VERSION")
    options.driverVersion = static_cast<int>(number);
  else if (name == "DEVICES")
    options.numDevices = static_cast<int>(number);
  else if (name == "QUIET")
    options.quiet = number != 0;
  else
    return false;
  return true;
}

void State::readEnvironment() {
  for (const char *name : optionNames) {
    std::string variable = std::string("QUERN_TEST_CUDA_") + name;
    const char *value = std::getenv(variable.c_str());
    if (value && !setOption(name, value))
      std::fprintf(stderr, "test driver: %s=%s is not understood\n",
                   variable.c_str(), value);
  }
}

void State::initialize() {
  if (!initialized)
    readEnvironment();
  initialized = true;
}

void State::reset() {
  for (auto &[data, size] : pinned)
    std::free(data);
  pinned.clear();
  modules.clear();
  streams.clear();
  events.clear();
  graphs.clear();
  graphExecs.clear();
  functions.clear();
  defaultStream = Stream();
  memory = std::make_unique<DeviceMemory>();
  contextReferences = 0;
  contextCurrent = false;
  stickyError = Success;
}

void State::report(const std::string &text) {
  lastError = text;
  if (!options.quiet && !text.empty())
    std::fprintf(stderr, "test driver: %s\n", text.c_str());
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

Stream &State::findStream(void *handle) {
  if (!handle)
    return defaultStream;
  return findObject(streams, handle, "stream");
}

void State::runOne(Stream &stream) {
  auto work = std::move(stream.queue.front());
  stream.queue.pop_front();
  try {
    work();
  } catch (const Fault &fault) {
    stickyError = static_cast<Result>(fault.code);
    stream.queue.clear();
    throw ApiError(stickyError, fault.what());
  }
}

void State::runStream(Stream &stream) {
  while (!stream.queue.empty())
    runOne(stream);
  stream.wasPolled = false;
}

void State::runAllStreams(bool nonBlocking) {
  runStream(defaultStream);
  for (auto &[handle, stream] : streams)
    if (nonBlocking || !stream->nonBlocking)
      runStream(*stream);
}

void State::recordEvent(Event &event, Stream &stream) {
  event.complete = false;
  event.stream = &stream;
  uint64_t generation = ++event.generation;
  stream.queue.push_back([&event, generation] {
    event.time = std::chrono::steady_clock::now();
    event.complete |= event.generation == generation;
  });
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

static bool takeInjection(State &state, const char *name, Result &code) {
  for (size_t i = 0; i != state.injections.size(); ++i) {
    State::Injection &injection = state.injections[i];
    if (injection.function != name)
      continue;
    if (injection.skip != 0) {
      --injection.skip;
      continue;
    }
    code = injection.code;
    state.injections.erase(state.injections.begin() +
                           static_cast<ptrdiff_t>(i));
    return true;
  }
  return false;
}

Result quern::ptx::callApi(const char *name, Needs needs,
                           const std::function<Result()> &body) {
  State &state = State::get();
  std::lock_guard lock(state.mutex);
  Result code = Success;
  if (takeInjection(state, name, code)) {
    bool lost = code >= IllegalAddress && code <= LaunchFailed &&
                code != LaunchOutOfResources;
    if (lost || code == Unknown)
      state.stickyError = code; // The context is gone for good.
    return code;
  }
  if (needs != Needs::Nothing && !state.initialized)
    return NotInitialized;
  if (needs == Needs::Context) {
    if (state.stickyError != Success)
      return state.stickyError;
    if (state.contextReferences == 0 || !state.contextCurrent)
      return InvalidContext;
  }
  auto fail = [&](Result failure, const std::string &text) {
    state.report(std::string(name) + ": " + text);
    return failure;
  };
  try {
    return body();
  } catch (const ApiError &error) {
    return fail(error.code, error.what());
  } catch (const Fault &fault) {
    state.stickyError = static_cast<Result>(fault.code);
    return fail(state.stickyError, fault.what());
  } catch (const std::bad_alloc &) {
    return fail(OutOfMemory, "the host has no memory");
  }
}

//===----------------------------------------------------------------------===//
// What tests ask
//===----------------------------------------------------------------------===//

#define QUERN_TEST_API extern "C" __attribute__((visibility("default")))

QUERN_TEST_API void quernTestCudaGetCounters(QuernTestCudaCounters *counters) {
  State &state = State::get();
  std::lock_guard lock(state.mutex);
  *counters = state.counters;
  counters->liveAllocations = state.memory->getNumLive();
  counters->liveBytes = state.memory->getUsedBytes();
}

QUERN_TEST_API void quernTestCudaResetCounters() {
  State &state = State::get();
  std::lock_guard lock(state.mutex);
  state.counters = {};
}

QUERN_TEST_API const char *quernTestCudaGetError() {
  return State::get().lastError.c_str();
}

QUERN_TEST_API void quernTestCudaFail(const char *function, int code,
                                      unsigned skip) {
  State &state = State::get();
  std::lock_guard lock(state.mutex);
  if (!function || !*function)
    state.injections.clear();
  else
    state.injections.push_back({function, static_cast<Result>(code), skip});
}

QUERN_TEST_API bool quernTestCudaSetOption(const char *name,
                                           const char *value) {
  State &state = State::get();
  std::lock_guard lock(state.mutex);
  return state.setOption(name, value);
}

QUERN_TEST_API void quernTestCudaReset() {
  State &state = State::get();
  std::lock_guard lock(state.mutex);
  state.reset();
  state.options = Options();
  state.setOption("APPROX", "exact");
  state.injections.clear();
  state.counters = {};
  state.lastError.clear();
  state.initialized = false;
}
