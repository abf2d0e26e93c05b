//===- ConfigLayers.cpp - What the layers of a config are -----------------===//

#include "frontend/HuggingFace/ConfigLayers.h"

#include "runtime/base/Escape.h"

using namespace quern;

bool quern::isHybrid(ModelFamily family) {
  return family == ModelFamily::Qwen3Next || family == ModelFamily::Qwen3_5 ||
         family == ModelFamily::Qwen3_5Moe;
}

static bool isMoe(ModelFamily family) {
  return family == ModelFamily::Qwen3Moe || family == ModelFamily::Qwen3Next ||
         family == ModelFamily::Qwen3_5Moe ||
         family == ModelFamily::Qwen3VLMoe ||
         family == ModelFamily::Qwen3OmniMoe;
}

static Result<LayerType> parseLayerType(const JsonValue &json, bool hybrid) {
  QUERN_ASSIGN_OR_RETURN(std::string_view name, json.asString());
  if (name == "full_attention")
    return LayerType::FullAttention;
  if (name == "linear_attention" && hybrid)
    return LayerType::LinearAttention;
  return unsupported(json.path() + ": layer type " + quoteName(name) +
                     " is not supported, only 'full_attention'" +
                     (hybrid ? " and 'linear_attention'" : ""));
}

static Status readLayerTypes(ConfigReader &text, ModelConfig &out) {
  bool hybrid = isHybrid(out.family);
  int64_t interval = hybrid ? 4 : 1;
  if (hybrid)
    QUERN_RETURN_IF_ERROR(text.readOptionalInt(
        "full_attention_interval", 1, ConfigLimits::maxLayers, interval));
  std::optional<JsonValue> list = text.find("layer_types");
  if (!list) {
    for (int64_t i = 0; i < out.numHiddenLayers; ++i)
      out.layerTypes.push_back((i + 1) % interval == 0
                                   ? LayerType::FullAttention
                                   : LayerType::LinearAttention);
    return Status::ok();
  }
  QUERN_RETURN_IF_ERROR(list->expectKind(JsonKind::Array));
  if (list->size() != static_cast<size_t>(out.numHiddenLayers))
    return corrupt(list->path() + ": expected one entry for each of the " +
                   std::to_string(out.numHiddenLayers) + " layers, found " +
                   std::to_string(list->size()));
  for (JsonValue element : list->elements()) {
    QUERN_ASSIGN_OR_RETURN(LayerType type, parseLayerType(element, hybrid));
    out.layerTypes.push_back(type);
  }
  return Status::ok();
}

/// The activation of the delta net's gate. (The gate of gated attention is a
/// sigmoid whatever this says.)
static Status readOutputGate(ConfigReader &text) {
  std::optional<JsonValue> type = text.find("output_gate_type");
  if (!type)
    return Status::ok();
  QUERN_ASSIGN_OR_RETURN(std::string_view name, type->asString());
  if (name != "swish" && name != "silu")
    return unsupported(type->path() + ": output gate " + quoteName(name) +
                       " is not supported, only 'swish'");
  return Status::ok();
}

static Status readLinearAttention(ConfigReader &text, ModelConfig &out) {
  using Limits = ConfigLimits;
  QUERN_RETURN_IF_ERROR(readOutputGate(text));
  LinearAttentionConfig linear;
  QUERN_RETURN_IF_ERROR(text.readInt("linear_num_key_heads", 1,
                                     Limits::maxHeads, linear.numKeyHeads));
  QUERN_RETURN_IF_ERROR(text.readInt("linear_num_value_heads", 1,
                                     Limits::maxHeads, linear.numValueHeads));
  QUERN_RETURN_IF_ERROR(text.readInt("linear_key_head_dim", 1,
                                     Limits::maxHeadDim, linear.keyHeadDim));
  QUERN_RETURN_IF_ERROR(text.readInt("linear_value_head_dim", 1,
                                     Limits::maxHeadDim, linear.valueHeadDim));
  linear.convKernelDim = 4;
  QUERN_RETURN_IF_ERROR(text.readOptionalInt("linear_conv_kernel_dim", 1, 64,
                                             linear.convKernelDim));
  if (linear.numValueHeads % linear.numKeyHeads != 0)
    return corrupt(text.pathOf("linear_num_value_heads") +
                   ": expected a multiple of linear_num_key_heads " +
                   std::to_string(linear.numKeyHeads) + ", found " +
                   std::to_string(linear.numValueHeads));
  out.linearAttention = linear;
  return Status::ok();
}

