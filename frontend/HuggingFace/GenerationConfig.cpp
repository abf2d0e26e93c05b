//===- GenerationConfig.cpp - Defaults from generation_config.json --------===//

#include "frontend/HuggingFace/GenerationConfig.h"

#include "frontend/HuggingFace/ConfigReader.h"
#include "runtime/base/Allocation.h"

using namespace quern;

static GenerationConfig defaultsOf(const ModelConfig &config) {
  GenerationConfig generation;
  generation.bosTokenId = config.bosTokenId;
  generation.padTokenId = config.padTokenId;
  generation.eosTokenIds = config.eosTokenIds;
  return generation;
}

static Status readSampling(ConfigReader &reader, GenerationConfig &out) {
  QUERN_RETURN_IF_ERROR(reader.readOptionalBool("do_sample", out.doSample));
  QUERN_RETURN_IF_ERROR(
      reader.readOptionalNonNegative("temperature", 100, out.temperature));
  // Temperature 0 is the usual way to ask for greedy decoding.
  if (out.temperature == 0) {
    out.temperature = 1;
    out.doSample = false;
  }
  QUERN_RETURN_IF_ERROR(reader.readOptionalPositive("top_p", 1, out.topP));
  QUERN_RETURN_IF_ERROR(
      reader.readOptionalInt("top_k", 0, ConfigLimits::maxVocabSize, out.topK));
  QUERN_RETURN_IF_ERROR(reader.readOptionalNonNegative("min_p", 1, out.minP));
  return reader.readOptionalPositive("repetition_penalty", 100,
                                     out.repetitionPenalty);
}

static Result<GenerationConfig> parse(std::string_view text,
                                      const ModelConfig &config) {
  JsonLimits limits;
  limits.maxBytes = ConfigLimits::maxBytes;
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text, limits));
  QUERN_RETURN_IF_ERROR(document.root().expectKind(JsonKind::Object));
  ConfigReader reader(document.root());
  GenerationConfig generation;
  QUERN_RETURN_IF_ERROR(readSampling(reader, generation));
  QUERN_RETURN_IF_ERROR(readTokenIds(reader, "eos_token_id", config.vocabSize,
                                     generation.eosTokenIds));
  QUERN_RETURN_IF_ERROR(readTokenId(reader, "bos_token_id", config.vocabSize,
                                    generation.bosTokenId));
  QUERN_RETURN_IF_ERROR(readTokenId(reader, "pad_token_id", config.vocabSize,
                                    generation.padTokenId));
  GenerationConfig defaults = defaultsOf(config);
  if (generation.eosTokenIds.empty())
    generation.eosTokenIds = defaults.eosTokenIds;
  if (!generation.bosTokenId)
    generation.bosTokenId = defaults.bosTokenId;
  if (!generation.padTokenId)
    generation.padTokenId = defaults.padTokenId;
  reader.ignore({"transformers_version", "_from_model_config", "use_cache"});
  reader.reportUnknown(generation.warnings);
  return generation;
}

Result<GenerationConfig>
quern::parseGenerationConfig(std::string_view text, const ModelConfig &config) {
  return guardAllocation("reading a generation config",
                         [&] { return parse(text, config); });
}

static Result<GenerationConfig> load(const ModelDir &directory,
                                     const ModelConfig &config) {
  QUERN_ASSIGN_OR_RETURN(std::optional<File> file,
                         directory.openFileIfPresent("generation_config.json"));
  if (!file)
    return defaultsOf(config);
  QUERN_ASSIGN_OR_RETURN(std::string text,
                         readWholeFile(*file, ConfigLimits::maxBytes));
  Result<GenerationConfig> generation = parseGenerationConfig(text, config);
  if (!generation.isOk())
    return std::move(generation).takeStatus().withContext(file->getName());
  for (std::string &warning : generation->warnings)
    warning = file->getName() + ": " + warning;
  return generation;
}

Result<GenerationConfig>
quern::loadGenerationConfig(const ModelDir &directory,
                            const ModelConfig &config) {
  return guardAllocation("reading a generation config",
                         [&] { return load(directory, config); });
}
