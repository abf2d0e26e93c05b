//===- ApiObjects.h - What the handles of the C API stand for ---*- C++ -*-===//
//
// A handle is a number that is never used twice: closed handles, handles of
// another kind and arbitrary pointers are told apart from open ones without
// touching memory.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_API_APIOBJECTS_H
#define QUERN_RUNTIME_API_APIOBJECTS_H

#include "runtime/engine/Engine.h"
#include "runtime/engine/TextModel.h"
#include "runtime/include/quern/quern.h"

#include <atomic>
#include <memory>

namespace quern::api {

/// An open model. `busy` is held by the call that drives the engine.
struct ModelObject {
  explicit ModelObject(TextModel text) : text(std::move(text)) {}
  TextModel text;
  std::unique_ptr<Engine> engine;
  std::atomic<bool> busy = false;
};

struct SessionObject {
  std::shared_ptr<ModelObject> model; ///< Outlives the sequence.
  std::unique_ptr<Sequence> sequence;
};

/// The object of an open handle, or InvalidArgument.
Result<std::shared_ptr<ModelObject>> findModel(const quern_model *handle);
Result<std::shared_ptr<SessionObject>> findSession(const quern_session *handle);

/// Loads a bundle on a device: quern_model_open after opening both.
Result<std::shared_ptr<ModelObject>>
loadModel(std::shared_ptr<const Bundle> bundle, std::unique_ptr<Device> device,
          const LoadOptions &load = {}, const EngineOptions &engine = {});

quern_model *addHandle(std::shared_ptr<ModelObject> object);
quern_session *addHandle(std::shared_ptr<SessionObject> object);

/// Closes a handle and returns what it stood for.
Result<std::shared_ptr<ModelObject>> removeHandle(const quern_model *handle);
Result<std::shared_ptr<SessionObject>>
removeHandle(const quern_session *handle);

/// Holds a model's engine for one call.
class EngineUse {
public:
  /// InvalidArgument if another call holds it.
  static Result<EngineUse> acquire(std::shared_ptr<ModelObject> model);
  EngineUse(EngineUse &&) = default;
  ~EngineUse() {
    if (model)
      model->busy.store(false, std::memory_order_release);
  }
  Engine &operator*() const { return *model->engine; }
  Engine *operator->() const { return model->engine.get(); }

private:
  explicit EngineUse(std::shared_ptr<ModelObject> model)
      : model(std::move(model)) {}
  std::shared_ptr<ModelObject> model;
};

/// Remembers the message for quern_last_error and returns the code.
quern_status report(const Status &status) noexcept;

/// body(), a Status, reported; no exception leaves it.
template <typename Body> quern_status guard(Body &&body) noexcept;

/// InvalidArgument unless `pointer` is not null; `name` is the parameter's.
Status checkNotNull(const void *pointer, const char *name);

/// InvalidArgument unless `found` is the size of the struct `name`.
Status checkStructSize(size_t found, size_t expected, const char *name);

template <typename T> Status checkStruct(const T *value, const char *name) {
  QUERN_RETURN_IF_ERROR(checkNotNull(value, name));
  return checkStructSize(value->struct_size, sizeof(T), name);
}

/// A quern_sampling as the engine's parameters.
Result<SamplingParameters> readSampling(const quern_sampling *sampling,
                                        const char *name);

quern_status reportException() noexcept;

template <typename Body> quern_status guard(Body &&body) noexcept {
  try {
    return report(body());
  } catch (...) {
    return reportException();
  }
}

} // namespace quern::api

#endif // QUERN_RUNTIME_API_APIOBJECTS_H
