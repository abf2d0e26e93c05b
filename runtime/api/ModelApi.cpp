//===- ModelApi.cpp - Version, devices and models of the C API ------------===//

#include "runtime/api/ApiObjects.h"
#include "runtime/device/DeviceRegistry.h"
#include "runtime/engine/OpenDevice.h"

#include <string>

using namespace quern;
using namespace quern::api;

/// Copies text into a fixed field, cut at its end.
template <size_t N> static void copyText(char (&to)[N], std::string_view from) {
  to[from.copy(to, N - 1)] = '\0';
}

extern "C" const char *quern_version(void) { return QUERN_VERSION; }

extern "C" const char *quern_status_name(quern_status status) {
  return statusCodeName(static_cast<StatusCode>(status)).data();
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

extern "C" quern_status quern_device_count(size_t *count) {
  return guard([&]() -> Status {
    QUERN_RETURN_IF_ERROR(checkNotNull(count, "count"));
    *count = listDevices().devices.size();
    return Status::ok();
  });
}

extern "C" quern_status quern_device_get(size_t index,
                                         quern_device_info *info) {
  return guard([&]() -> Status {
    QUERN_RETURN_IF_ERROR(checkStruct(info, "info"));
    DeviceListing listing = listDevices();
    if (index >= listing.devices.size())
      return invalidArgument(
          "index is " + std::to_string(index) + ", the machine has " +
          std::to_string(listing.devices.size()) + " devices");
    const DeviceInfo &device = listing.devices[index];
    copyText(info->api, device.api);
    copyText(info->api_version, device.apiVersion);
    copyText(info->name, device.name);
    copyText(info->driver, device.driver);
    info->memory_bytes = device.limits.memoryBytes;
    info->is_software = device.isSoftware;
    return Status::ok();
  });
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

static constexpr uint64_t kMaxTimeoutMilliseconds =
    uint64_t(INT64_MAX) / 1'000'000;
static constexpr uint32_t kMaxThreads = 1024;

extern "C" void quern_model_options_init(quern_model_options *options) {
  if (!options)
    return;
  *options = {};
  options->struct_size = sizeof(*options);
  options->timeout_ms =
      uint64_t(std::chrono::duration_cast<std::chrono::milliseconds>(
                   EngineOptions().timeout)
                   .count());
}

static std::string toString(const char *text) { return text ? text : ""; }

Result<std::shared_ptr<ModelObject>>
quern::api::loadModel(std::shared_ptr<const Bundle> bundle,
                      std::unique_ptr<Device> device, const LoadOptions &load,
                      const EngineOptions &engine) {
  QUERN_ASSIGN_OR_RETURN(TextModel text, TextModel::create(bundle));
  auto object = std::make_shared<ModelObject>(std::move(text));
  QUERN_ASSIGN_OR_RETURN(
      std::unique_ptr<LoadedModel> model,
      LoadedModel::load(std::move(bundle), std::move(device), load));
  object->engine = std::make_unique<Engine>(std::move(model), engine);
  return object;
}

static Status openModel(const char *path, const quern_model_options &options,
                        quern_model **model) {
  if (options.timeout_ms == 0 || options.timeout_ms > kMaxTimeoutMilliseconds)
    return invalidArgument(
        "timeout_ms is " + std::to_string(options.timeout_ms) +
        ", expected 1 to " + std::to_string(kMaxTimeoutMilliseconds));
  if (options.threads > kMaxThreads)
    return invalidArgument("threads is " + std::to_string(options.threads) +
                           ", expected at most " + std::to_string(kMaxThreads));
  BundleOptions bundleOptions;
  bundleOptions.mapWeights = !options.no_mmap;
  bundleOptions.verifyWeights = options.verify_weights;
  QUERN_ASSIGN_OR_RETURN(Bundle bundle, Bundle::open(path, bundleOptions));
  DeviceOptions deviceOptions;
  LoadOptions load;
  load.target = toString(options.target);
  deviceOptions.api = toString(options.device_api);
  deviceOptions.device = toString(options.device);
  deviceOptions.validation = options.validation;
  deviceOptions.threads = options.threads;
  deviceOptions.pinThreads = options.pin_threads;
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Device> device,
                         openDeviceFor(bundle, deviceOptions, load.target));
  EngineOptions engine;
  engine.timeout = std::chrono::milliseconds(options.timeout_ms);
  QUERN_ASSIGN_OR_RETURN(
      std::shared_ptr<ModelObject> object,
      loadModel(std::make_shared<const Bundle>(std::move(bundle)),
                std::move(device), load, engine));
  QUERN_RETURN_IF_ERROR(object->engine->getModel().warmUp(engine.timeout));
  *model = addHandle(std::move(object));
  return Status::ok();
}

extern "C" quern_status quern_model_open(const char *path,
                                         const quern_model_options *options,
                                         quern_model **model) {
  return guard([&]() -> Status {
    QUERN_RETURN_IF_ERROR(checkNotNull(static_cast<void *>(model), "model"));
    *model = nullptr;
    QUERN_RETURN_IF_ERROR(checkNotNull(path, "path"));
    quern_model_options defaults;
    quern_model_options_init(&defaults);
    if (options)
      QUERN_RETURN_IF_ERROR(checkStruct(options, "options"));
    return openModel(path, options ? *options : defaults, model);
  });
}

extern "C" quern_status quern_model_close(quern_model *handle) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           removeHandle(handle));
    return Status::ok();
  });
}

extern "C" quern_status quern_model_get_info(quern_model *handle,
                                             quern_model_info *info) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_RETURN_IF_ERROR(checkStruct(info, "info"));
    LoadedModel &loaded = model->engine->getModel();
    const ModelGeometry &geometry = loaded.getGeometry();
    copyText(info->family, toView(loaded.getModel().family()));
    copyText(info->name, toView(loaded.getModel().name()));
    copyText(info->device, loaded.getDevice().getInfo().name);
    info->parameters = loaded.getModel().parameters();
    info->device_bytes = loaded.getDeviceBytes();
    info->vocab_size = geometry.vocabSize;
    info->context_length = geometry.contextLength;
    info->max_sessions = geometry.numSlots;
    info->max_step_tokens = geometry.maxStepTokens;
    info->has_tokenizer = model->text.getTokenizer() != nullptr;
    info->has_chat_template = model->text.hasChatTemplate();
    return Status::ok();
  });
}

extern "C" quern_status
quern_model_get_statistics(quern_model *handle, quern_statistics *statistics) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_RETURN_IF_ERROR(checkStruct(statistics, "statistics"));
    QUERN_ASSIGN_OR_RETURN(EngineUse engine, EngineUse::acquire(model));
    const EngineStatistics &from = engine->getStatistics();
    statistics->steps = from.steps;
    statistics->tokens = from.tokens;
    statistics->submits = from.submits;
    statistics->dispatches = from.dispatches;
    statistics->pages_in_use =
        engine->getGeometry().numPages - engine->getNumFreePages();
    statistics->peak_pages_in_use = from.peakPagesInUse;
    statistics->num_pages = engine->getGeometry().numPages;
    return Status::ok();
  });
}
