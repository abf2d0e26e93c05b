//===- Config.cpp - Hyper-parameters from config.json ---------------------===//

#include "frontend/HuggingFace/Config.h"

#include "frontend/HuggingFace/ConfigLayers.h"
#include "frontend/HuggingFace/ConfigReader.h"
#include "frontend/HuggingFace/ConfigRope.h"
#include "runtime/base/Allocation.h"
#include "runtime/base/CheckedMath.h"
#include "runtime/base/Escape.h"

#include <algorithm>
#include <array>

using namespace quern;

//===----------------------------------------------------------------------===//
// Families
//===----------------------------------------------------------------------===//

static constexpr ModelFamilyInfo families[] = {
#define QUERN_MODEL_FAMILY(name, type, architecture, path, textType,           \
                           textArchitecture, supported)                        \
  {ModelFamily::name, type,     architecture, path, textType,                  \
   textArchitecture,  supported},
#include "frontend/HuggingFace/Families.inc"
};

const ModelFamilyInfo &quern::getFamilyInfo(ModelFamily family) {
  return families[static_cast<size_t>(family)];
}

/// "qwen3, qwen3_moe, ...": what the compiler can build.
static std::string listSupported() {
  std::string text;
  for (const ModelFamilyInfo &info : families)
    if (info.isSupported)
      text += (text.empty() ? "" : ", ") + std::string(info.modelType);
  return text;
}

namespace {
/// A row of the families, and whether the config is its text config alone.
struct FoundFamily {
  const ModelFamilyInfo *info;
  bool isTextOnly;

  std::string_view architecture() const {
    return isTextOnly ? info->textArchitecture : info->architecture;
  }
  std::string_view textConfigPath() const {
    return isTextOnly ? "" : info->textConfigPath;
  }
};
} // namespace

static Result<FoundFamily> findFamily(ConfigReader &root,
                                      const ConfigOptions &options) {
  QUERN_ASSIGN_OR_RETURN(JsonValue typeJson, root.json().get("model_type"));
  root.ignore({"model_type"});
  QUERN_ASSIGN_OR_RETURN(std::string_view type, typeJson.asString());
  auto isNamed = [&](const ModelFamilyInfo &info) {
    return info.modelType == type ||
           (!info.textArchitecture.empty() && info.textModelType == type);
  };
  const ModelFamilyInfo *info =
      std::find_if(std::begin(families), std::end(families), isNamed);
  if (info == std::end(families))
    return unsupported(typeJson.path() + ": unknown model type " +
                       quoteName(type) + "; supported: " + listSupported());
  if (options.onlySupportedFamilies && !info->isSupported)
    return unsupported(typeJson.path() + ": " + quoteName(type) +
                       " is not supported yet; supported: " + listSupported());
  FoundFamily found = {info, info->modelType != type};
  std::optional<JsonValue> architectures = root.find("architectures");
  if (!architectures)
    return found;
  QUERN_RETURN_IF_ERROR(architectures->expectKind(JsonKind::Array));
  for (JsonValue element : architectures->elements()) {
    QUERN_ASSIGN_OR_RETURN(std::string_view name, element.asString());
    if (name != found.architecture())
      return unsupported(element.path() + ": unknown architecture " +
                         quoteName(name) + " of model type " + quoteName(type) +
                         "; supported: " + std::string(found.architecture()));
  }
  return found;
}

/// Follows the dotted path of the family to its text config.
static Result<JsonValue> findTextConfig(JsonValue root, std::string_view path) {
  JsonValue value = root;
  while (!path.empty()) {
    size_t dot = path.find('.');
    QUERN_ASSIGN_OR_RETURN(value, value.get(path.substr(0, dot)));
    path = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  }
  QUERN_RETURN_IF_ERROR(value.expectKind(JsonKind::Object));
  return value;
}

//===----------------------------------------------------------------------===//
// What must not be there
//===----------------------------------------------------------------------===//

/// Keys that change what is computed in ways that nothing here implements.
static Status refuseForeign(ConfigReader &reader) {
  if (reader.find("auto_map"))
    return unsupported(reader.pathOf("auto_map") +
                       ": the model wants to run code of its own; remote code "
                       "is never run");
  if (reader.find("compression_config"))
    return unsupported(reader.pathOf("compression_config") +
                       ": compressed weights are not supported");
  return Status::ok();
}

