//===- Config.h - Hyper-parameters from config.json --------------*- C++
//-*-===//
//
// The one struct from which all hyper-parameters come. Field names are those
// of config.json. A config is accepted only if every number in it is usable:
// whoever holds a ModelConfig needs no further checks of ranges.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_FRONTEND_HUGGINGFACE_CONFIG_H
#define QUERN_FRONTEND_HUGGINGFACE_CONFIG_H

#include "frontend/HuggingFace/ModelDir.h"
#include "frontend/HuggingFace/QuantizationConfig.h"
#include "runtime/base/DataType.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

enum class ModelFamily : uint8_t {
#define QUERN_MODEL_FAMILY(name, type, architecture, path, textType,           \
                           textArchitecture, supported)                        \
  name,
#include "frontend/HuggingFace/Families.inc"
};

/// One row of Families.inc.
struct ModelFamilyInfo {
  ModelFamily family;
  std::string_view modelType;
  std::string_view architecture;
  /// Keys, joined by dots, under which the text config lies; empty: the root.
  std::string_view textConfigPath;
  /// model_type inside the text config; with textArchitecture that of a config
  /// which is the text config alone. Empty where there is none.
  std::string_view textModelType;
  std::string_view textArchitecture;
  bool isSupported;
};

const ModelFamilyInfo &getFamilyInfo(ModelFamily family);

/// Which token mixer a layer has.
enum class LayerType : uint8_t { FullAttention, LinearAttention };

enum class RopeType : uint8_t { Default, Yarn };

/// Rotary position embedding. Formulas: transformers, modeling_rope_utils.py.
struct RopeConfig {
  RopeType type = RopeType::Default;
  double theta = 0;
  /// Leading dimensions of a head that are rotated: int(head_dim *
  /// partial_rotary_factor); even.
  int64_t rotaryDim = 0;

  // YaRN; at their neutral values otherwise.
  double factor = 1;
  int64_t originalMaxPositionEmbeddings = 0;
  double betaFast = 32;
  double betaSlow = 1;
  /// Whether the borders of the ramp are rounded to whole dimensions.
  bool truncate = true;
  /// Factor on cos and sin, resolved: given, or 0.1 ln(factor) + 1 (with
  /// mscale and mscale_all_dim: the quotient of the two).
  double attentionFactor = 1;

  /// Frequencies per axis (time, height, width); empty without M-RoPE. The
  /// sum is rotaryDim / 2.
  std::vector<int64_t> mropeSection;
  bool mropeInterleaved = false;

  bool operator==(const RopeConfig &) const = default;
};

/// Mixture of experts.
struct MoeConfig {
  int64_t numExperts = 0;
  int64_t numExpertsPerTok = 0;
  int64_t moeIntermediateSize = 0;
  /// 0 without a shared expert.
  int64_t sharedExpertIntermediateSize = 0;
  /// Whether the weights of the chosen experts are scaled to the sum one.
  bool normTopkProb = false;

  bool operator==(const MoeConfig &) const = default;
};

/// Gated delta net layers.
struct LinearAttentionConfig {
  int64_t numKeyHeads = 0;
  /// A multiple of numKeyHeads.
  int64_t numValueHeads = 0;
  int64_t keyHeadDim = 0;
  int64_t valueHeadDim = 0;
  int64_t convKernelDim = 0;

  bool operator==(const LinearAttentionConfig &) const = default;
};

struct ModelConfig {
  ModelFamily family = ModelFamily::Qwen3;
  int64_t hiddenSize = 0;
  /// Of the dense MLP; 0 if every layer is a mixture of experts.
  int64_t intermediateSize = 0;
  int64_t numHiddenLayers = 0;
  int64_t numAttentionHeads = 0;
  /// Divides numAttentionHeads.
  int64_t numKeyValueHeads = 0;
  int64_t headDim = 0;
  /// Rows of the embedding; larger than the tokenizer's vocabulary.
  int64_t vocabSize = 0;
  int64_t maxPositionEmbeddings = 0;
  double rmsNormEps = 0;
  bool tieWordEmbeddings = false;
  /// Whether q_proj also yields a sigmoid gate on the attention output.
  bool attnOutputGate = false;
  RopeConfig rope;
  /// One entry per layer.
  std::vector<LayerType> layerTypes;
  /// One entry per layer: whether its MLP is a mixture of experts.
  std::vector<bool> moeLayers;
  std::optional<MoeConfig> moe;
  std::optional<LinearAttentionConfig> linearAttention;
  int64_t mtpNumHiddenLayers = 0;
  /// torch_dtype or dtype: what the weights claim to be.
  std::optional<DataType> dtype;
  /// Of checkpoints that are quantised.
  std::optional<QuantizationConfig> quantization;
  std::optional<int64_t> bosTokenId;
  std::optional<int64_t> padTokenId;
  /// Not more than what config.json says; generation_config.json may add.
  std::vector<int64_t> eosTokenIds;
  /// Keys that nothing here knows, one line each; they had no effect.
  std::vector<std::string> warnings;

  /// Makes it the config of its first `count` layers; 0 or more than there are:
  /// of all.
  void keepLayers(int64_t count) {
    if (count <= 0 || count >= numHiddenLayers)
      return;
    numHiddenLayers = count;
    layerTypes.resize(size_t(count));
    moeLayers.resize(size_t(count));
  }

  bool operator==(const ModelConfig &) const = default;
};

/// Bounds beyond which a number can only be an error or an attack.
struct ConfigLimits {
  static constexpr uint64_t maxBytes = 8u << 20;
  static constexpr int64_t maxLayers = 1024;
  static constexpr int64_t maxVocabSize = 4 << 20;
  static constexpr int64_t maxPositions = 16 << 20;
  static constexpr int64_t maxHiddenSize = 1 << 17;
  static constexpr int64_t maxIntermediateSize = 1 << 20;
  static constexpr int64_t maxHeads = 4096;
  static constexpr int64_t maxHeadDim = 4096;
  static constexpr int64_t maxExperts = 4096;
};

struct ConfigOptions {
  /// Whether families that the compiler cannot build yet are refused.
  bool onlySupportedFamilies = true;
};

/// Parses and validates the text of a config.json. Corrupt: not a config;
/// Unsupported: a valid config of something that is not implemented, with the
/// list of what is. Messages start with the JSON path.
Result<ModelConfig> parseModelConfig(std::string_view text,
                                     const ConfigOptions &options = {});

/// config.json of a folder; messages start with the file name.
Result<ModelConfig> loadModelConfig(const ModelDir &directory,
                                    const ConfigOptions &options = {});

} // namespace quern

#endif // QUERN_FRONTEND_HUGGINGFACE_CONFIG_H
