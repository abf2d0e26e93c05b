//===- ApiObjects.cpp - What the handles of the C API stand for -----------===//

#include "runtime/api/ApiObjects.h"

#include <cstdio>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <string>

using namespace quern;
using namespace quern::api;

//===----------------------------------------------------------------------===//
// Handles
//===----------------------------------------------------------------------===//

/// The low byte of a handle, so that a handle of another kind is recognised.
static constexpr uintptr_t kModelMagic = 0xA5, kSessionMagic = 0x5A;
static constexpr const char *kModelName = "model", *kSessionName = "session";

namespace {

/// The open handles of one kind. Thread-safe.
template <typename Object> class Registry {
public:
  Registry(uintptr_t magic, const char *name, uintptr_t otherMagic,
           const char *otherName)
      : magic(magic), name(name), otherMagic(otherMagic), otherName(otherName) {
  }

  uintptr_t add(std::shared_ptr<Object> object) {
    std::lock_guard lock(mutex);
    uintptr_t handle = ++last << 8 | magic;
    objects.emplace(handle, std::move(object));
    return handle;
  }

  Result<std::shared_ptr<Object>> find(uintptr_t handle) {
    std::lock_guard lock(mutex);
    auto found = objects.find(handle);
    if (found == objects.end())
      return makeError(handle);
    return found->second;
  }

  Result<std::shared_ptr<Object>> remove(uintptr_t handle) {
    std::lock_guard lock(mutex);
    auto found = objects.find(handle);
    if (found == objects.end())
      return makeError(handle);
    std::shared_ptr<Object> object = std::move(found->second);
    objects.erase(found);
    return object;
  }

private:
  Status makeError(uintptr_t handle) const {
    if (handle == 0)
      return invalidArgument(std::string(name) + " is null");
    std::string found = "no open handle";
    if (handle >> 8 != 0 && handle >> 8 <= last && (handle & 0xFF) == magic)
      found = "a closed handle";
    else if ((handle & 0xFF) == otherMagic && handle >> 8 < (1u << 20))
      found = std::string("a handle of a ") + otherName;
    return invalidArgument(std::string(name) + " is " + found);
  }

  std::mutex mutex;
  std::map<uintptr_t, std::shared_ptr<Object>> objects;
  uintptr_t last = 0, magic;
  const char *name;
  uintptr_t otherMagic;
  const char *otherName;
};

} // namespace

// Never destroyed: handles that are open at exit stay as they are.
static Registry<ModelObject> &getModels() {
  static auto *registry = new Registry<ModelObject>(
      kModelMagic, kModelName, kSessionMagic, kSessionName);
  return *registry;
}
static Registry<SessionObject> &getSessions() {
  static auto *registry = new Registry<SessionObject>(
      kSessionMagic, kSessionName, kModelMagic, kModelName);
  return *registry;
}

Result<std::shared_ptr<ModelObject>>
quern::api::findModel(const quern_model *handle) {
  return getModels().find(reinterpret_cast<uintptr_t>(handle));
}
Result<std::shared_ptr<SessionObject>>
quern::api::findSession(const quern_session *handle) {
  return getSessions().find(reinterpret_cast<uintptr_t>(handle));
}
quern_model *quern::api::addHandle(std::shared_ptr<ModelObject> object) {
  return reinterpret_cast<quern_model *>(getModels().add(std::move(object)));
}
quern_session *quern::api::addHandle(std::shared_ptr<SessionObject> object) {
  return reinterpret_cast<quern_session *>(
      getSessions().add(std::move(object)));
}
Result<std::shared_ptr<ModelObject>>
quern::api::removeHandle(const quern_model *handle) {
  return getModels().remove(reinterpret_cast<uintptr_t>(handle));
}
Result<std::shared_ptr<SessionObject>>
quern::api::removeHandle(const quern_session *handle) {
  return getSessions().remove(reinterpret_cast<uintptr_t>(handle));
}

Result<EngineUse> EngineUse::acquire(std::shared_ptr<ModelObject> model) {
  if (model->busy.exchange(true, std::memory_order_acquire))
    return invalidArgument("the model is in use by another call: of another "
                           "thread, or the one whose callback this is");
  return EngineUse(std::move(model));
}

//===----------------------------------------------------------------------===//
// Errors and checks
//===----------------------------------------------------------------------===//

/// Fixed memory: reporting "out of memory" needs none.
static thread_local char lastError[1024] = "";

quern_status quern::api::report(const Status &status) noexcept {
  if (!status.isOk())
    std::snprintf(lastError, sizeof(lastError), "%s",
                  status.getMessage().c_str());
  return static_cast<quern_status>(status.getCode());
}

quern_status quern::api::reportException() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc &) {
    std::snprintf(lastError, sizeof(lastError), "out of memory");
    return QUERN_RESOURCE_EXHAUSTED;
  } catch (const std::exception &error) {
    std::snprintf(lastError, sizeof(lastError), "unexpected exception: %s",
                  error.what());
  } catch (...) {
    std::snprintf(lastError, sizeof(lastError), "unexpected exception");
  }
  return QUERN_INTERNAL;
}

extern "C" const char *quern_last_error(void) { return lastError; }

Status quern::api::checkNotNull(const void *pointer, const char *name) {
  return pointer ? Status::ok()
                 : invalidArgument(std::string(name) + " is null");
}

Status quern::api::checkStructSize(size_t found, size_t expected,
                                   const char *name) {
  if (found == expected)
    return Status::ok();
  return invalidArgument(std::string(name) + "->struct_size is " +
                         std::to_string(found) + ", expected " +
                         std::to_string(expected));
}

Result<SamplingParameters>
quern::api::readSampling(const quern_sampling *sampling, const char *name) {
  QUERN_RETURN_IF_ERROR(checkStruct(sampling, name));
  SamplingParameters parameters;
  parameters.temperature = sampling->temperature;
  parameters.topK = sampling->top_k;
  parameters.topP = sampling->top_p;
  parameters.minP = sampling->min_p;
  parameters.repetitionPenalty = sampling->repetition_penalty;
  parameters.seed = sampling->seed;
  parameters.stream = sampling->stream;
  return parameters;
}
