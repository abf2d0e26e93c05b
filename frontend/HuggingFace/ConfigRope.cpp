//===- ConfigRope.cpp - Rotary parameters of a config ---------------------===//

#include "frontend/HuggingFace/ConfigRope.h"

#include "runtime/base/Escape.h"

#include <cmath>
#include <numeric>

using namespace quern;

static constexpr double maxTheta = 1e12;
static constexpr double maxFactor = 1e4;

/// A number that both the top level and the rope dictionary may give; they
/// must agree. 0 if neither does.
static Status readFromBoth(ConfigReader &text, ConfigReader *rope,
                           std::string_view key, double maximum, double &out) {
  double outer = 0, inner = 0;
  QUERN_RETURN_IF_ERROR(text.readOptionalPositive(key, maximum, outer));
  if (rope)
    QUERN_RETURN_IF_ERROR(rope->readOptionalPositive(key, maximum, inner));
  if (rope && outer > 0 && inner > 0 && outer != inner)
    return corrupt(rope->pathOf(key) + ": contradicts " + text.pathOf(key));
  out = inner > 0 ? inner : outer;
  return Status::ok();
}

/// rope_type, or its older name `type`; they must agree.
static Status readRopeType(ConfigReader &rope, RopeType &out) {
  std::string_view name = "default";
  bool isSet = false;
  for (std::string_view key : {"rope_type", "type"}) {
    std::optional<JsonValue> value = rope.find(key);
    if (!value)
      continue;
    QUERN_ASSIGN_OR_RETURN(std::string_view found, value->asString());
    // Multimodal configs wrote "mrope" where only mrope_section counts.
    if (found == "mrope")
      found = "default";
    if (isSet && found != name)
      return corrupt(value->path() + ": " + quoteName(found) +
                     " contradicts rope_type " + quoteName(name));
    name = found;
    isSet = true;
    if (name != "default" && name != "yarn")
      return unsupported(value->path() + ": RoPE of type " + quoteName(name) +
                         " is not supported, only 'default' and 'yarn'");
  }
  out = name == "yarn" ? RopeType::Yarn : RopeType::Default;
  return Status::ok();
}

static double yarnScale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

static Status readYarn(ConfigReader &rope, ModelConfig &config) {
  RopeConfig &out = config.rope;
  out.factor = 0;
  QUERN_RETURN_IF_ERROR(
      rope.readOptionalPositive("factor", maxFactor, out.factor));
  if (out.factor < 1)
    return corrupt(rope.pathOf("factor") +
                   ": YaRN needs a factor of at least 1");
  out.originalMaxPositionEmbeddings = config.maxPositionEmbeddings;
  QUERN_RETURN_IF_ERROR(rope.readOptionalInt(
      "original_max_position_embeddings", 1, ConfigLimits::maxPositions,
      out.originalMaxPositionEmbeddings));
  QUERN_RETURN_IF_ERROR(
      rope.readOptionalPositive("beta_fast", 1e6, out.betaFast));
  QUERN_RETURN_IF_ERROR(
      rope.readOptionalPositive("beta_slow", 1e6, out.betaSlow));
  if (out.betaFast < out.betaSlow)
    return corrupt(rope.pathOf("beta_fast") + ": expected at least beta_slow");
  QUERN_RETURN_IF_ERROR(rope.readOptionalBool("truncate", out.truncate));
  double given = 0, mscale = 0, mscaleAllDim = 0;
  QUERN_RETURN_IF_ERROR(
      rope.readOptionalPositive("attention_factor", maxFactor, given));
  QUERN_RETURN_IF_ERROR(rope.readOptionalPositive("mscale", maxFactor, mscale));
  QUERN_RETURN_IF_ERROR(
      rope.readOptionalPositive("mscale_all_dim", maxFactor, mscaleAllDim));
  if (given > 0)
    out.attentionFactor = given;
  else if (mscale > 0 && mscaleAllDim > 0)
    out.attentionFactor =
        yarnScale(out.factor, mscale) / yarnScale(out.factor, mscaleAllDim);
  else
    out.attentionFactor = yarnScale(out.factor, 1);
  return Status::ok();
}

