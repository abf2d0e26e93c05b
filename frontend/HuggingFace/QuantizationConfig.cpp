//===- QuantizationConfig.cpp - How a checkpoint is quantised -------------===//
//
// Formats: the readers of AutoGPTQ and GPTQModel, AutoAWQ, and of block-scaled
// FP8 in transformers (integrations/finegrained_fp8.py).
//
//===----------------------------------------------------------------------===//
#include "frontend/HuggingFace/QuantizationConfig.h"

#include "runtime/base/Escape.h"

#include <algorithm>
#include <cctype>
#include <utility>

using namespace quern;

static constexpr std::pair<QuantMethod, std::string_view> methods[] = {
    {QuantMethod::Fp8, "fp8"},
    {QuantMethod::Gptq, "gptq"},
    {QuantMethod::Awq, "awq"}};

std::string_view quern::getQuantMethodName(QuantMethod method) {
  return methods[static_cast<size_t>(method)].second;
}

/// More inputs or outputs than any model has.
static constexpr int64_t maxGroup = 1 << 20;

/// Unsupported unless the text, in lower case, is one of `known`. Absent and
/// null are fine and give nothing.
static Result<std::string>
readChoice(ConfigReader &reader, std::string_view key,
           std::initializer_list<std::string_view> known) {
  std::optional<JsonValue> value = reader.find(key);
  if (!value)
    return std::string();
  QUERN_ASSIGN_OR_RETURN(std::string_view given, value->asString());
  std::string text(given);
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  if (std::ranges::find(known, text) != known.end())
    return text;
  std::string names;
  for (std::string_view name : known)
    names += (names.empty() ? "" : " or ") + quoteName(name);
  return unsupported(value->path() + ": " + quoteName(given) +
                     " is not supported, only " + names);
}

/// modules_to_not_convert, by its other name ignored_layers.
static Status readUnconverted(ConfigReader &reader, QuantizationConfig &out) {
  for (std::string_view key : {"modules_to_not_convert", "ignored_layers"}) {
    std::optional<JsonValue> list = reader.find(key);
    if (!list)
      continue;
    QUERN_RETURN_IF_ERROR(list->expectKind(JsonKind::Array));
    for (JsonValue element : list->elements()) {
      QUERN_ASSIGN_OR_RETURN(std::string_view name, element.asString());
      out.unconvertedModules.emplace_back(name);
    }
  }
  return Status::ok();
}

static Status readFp8(ConfigReader &reader, QuantizationConfig &out) {
  Result<std::string> format = readChoice(reader, "fmt", {"e4m3"});
  Result<std::string> scheme =
      readChoice(reader, "activation_scheme", {"dynamic"});
  for (Result<std::string> *choice : {&format, &scheme})
    if (!choice->isOk())
      return std::move(*choice).takeStatus();
  std::optional<JsonValue> block = reader.find("weight_block_size");
  if (!block)
    return unsupported(reader.pathOf("weight_block_size") +
                       ": FP8 weights without blocks are not supported");
  QUERN_RETURN_IF_ERROR(block->expectKind(JsonKind::Array));
  if (block->size() != 2)
    return corrupt(block->path() +
                   ": expected the rows and the columns of a block, found " +
                   std::to_string(block->size()) + " numbers");
  QUERN_ASSIGN_OR_RETURN(out.blockRows, block->at(0).asInt64In(1, maxGroup));
  QUERN_ASSIGN_OR_RETURN(out.blockColumns, block->at(1).asInt64In(1, maxGroup));
  reader.ignore({"dequantize", "scale_fmt"});
  return Status::ok();
}

/// bits and group_size; 4 bits, or also 8.
static Status readGroups(ConfigReader &reader, bool alsoEight,
                         QuantizationConfig &out) {
  int64_t bits = 0;
  QUERN_RETURN_IF_ERROR(reader.readInt("bits", 1, 64, bits));
  if (bits != 4 && !(bits == 8 && alsoEight))
    return unsupported(reader.pathOf("bits") + ": codes of " +
                       std::to_string(bits) + " bits are not supported, only " +
                       (alsoEight ? "4 and 8" : "4"));
  out.bits = static_cast<unsigned>(bits);
  QUERN_RETURN_IF_ERROR(
      reader.readInt("group_size", -1, maxGroup, out.groupSize));
  if (out.groupSize == 0)
    return corrupt(reader.pathOf("group_size") +
                   ": expected -1 or a number above 0, found 0");
  if (out.groupSize == -1)
    out.groupSize = 0;
  return Status::ok();
}

