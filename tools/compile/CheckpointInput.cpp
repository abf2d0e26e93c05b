//===- CheckpointInput.cpp - All that a checkpoint folder holds -----------===//
#include "tools/compile/CheckpointInput.h"

#include "frontend/HuggingFace/TensorData.h"
#include "runtime/base/Json.h"
#include "runtime/bundle/Format.h"
#include "runtime/tokenizer/Tokenizer.h"

#include <filesystem>

namespace quern {

static constexpr uint64_t kMaxTokenizerJsonBytes = uint64_t(64) << 20;

/// The text of a file of the folder; empty if there is none.
static Result<std::string> readIfPresent(const ModelDir &directory,
                                         std::string_view name,
                                         uint64_t maxBytes) {
  QUERN_ASSIGN_OR_RETURN(std::optional<File> file,
                         directory.openFileIfPresent(name));
  if (!file)
    return std::string();
  return readWholeFile(*file, maxBytes);
}

/// tokenizer.json in the compiled form that the runtime uses in place.
static Status readTokenizer(const ModelDir &directory, CheckpointInput &input) {
  QUERN_ASSIGN_OR_RETURN(
      std::string json,
      readIfPresent(directory, "tokenizer.json", kMaxTokenizerJsonBytes));
  if (json.empty()) {
    input.warnings.push_back("no tokenizer.json: the bundle takes and gives "
                             "token ids only");
    return Status::ok();
  }
  auto tokenizer = Tokenizer::fromJson(json);
  if (!tokenizer.isOk())
    return std::move(tokenizer).takeStatus().withContext(directory.getPath() +
                                                         "/tokenizer.json");
  QUERN_RETURN_IF_ERROR(tokenizer->checkVocabSize(input.config.vocabSize));
  std::span<const std::byte> blob = tokenizer->serialize();
  input.tokenizer.assign(reinterpret_cast<const char *>(blob.data()),
                         blob.size());
  return Status::ok();
}

/// chat_template.jinja, or the template inside tokenizer_config.json.
static Status readChatTemplate(const ModelDir &directory,
                               CheckpointInput &input) {
  QUERN_ASSIGN_OR_RETURN(
      input.chatTemplate,
      readIfPresent(directory, "chat_template.jinja", kMaxChatTemplateBytes));
  if (!input.chatTemplate.empty())
    return Status::ok();
  QUERN_ASSIGN_OR_RETURN(std::string text,
                         readIfPresent(directory, "tokenizer_config.json",
                                       ConfigLimits::maxBytes));
  if (text.empty())
    return Status::ok();
  auto document = parseJson(text);
  if (!document.isOk())
    return std::move(document).takeStatus().withContext(
        directory.getPath() + "/tokenizer_config.json");
  std::optional<JsonValue> value = document->root().find("chat_template");
  if (!value || value->isNull())
    return Status::ok();
  QUERN_ASSIGN_OR_RETURN(std::string_view chatTemplate, value->asString());
  if (chatTemplate.size() > kMaxChatTemplateBytes)
    return unsupported("tokenizer_config.json: $.chat_template has " +
                       std::to_string(chatTemplate.size()) +
                       " bytes, at most " +
                       std::to_string(kMaxChatTemplateBytes) + " are read");
  input.chatTemplate = chatTemplate;
  return Status::ok();
}

Result<CheckpointInput> readCheckpoint(const ModelDir &directory,
                                       bool strictWeights) {
  CheckpointInput input;
  std::filesystem::path path(directory.getPath());
  input.name = path.has_filename() ? path.filename().string()
                                   : path.parent_path().filename().string();
  QUERN_ASSIGN_OR_RETURN(input.config, loadModelConfig(directory));
  QUERN_ASSIGN_OR_RETURN(input.generation,
                         loadGenerationConfig(directory, input.config));
  CheckpointOptions options;
  options.quantization =
      input.config.quantization ? &*input.config.quantization : nullptr;
  QUERN_ASSIGN_OR_RETURN(input.checkpoint,
                         Checkpoint::open(directory, options));
  if (strictWeights)
    QUERN_RETURN_IF_ERROR(checkFiniteWeights(input.checkpoint));
  QUERN_RETURN_IF_ERROR(readTokenizer(directory, input));
  QUERN_RETURN_IF_ERROR(readChatTemplate(directory, input));
  using Lines = std::vector<std::string>;
  for (const Lines &lines : {input.config.warnings, input.generation.warnings,
                             input.checkpoint.getWarnings()})
    input.warnings.insert(input.warnings.end(), lines.begin(), lines.end());
  return input;
}

} // namespace quern