static Status readMrope(ConfigReader &rope, RopeConfig &out) {
  QUERN_RETURN_IF_ERROR(
      rope.readOptionalBool("mrope_interleaved", out.mropeInterleaved));
  std::optional<JsonValue> section = rope.find("mrope_section");
  if (!section)
    return Status::ok();
  QUERN_RETURN_IF_ERROR(section->expectKind(JsonKind::Array));
  if (section->size() != 3)
    return corrupt(section->path() + ": expected three numbers, found " +
                   std::to_string(section->size()));
  for (JsonValue element : section->elements()) {
    QUERN_ASSIGN_OR_RETURN(int64_t count,
                           element.asInt64In(0, ConfigLimits::maxHeadDim));
    out.mropeSection.push_back(count);
  }
  int64_t sum = std::accumulate(out.mropeSection.begin(),
                                out.mropeSection.end(), int64_t(0));
  if (sum != out.rotaryDim / 2)
    return corrupt(section->path() + ": expected the sum " +
                   std::to_string(out.rotaryDim / 2) +
                   ", half of the rotary dimension, found " +
                   std::to_string(sum));
  return Status::ok();
}

/// The dictionary of either spelling, or nothing.
static Status findRopeObject(ConfigReader &text,
                             std::optional<JsonValue> &out) {
  std::optional<JsonValue> older = text.find("rope_scaling");
  std::optional<JsonValue> newer = text.find("rope_parameters");
  if (older && newer)
    return corrupt(newer->path() +
                   ": expected rope_parameters or rope_scaling, found both");
  out = newer ? newer : older;
  return out ? out->expectKind(JsonKind::Object) : Status::ok();
}

static Status readRotaryDim(ConfigReader &text, ConfigReader *rope,
                            double defaultFactor, ModelConfig &config) {
  double factor = 0;
  QUERN_RETURN_IF_ERROR(
      readFromBoth(text, rope, "partial_rotary_factor", 1, factor));
  if (factor == 0)
    factor = defaultFactor;
  config.rope.rotaryDim =
      static_cast<int64_t>(static_cast<double>(config.headDim) * factor);
  if (config.rope.rotaryDim < 2 || config.rope.rotaryDim % 2 != 0)
    return corrupt(text.pathOf("head_dim") +
                   ": rotary embedding needs an even number of dimensions, "
                   "found " +
                   std::to_string(config.rope.rotaryDim));
  return Status::ok();
}

Status quern::readRope(ConfigReader &text, double defaultFactor,
                       ModelConfig &config) {
  std::optional<JsonValue> object;
  QUERN_RETURN_IF_ERROR(findRopeObject(text, object));
  std::optional<ConfigReader> rope;
  if (object)
    rope.emplace(*object);
  ConfigReader *ropeReader = rope ? &*rope : nullptr;

  QUERN_RETURN_IF_ERROR(readFromBoth(text, ropeReader, "rope_theta", maxTheta,
                                     config.rope.theta));
  if (config.rope.theta == 0)
    return corrupt(text.pathOf("rope_theta") + ": expected a number, found "
                                               "none");
  QUERN_RETURN_IF_ERROR(readRotaryDim(text, ropeReader, defaultFactor, config));
  config.rope.originalMaxPositionEmbeddings = config.maxPositionEmbeddings;
  if (!rope)
    return Status::ok();
  QUERN_RETURN_IF_ERROR(readRopeType(*rope, config.rope.type));
  QUERN_RETURN_IF_ERROR(readMrope(*rope, config.rope));
  if (config.rope.type == RopeType::Yarn)
    QUERN_RETURN_IF_ERROR(readYarn(*rope, config));
  else
    // The plain type has no use for these, whatever they say.
    rope->ignore({"factor", "original_max_position_embeddings",
                  "attention_factor", "beta_fast", "beta_slow"});
  rope->ignore({"interleaved"});
  // Unknown rotary parameters may change the result: no mere warning.
  std::vector<std::string> unknown;
  rope->reportUnknown(unknown);
  if (!unknown.empty())
    return unsupported(unknown.front().substr(0, unknown.front().find(": ")) +
                       ": unknown RoPE parameter");
  return Status::ok();
}