static Status readGptq(ConfigReader &reader, QuantizationConfig &out) {
  QUERN_RETURN_IF_ERROR(readGroups(reader, /*alsoEight=*/true, out));
  out.isSymmetric = true;
  QUERN_RETURN_IF_ERROR(reader.readOptionalBool("sym", out.isSymmetric));
  QUERN_RETURN_IF_ERROR(reader.readOptionalBool("desc_act", out.hasActOrder));
  out.zeroOffset = 1;
  for (std::string_view key : {"checkpoint_format", "format"}) {
    QUERN_ASSIGN_OR_RETURN(std::string format,
                           readChoice(reader, key, {"gptq", "gptq_v2"}));
    if (format == "gptq_v2")
      out.zeroOffset = 0;
  }
  Result<std::string> packed = readChoice(reader, "pack_dtype", {"int32"});
  if (!packed.isOk())
    return std::move(packed).takeStatus();
  QUERN_RETURN_IF_ERROR(
      reader.refuseIfTrue("is_marlin_format", "the Marlin order of codes"));
  if (std::optional<JsonValue> rules = reader.find("dynamic")) {
    QUERN_RETURN_IF_ERROR(rules->expectKind(JsonKind::Object));
    if (rules->size() != 0)
      return unsupported(rules->path() +
                         ": other bits or groups for some modules are not "
                         "supported");
  }
  // How it was made, and which kernels others should run it with.
  reader.ignore({"lm_head",
                 "damp_percent",
                 "true_sequential",
                 "static_groups",
                 "model_name_or_path",
                 "model_file_base_name",
                 "meta",
                 "dataset",
                 "tokenizer",
                 "modules_in_block_to_quantize",
                 "backend",
                 "use_exllama",
                 "exllama_config",
                 "use_cuda_fp16",
                 "cache_block_outputs",
                 "batch_size",
                 "max_input_length",
                 "disable_exllama",
                 "model_seqlen",
                 "block_name_to_quantize",
                 "module_name_preceding_first_block",
                 "pad_token_id",
                 "mse",
                 "act_group_aware",
                 "damp_auto_increment"});
  return Status::ok();
}

static Status readAwq(ConfigReader &reader, QuantizationConfig &out) {
  QUERN_RETURN_IF_ERROR(readGroups(reader, /*alsoEight=*/false, out));
  Result<std::string> version = readChoice(reader, "version", {"gemm"});
  if (!version.isOk())
    return std::move(version).takeStatus();
  bool hasZeroPoint = true;
  QUERN_RETURN_IF_ERROR(reader.readOptionalBool("zero_point", hasZeroPoint));
  if (!hasZeroPoint)
    return unsupported(reader.pathOf("zero_point") +
                       ": AWQ without zero points is not supported");
  reader.ignore({"backend", "do_fuse", "modules_to_fuse", "fuse_max_seq_len",
                 "exllama_config"});
  return Status::ok();
}

Status quern::readQuantization(ConfigReader &reader,
                               std::optional<QuantizationConfig> &out,
                               std::vector<std::string> &warnings) {
  std::optional<JsonValue> value = reader.find("quantization_config");
  if (!value)
    return Status::ok();
  QUERN_RETURN_IF_ERROR(value->expectKind(JsonKind::Object));
  ConfigReader fields(*value);
  std::optional<JsonValue> method = fields.find("quant_method");
  std::string_view name;
  if (method) {
    QUERN_ASSIGN_OR_RETURN(name, method->asString());
  }
  auto known =
      std::ranges::find(methods, name, [](const auto &m) { return m.second; });
  if (known == std::end(methods))
    return unsupported(value->path() + ": weights quantized by " +
                       (method ? quoteName(name) : "an unknown method") +
                       " are not supported, only by fp8, gptq and awq");
  QuantizationConfig config;
  config.method = known->first;
  QUERN_RETURN_IF_ERROR(readUnconverted(fields, config));
  switch (config.method) {
  case QuantMethod::Fp8:
    QUERN_RETURN_IF_ERROR(readFp8(fields, config));
    break;
  case QuantMethod::Gptq:
    QUERN_RETURN_IF_ERROR(readGptq(fields, config));
    break;
  case QuantMethod::Awq:
    QUERN_RETURN_IF_ERROR(readAwq(fields, config));
    break;
  }
  fields.reportUnknown(warnings);
  out = std::move(config);
  return Status::ok();
}