/// Layer i is a mixture of experts iff it is not in mlp_only_layers and
/// (i + 1) is a multiple of decoder_sparse_step.
static Status readMoeLayers(ConfigReader &text, ModelConfig &out) {
  int64_t step = 1;
  QUERN_RETURN_IF_ERROR(text.readOptionalInt("decoder_sparse_step", 1,
                                             ConfigLimits::maxLayers, step));
  for (int64_t i = 0; i < out.numHiddenLayers; ++i)
    out.moeLayers[i] = (i + 1) % step == 0;
  std::optional<JsonValue> list = text.find("mlp_only_layers");
  if (!list)
    return Status::ok();
  QUERN_RETURN_IF_ERROR(list->expectKind(JsonKind::Array));
  for (JsonValue element : list->elements()) {
    QUERN_ASSIGN_OR_RETURN(int64_t layer,
                           element.asInt64In(0, out.numHiddenLayers - 1));
    out.moeLayers[layer] = false;
  }
  return Status::ok();
}

/// The number of experts has two names; transformers 5 writes the newer one.
static Status readNumExperts(ConfigReader &text, int64_t &out) {
  constexpr std::string_view older = "num_experts", newer = "num_local_experts";
  bool hasNewer = text.find(newer).has_value();
  QUERN_RETURN_IF_ERROR(
      text.readInt(hasNewer ? newer : older, 1, ConfigLimits::maxExperts, out));
  int64_t other = out;
  QUERN_RETURN_IF_ERROR(
      text.readOptionalInt(older, 1, ConfigLimits::maxExperts, other));
  if (other != out)
    return corrupt(text.pathOf(newer) + ": " + std::to_string(out) + ", but " +
                   std::string(older) + " is " + std::to_string(other));
  return Status::ok();
}

static Status readMoe(ConfigReader &text, ModelConfig &out) {
  using Limits = ConfigLimits;
  MoeConfig moe;
  QUERN_RETURN_IF_ERROR(readNumExperts(text, moe.numExperts));
  QUERN_RETURN_IF_ERROR(text.readInt("num_experts_per_tok", 1, moe.numExperts,
                                     moe.numExpertsPerTok));
  QUERN_RETURN_IF_ERROR(text.readInt("moe_intermediate_size", 1,
                                     Limits::maxIntermediateSize,
                                     moe.moeIntermediateSize));
  QUERN_RETURN_IF_ERROR(text.readOptionalInt("shared_expert_intermediate_size",
                                             0, Limits::maxIntermediateSize,
                                             moe.sharedExpertIntermediateSize));
  // These two always renormalise, whatever the config says.
  bool always = out.family == ModelFamily::Qwen3VLMoe ||
                out.family == ModelFamily::Qwen3_5Moe;
  moe.normTopkProb = out.family != ModelFamily::Qwen3Moe;
  QUERN_RETURN_IF_ERROR(
      text.readOptionalBool("norm_topk_prob", moe.normTopkProb));
  moe.normTopkProb |= always;
  out.moe = moe;
  return readMoeLayers(text, out);
}

Status quern::readLayers(ConfigReader &text, ModelConfig &out) {
  QUERN_RETURN_IF_ERROR(readLayerTypes(text, out));
  if (isHybrid(out.family)) {
    out.attnOutputGate = true;
    QUERN_RETURN_IF_ERROR(
        text.readOptionalBool("attn_output_gate", out.attnOutputGate));
    QUERN_RETURN_IF_ERROR(text.readOptionalInt("mtp_num_hidden_layers", 0, 1,
                                               out.mtpNumHiddenLayers));
    QUERN_RETURN_IF_ERROR(text.refuseIfTrue(
        "mtp_use_dedicated_embeddings", "a draft with embeddings of its own"));
    QUERN_RETURN_IF_ERROR(readLinearAttention(text, out));
  }
  out.moeLayers.assign(out.numHiddenLayers, false);
  if (isMoe(out.family))
    return readMoe(text, out);
  // Dense members of a family may keep the keys of the others.
  text.ignore({"mlp_only_layers", "decoder_sparse_step"});
  return Status::ok();
}
