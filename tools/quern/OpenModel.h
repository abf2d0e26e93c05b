//===- OpenModel.h - Options of commands that run a model -------*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_OPENMODEL_H
#define QUERN_TOOLS_QUERN_OPENMODEL_H

#include "runtime/device/DeviceRegistry.h"
#include "runtime/engine/Generate.h"

#include <memory>
#include <optional>
#include <string>

namespace CLI {
class App;
} // namespace CLI

namespace quern::tool {

/// Which model on which device.
struct OpenOptions {
  std::string path;
  DeviceOptions device;
  std::string target;
  bool noMap = false;
  double timeoutSeconds = 600;
};
void addOpenOptions(CLI::App &command, OpenOptions &options);

/// How tokens are chosen; what is not given comes from the bundle.
struct SamplingOptions {
  bool greedy = false;
  std::optional<float> temperature, topP, minP, repetitionPenalty;
  std::optional<int64_t> topK;
  uint64_t seed = 0;
};
void addSamplingOptions(CLI::App &command, SamplingOptions &options);

/// A bundle, loaded. Members depend on those before them.
struct OpenModel {
  std::shared_ptr<const Bundle> bundle;
  TextModel text;
  std::unique_ptr<Engine> engine;
  double loadSeconds = 0;
};
Result<OpenModel> openModel(const OpenOptions &options);

Result<SamplingParameters> makeSampling(const SamplingOptions &options,
                                        const Bundle &bundle);

/// Writes model output to stdout at once; on a terminal, control characters
/// other than line ends and tabs are replaced.
void printText(std::string_view text);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_OPENMODEL_H
