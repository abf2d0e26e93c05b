//===- GenerationConfig.h - Defaults from generation_config.json -*- C++
//-*-===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_GENERATIONCONFIG_H
#define QUERN_FRONTEND_HUGGINGFACE_GENERATIONCONFIG_H

#include "frontend/HuggingFace/Config.h"
#include "frontend/HuggingFace/ModelDir.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

/// What a model recommends for sampling. Neutral values where it says nothing.
struct GenerationConfig {
  /// Greedy if false.
  bool doSample = false;
  /// Above 0.
  double temperature = 1;
  /// In (0, 1].
  double topP = 1;
  /// 0: all tokens.
  int64_t topK = 0;
  /// In [0, 1].
  double minP = 0;
  /// Above 0; 1 is neutral.
  double repetitionPenalty = 1;
  std::optional<int64_t> bosTokenId;
  std::optional<int64_t> padTokenId;
  /// Generation stops at any of these; those of config.json if the file does
  /// not say.
  std::vector<int64_t> eosTokenIds;
  /// Keys without effect, one line each.
  std::vector<std::string> warnings;

  bool operator==(const GenerationConfig &) const = default;
};

/// Parses the text of a generation_config.json; `config` gives the vocabulary
/// size and what the file leaves out.
Result<GenerationConfig> parseGenerationConfig(std::string_view text,
                                               const ModelConfig &config);

/// generation_config.json of a folder, or the defaults if there is none.
Result<GenerationConfig> loadGenerationConfig(const ModelDir &directory,
                                              const ModelConfig &config);

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_GENERATIONCONFIG_H
