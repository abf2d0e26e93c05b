//===- ConfigFuzz.cpp - config.json and its siblings ----------------------===//
//
// Attacks the readers of config.json, generation_config.json and the shard
// index with the same bytes. Accepted means: the JSON printed again gives an
// equal config, and every number is in its range.
//
//===----------------------------------------------------------------------===//

#include "frontend/HuggingFace/Config.h"
#include "frontend/HuggingFace/GenerationConfig.h"
#include "frontend/HuggingFace/ModelDir.h"
#include "frontend/HuggingFace/ShardIndex.h"
#include "runtime/base/Json.h"
#include "test/fuzz/Fuzz.h"

#include <cmath>

using namespace quern;

/// What later stages rely on without checking.
static void checkRanges(const ModelConfig &config) {
  FUZZ_CHECK(config.hiddenSize > 0 && config.numHiddenLayers > 0);
  FUZZ_CHECK(config.headDim > 0 && config.vocabSize > 0);
  FUZZ_CHECK(config.numKeyValueHeads > 0);
  FUZZ_CHECK(config.numAttentionHeads % config.numKeyValueHeads == 0);
  FUZZ_CHECK(config.rope.rotaryDim > 0 && config.rope.rotaryDim % 2 == 0);
  FUZZ_CHECK(config.rope.rotaryDim <= config.headDim);
  for (double number :
       {config.rope.theta, config.rope.factor, config.rope.attentionFactor,
        config.rope.betaFast, config.rope.betaSlow, config.rmsNormEps})
    FUZZ_CHECK(std::isfinite(number) && number > 0);
  size_t layers = static_cast<size_t>(config.numHiddenLayers);
  FUZZ_CHECK(config.layerTypes.size() == layers);
  FUZZ_CHECK(config.moeLayers.size() == layers);
  for (int64_t id : config.eosTokenIds)
    FUZZ_CHECK(id >= 0 && id < config.vocabSize);
  if (const auto &quantization = config.quantization) {
    bool isFp8 = quantization->method == QuantMethod::Fp8;
    FUZZ_CHECK(isFp8 ? quantization->blockRows > 0 &&
                           quantization->blockColumns > 0
                     : quantization->bits == 4 || quantization->bits == 8);
    FUZZ_CHECK(quantization->groupSize >= 0 && quantization->zeroOffset <= 1);
  }
  if (config.moe)
    FUZZ_CHECK(config.moe->numExpertsPerTok > 0 &&
               config.moe->numExpertsPerTok <= config.moe->numExperts);
}

static void attackConfig(std::string_view text, const std::string &printed) {
  ConfigOptions options;
  options.onlySupportedFamilies = false;
  Result<ModelConfig> config = parseModelConfig(text, options);
  Result<ModelConfig> supported = parseModelConfig(text);
  if (!supported.isOk())
    fuzz::checkRefusal(supported.getStatus());
  if (!config.isOk()) {
    FUZZ_CHECK(!supported.isOk());
    fuzz::checkRefusal(config.getStatus());
    return;
  }
  checkRanges(*config);
  FUZZ_CHECK(supported.isOk() == getFamilyInfo(config->family).isSupported);
  Result<ModelConfig> again = parseModelConfig(printed, options);
  FUZZ_CHECK(again.isOk() && *again == *config);
}

static void attackGenerationConfig(std::string_view text,
                                   const std::string &printed) {
  ModelConfig config;
  config.vocabSize = 1000;
  Result<GenerationConfig> generation = parseGenerationConfig(text, config);
  if (!generation.isOk())
    return fuzz::checkRefusal(generation.getStatus());
  FUZZ_CHECK(std::isfinite(generation->temperature) &&
             generation->temperature > 0);
  FUZZ_CHECK(generation->topP > 0 && generation->topP <= 1);
  FUZZ_CHECK(generation->topK >= 0 && generation->repetitionPenalty > 0);
  Result<GenerationConfig> again = parseGenerationConfig(printed, config);
  FUZZ_CHECK(again.isOk() && *again == *generation);
}

static void attackShardIndex(std::string_view text) {
  Result<ShardIndex> index = parseShardIndex(text);
  if (!index.isOk())
    return fuzz::checkRefusal(index.getStatus());
  for (const std::string &name : index->shards)
    FUZZ_CHECK(checkFileName(name).isOk() &&
               name.find('/') == std::string::npos);
  for (const auto &[name, shard] : index->shardOf)
    FUZZ_CHECK(shard < index->shards.size());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text = fuzz::asText(data, size);
  std::string printed;
  if (Result<JsonDocument> document = parseJson(text); document.isOk())
    printed = JsonWriter().value(document->root()).take();
  attackConfig(text, printed);
  attackGenerationConfig(text, printed);
  attackShardIndex(text);
  return 0;
}
