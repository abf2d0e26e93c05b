//===- OpenModel.cpp - Options of commands that run a model ---------------===//

#include "tools/quern/OpenModel.h"

#include "runtime/engine/OpenDevice.h"
#include "tools/quern/ProgressBar.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <unistd.h>
#include <utility>

using namespace quern;

void tool::addOpenOptions(CLI::App &command, OpenOptions &options) {
  command.add_option("bundle", options.path, "The compiled model")->required();
  command.add_option("--api", options.device.api,
                     "Device API: vulkan, cpu or null (default: the first that "
                     "runs a target of the bundle)");
  command.add_option("--device", options.device.device,
                     "Index or part of the name of the device (default: the "
                     "best)");
  command
      .add_option("--threads", options.device.threads,
                  "Threads of the CPU device (default: 0, one for each "
                  "core)")
      ->check(CLI::Range(0, 1024));
  command.add_flag("--pin", options.device.pinThreads,
                   "Keep each thread of the CPU device on a core of its own");
  command.add_option("--target", options.target,
                     "Program set of the bundle (default: what the device "
                     "runs)");
  command.add_flag("--no-mmap", options.noMap,
                   "Read the weights into memory instead of mapping them");
  command.add_flag("--validation", options.device.validation,
                   "Ask the validation layer of the device's API");
  command.add_option("--timeout", options.timeoutSeconds,
                     "Seconds after which a step is given up (default: 600)");
}

void tool::addSamplingOptions(CLI::App &command, SamplingOptions &options) {
  command.add_flag("--greedy", options.greedy, "Take the likeliest token");
  command.add_option("--temperature", options.temperature, "0: greedy");
  command.add_option("--top-k", options.topK, "0: off");
  command.add_option("--top-p", options.topP, "1: off");
  command.add_option("--min-p", options.minP, "0: off");
  command.add_option("--repetition-penalty", options.repetitionPenalty,
                     "1: off");
  command.add_option("--seed", options.seed,
                     "The same seed gives the same text (default: 0)");
}

Result<tool::OpenModel> tool::openModel(const OpenOptions &options) {
  auto begin = std::chrono::steady_clock::now();
  if (!(options.timeoutSeconds > 0 && options.timeoutSeconds <= 1e9))
    return invalidArgument("--timeout is " +
                           std::to_string(options.timeoutSeconds) +
                           ", expected more than 0 and at most 1e9 seconds");
  BundleOptions bundleOptions;
  bundleOptions.mapWeights = !options.noMap;
  QUERN_ASSIGN_OR_RETURN(Bundle opened,
                         Bundle::open(options.path, bundleOptions));
  auto bundle = std::make_shared<const Bundle>(std::move(opened));
  QUERN_ASSIGN_OR_RETURN(TextModel text, TextModel::create(bundle));
  QUERN_ASSIGN_OR_RETURN(
      std::unique_ptr<Device> device,
      openDeviceFor(*bundle, options.device, options.target));
  LoadOptions load;
  load.target = options.target;
  ProgressBar bar(/*quiet=*/!isatty(STDERR_FILENO));
  bool isShown = false;
  load.progress = [&](uint64_t done, uint64_t total) {
    if (!std::exchange(isShown, true))
      bar.beginPhase("loading weights");
    bar.update(done, total);
  };
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<LoadedModel> model,
                         LoadedModel::load(bundle, std::move(device), load));
  bar.abandon(); // The statistics say how long it took.
  EngineOptions engineOptions;
  engineOptions.timeout =
      std::chrono::nanoseconds(int64_t(options.timeoutSeconds * 1e9));
  QUERN_RETURN_IF_ERROR(model->warmUp(engineOptions.timeout));
  auto engine = std::make_unique<Engine>(std::move(model), engineOptions);
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - begin;
  return OpenModel{std::move(bundle), std::move(text), std::move(engine),
                   seconds.count()};
}

Result<SamplingParameters> tool::makeSampling(const SamplingOptions &options,
                                              const Bundle &bundle) {
  SamplingParameters parameters = getSamplingDefaults(bundle);
  parameters.temperature = options.temperature.value_or(parameters.temperature);
  if (options.greedy)
    parameters.temperature = 0;
  parameters.topK = options.topK.value_or(parameters.topK);
  parameters.topP = options.topP.value_or(parameters.topP);
  parameters.minP = options.minP.value_or(parameters.minP);
  parameters.repetitionPenalty =
      options.repetitionPenalty.value_or(parameters.repetitionPenalty);
  parameters.seed = options.seed;
  QUERN_RETURN_IF_ERROR(verifySamplingParameters(parameters));
  return parameters;
}

void tool::printText(std::string_view text) {
  static const bool isTerminal = isatty(STDOUT_FILENO);
  for (char c : text) {
    bool isControl =
        (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') ||
        c == 0x7F;
    std::fputc(isTerminal && isControl ? '?' : c, stdout);
  }
  std::fflush(stdout);
}