static Status refuseUnsupportedSwitches(ConfigReader &text) {
  QUERN_RETURN_IF_ERROR(refuseForeign(text));
  QUERN_RETURN_IF_ERROR(text.refuseIfTrue("attention_bias", "attention bias"));
  QUERN_RETURN_IF_ERROR(text.refuseIfTrue("mlp_bias", "MLP bias"));
  QUERN_RETURN_IF_ERROR(
      text.refuseIfTrue("use_sliding_window", "sliding window attention"));
  // Without use_sliding_window these have no effect; their types must be right.
  int64_t unused = 0;
  QUERN_RETURN_IF_ERROR(text.readOptionalInt(
      "sliding_window", 0, ConfigLimits::maxPositions, unused));
  QUERN_RETURN_IF_ERROR(
      text.readOptionalInt("max_window_layers", 0, INT32_MAX, unused));
  if (std::optional<JsonValue> activation = text.find("hidden_act")) {
    QUERN_ASSIGN_OR_RETURN(std::string_view name, activation->asString());
    if (name != "silu" && name != "swish")
      return unsupported(activation->path() + ": activation " +
                         quoteName(name) + " is not supported, only 'silu'");
  }
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

static Status readSizes(ConfigReader &text, bool hasDenseMlp,
                        ModelConfig &out) {
  using Limits = ConfigLimits;
  QUERN_RETURN_IF_ERROR(
      text.readInt("hidden_size", 1, Limits::maxHiddenSize, out.hiddenSize));
  if (hasDenseMlp)
    QUERN_RETURN_IF_ERROR(text.readInt("intermediate_size", 1,
                                       Limits::maxIntermediateSize,
                                       out.intermediateSize));
  else
    text.ignore({"intermediate_size"});
  QUERN_RETURN_IF_ERROR(text.readInt("num_hidden_layers", 1, Limits::maxLayers,
                                     out.numHiddenLayers));
  QUERN_RETURN_IF_ERROR(text.readInt("num_attention_heads", 1, Limits::maxHeads,
                                     out.numAttentionHeads));
  QUERN_RETURN_IF_ERROR(
      text.readInt("vocab_size", 1, Limits::maxVocabSize, out.vocabSize));
  QUERN_RETURN_IF_ERROR(text.readInt("max_position_embeddings", 1,
                                     Limits::maxPositions,
                                     out.maxPositionEmbeddings));
  out.numKeyValueHeads = out.numAttentionHeads;
  QUERN_RETURN_IF_ERROR(text.readOptionalInt(
      "num_key_value_heads", 1, Limits::maxHeads, out.numKeyValueHeads));
  if (out.numAttentionHeads % out.numKeyValueHeads != 0)
    return corrupt(text.pathOf("num_key_value_heads") + ": " +
                   std::to_string(out.numKeyValueHeads) +
                   " does not divide num_attention_heads " +
                   std::to_string(out.numAttentionHeads));
  if (!text.find("head_dim") && out.hiddenSize % out.numAttentionHeads != 0)
    return corrupt(
        text.pathOf("head_dim") + ": not given, and num_attention_heads " +
        std::to_string(out.numAttentionHeads) +
        " does not divide hidden_size " + std::to_string(out.hiddenSize));
  out.headDim = out.hiddenSize / out.numAttentionHeads;
  return text.readOptionalInt("head_dim", 1, Limits::maxHeadDim, out.headDim);
}

static Status readNorm(ConfigReader &text, ModelConfig &out) {
  QUERN_RETURN_IF_ERROR(
      text.readOptionalPositive("rms_norm_eps", 1, out.rmsNormEps));
  if (out.rmsNormEps == 0)
    return corrupt(text.pathOf("rms_norm_eps") +
                   ": expected a number, found none");
  // The kernels compute in float32.
  if (static_cast<float>(out.rmsNormEps) == 0.0f)
    return corrupt(text.pathOf("rms_norm_eps") +
                   ": too small for a float32 number");
  return Status::ok();
}

/// torch_dtype (older) or dtype; when both are there they must agree.
static Status readDtype(ConfigReader &reader, ModelConfig &out) {
  static constexpr std::pair<std::string_view, DataType> names[] = {
      {"float32", DataType::F32},
      {"float16", DataType::F16},
      {"bfloat16", DataType::BF16}};
  for (std::string_view key : {"torch_dtype", "dtype"}) {
    std::optional<JsonValue> value = reader.find(key);
    if (!value)
      continue;
    QUERN_ASSIGN_OR_RETURN(std::string_view name, value->asString());
    auto *it = std::find_if(std::begin(names), std::end(names),
                            [&](auto &row) { return row.first == name; });
    if (it == std::end(names))
      return unsupported(value->path() + ": element type " + quoteName(name) +
                         " is not supported, only 'float32', 'float16' and "
                         "'bfloat16'");
    if (out.dtype && *out.dtype != it->second)
      return corrupt(value->path() + ": " + quoteName(name) +
                     " contradicts another dtype of the config");
    out.dtype = it->second;
  }
  return Status::ok();
}

Status quern::readTokenId(ConfigReader &reader, std::string_view key,
                          int64_t vocabSize, std::optional<int64_t> &out) {
  if (std::optional<JsonValue> value = reader.find(key)) {
    QUERN_ASSIGN_OR_RETURN(out, value->asInt64In(0, vocabSize - 1));
  }
  return Status::ok();
}

Status quern::readTokenIds(ConfigReader &reader, std::string_view key,
                           int64_t vocabSize, std::vector<int64_t> &out) {
  std::optional<JsonValue> value = reader.find(key);
  if (!value)
    return Status::ok();
  if (!value->isArray()) {
    if (value->kind() != JsonKind::Integer)
      return value->mismatch("an integer or a list of integers");
    QUERN_ASSIGN_OR_RETURN(int64_t id, value->asInt64In(0, vocabSize - 1));
    out.push_back(id);
    return Status::ok();
  }
  if (value->size() == 0)
    return corrupt(value->path() + ": expected at least one token, found an "
                                   "empty list");
  for (JsonValue element : value->elements()) {
    QUERN_ASSIGN_OR_RETURN(int64_t id, element.asInt64In(0, vocabSize - 1));
    if (std::find(out.begin(), out.end(), id) == out.end())
      out.push_back(id);
  }
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// The whole config
//===----------------------------------------------------------------------===//

static Status readText(ConfigReader &text, ModelConfig &out) {
  QUERN_RETURN_IF_ERROR(refuseUnsupportedSwitches(text));
  bool hasDenseMlp = out.family != ModelFamily::Qwen3_5Moe;
  QUERN_RETURN_IF_ERROR(readSizes(text, hasDenseMlp, out));
  QUERN_RETURN_IF_ERROR(readNorm(text, out));
  QUERN_RETURN_IF_ERROR(readRope(text, isHybrid(out.family) ? 0.25 : 1.0, out));
  QUERN_RETURN_IF_ERROR(readLayers(text, out));
  QUERN_RETURN_IF_ERROR(readDtype(text, out));
  QUERN_RETURN_IF_ERROR(
      readTokenIds(text, "eos_token_id", out.vocabSize, out.eosTokenIds));
  QUERN_RETURN_IF_ERROR(
      readTokenId(text, "bos_token_id", out.vocabSize, out.bosTokenId));
  QUERN_RETURN_IF_ERROR(
      readTokenId(text, "pad_token_id", out.vocabSize, out.padTokenId));
  // Only training, caching policy and bookkeeping.
  text.ignore({"attention_dropout", "initializer_range", "use_cache",
               "transformers_version", "output_router_logits",
               "router_aux_loss_coef", "mamba_ssm_dtype", "torchscript",
               "return_dict", "output_attentions", "output_hidden_states",
               "_name_or_path", "id2label", "label2id"});
  return Status::ok();
}

static Result<ModelConfig> parse(std::string_view bytes,
                                 const ConfigOptions &options) {
  JsonLimits limits;
  limits.maxBytes = ConfigLimits::maxBytes;
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(bytes, limits));
  QUERN_RETURN_IF_ERROR(document.root().expectKind(JsonKind::Object));
  ConfigReader root(document.root());
  QUERN_RETURN_IF_ERROR(refuseForeign(root));
  QUERN_ASSIGN_OR_RETURN(FoundFamily found, findFamily(root, options));
  ModelConfig config;
  QUERN_RETURN_IF_ERROR(
      readQuantization(root, config.quantization, config.warnings));
  config.family = found.info->family;
  QUERN_ASSIGN_OR_RETURN(JsonValue textJson,
                         findTextConfig(root.json(), found.textConfigPath()));
  // In a nested config the top level decides about dtype and tying.
  bool isNested = !found.textConfigPath().empty();
  ConfigReader nested(textJson);
  ConfigReader &text = isNested ? nested : root;
  QUERN_RETURN_IF_ERROR(
      text.readOptionalBool("tie_word_embeddings", config.tieWordEmbeddings));
  QUERN_RETURN_IF_ERROR(
      root.readOptionalBool("tie_word_embeddings", config.tieWordEmbeddings));
  if (isNested) {
    QUERN_RETURN_IF_ERROR(readDtype(root, config));
    text.ignore({"model_type"});
    if (!config.quantization)
      QUERN_RETURN_IF_ERROR(
          readQuantization(text, config.quantization, config.warnings));
    else
      text.ignore({"quantization_config"});
  }
  QUERN_RETURN_IF_ERROR(readText(text, config));
  text.reportUnknown(config.warnings);
  return config;
}

Result<ModelConfig> quern::parseModelConfig(std::string_view text,
                                            const ConfigOptions &options) {
  return guardAllocation("reading a model config",
                         [&] { return parse(text, options); });
}

static Result<ModelConfig> load(const ModelDir &directory,
                                const ConfigOptions &options) {
  QUERN_ASSIGN_OR_RETURN(File file, directory.openFile("config.json"));
  QUERN_ASSIGN_OR_RETURN(std::string text,
                         readWholeFile(file, ConfigLimits::maxBytes));
  Result<ModelConfig> config = parseModelConfig(text, options);
  if (!config.isOk())
    return std::move(config).takeStatus().withContext(file.getName());
  for (std::string &warning : config->warnings)
    warning = file.getName() + ": " + warning;
  return config;
}

Result<ModelConfig> quern::loadModelConfig(const ModelDir &directory,
                                           const ConfigOptions &options) {
  return guardAllocation("reading a model config",
                         [&] { return load(directory, options); });
}
