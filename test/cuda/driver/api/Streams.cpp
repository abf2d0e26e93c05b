//===- Streams.cpp - Streams and events -----------------------------------===//

#include "test/cuda/driver/api/State.h"

using namespace quern::ptx;

QUERN_CUDA_API cuStreamCreate(void **handle, unsigned flags) {
  return callApi("cuStreamCreate", Needs::Context, [&] {
    require(flags <= 1, "unknown flags");
    auto stream = std::make_unique<Stream>();
    stream->nonBlocking = flags == 1;
    *handle = addObject(State::get().streams, std::move(stream));
    return Success;
  });
}

QUERN_CUDA_API cuStreamDestroy_v2(void *handle) {
  return callApi("cuStreamDestroy_v2", Needs::Context, [&] {
    State &state = State::get();
    Stream &stream = findObject(state.streams, handle, "stream");
    state.runStream(stream); // The work of a destroyed stream is still done.
    for (auto &[key, event] : state.events)
      if (event->stream == &stream)
        event->stream = nullptr;
    state.streams.erase(handle);
    return Success;
  });
}

QUERN_CUDA_API cuStreamSynchronize(void *handle) {
  return callApi("cuStreamSynchronize", Needs::Context, [&] {
    State &state = State::get();
    ++state.counters.synchronisations;
    state.runStream(state.findStream(handle));
    return Success;
  });
}

/// Finishes work at the second query, so that callers that poll are tested.
static Result poll(Stream &stream) {
  State &state = State::get();
  if (!stream.queue.empty() && !stream.wasPolled) {
    stream.wasPolled = true;
    return NotReady;
  }
  ++state.counters.synchronisations;
  state.runStream(stream);
  return Success;
}

QUERN_CUDA_API cuStreamQuery(void *handle) {
  return callApi("cuStreamQuery", Needs::Context,
                 [&] { return poll(State::get().findStream(handle)); });
}

static void runUntil(Event &event) {
  while (!event.complete && event.stream && !event.stream->queue.empty())
    State::get().runOne(*event.stream);
}

QUERN_CUDA_API cuStreamWaitEvent(void *handle, void *eventHandle,
                                 unsigned flags) {
  return callApi("cuStreamWaitEvent", Needs::Context, [&] {
    require(flags == 0, "flags have to be 0");
    State &state = State::get();
    Event &event = findObject(state.events, eventHandle, "event");
    state.findStream(handle).queue.push_back([&event] { runUntil(event); });
    return Success;
  });
}

QUERN_CUDA_API cuEventCreate(void **handle, unsigned flags) {
  return callApi("cuEventCreate", Needs::Context, [&] {
    require(flags <= 3, "unknown flags");
    *handle = addObject(State::get().events, std::make_unique<Event>());
    return Success;
  });
}

QUERN_CUDA_API cuEventDestroy_v2(void *handle) {
  return callApi("cuEventDestroy_v2", Needs::Context, [&] {
    State &state = State::get();
    Event &event = findObject(state.events, handle, "event");
    runUntil(event);
    state.events.erase(handle);
    return Success;
  });
}

QUERN_CUDA_API cuEventRecord(void *handle, void *stream) {
  return callApi("cuEventRecord", Needs::Context, [&] {
    State &state = State::get();
    state.recordEvent(findObject(state.events, handle, "event"),
                      state.findStream(stream));
    return Success;
  });
}

QUERN_CUDA_API cuEventQuery(void *handle) {
  return callApi("cuEventQuery", Needs::Context, [&] {
    Event &event = findObject(State::get().events, handle, "event");
    if (event.complete || !event.stream)
      return Success;
    return poll(*event.stream);
  });
}

QUERN_CUDA_API cuEventSynchronize(void *handle) {
  return callApi("cuEventSynchronize", Needs::Context, [&] {
    State &state = State::get();
    ++state.counters.synchronisations;
    runUntil(findObject(state.events, handle, "event"));
    return Success;
  });
}

QUERN_CUDA_API cuEventElapsedTime(float *milliseconds, void *startHandle,
                                  void *endHandle) {
  return callApi("cuEventElapsedTime", Needs::Context, [&] {
    State &state = State::get();
    Event &start = findObject(state.events, startHandle, "event");
    Event &end = findObject(state.events, endHandle, "event");
    if (start.generation == 0 || end.generation == 0)
      throw ApiError(InvalidHandle, "the event was never recorded");
    if (!start.complete || !end.complete)
      return NotReady;
    *milliseconds =
        std::chrono::duration<float, std::milli>(end.time - start.time).count();
    return Success;
  });
}
