//===- Run.cpp - quern run ------------------------------------------------===//

#include "tools/quern/Run.h"

#include "runtime/base/Json.h"
#include "runtime/base/SafetensorsWriter.h"

#include <algorithm>
#include <cstdio>

using namespace quern;
using namespace quern::tool;

static Result<std::vector<int32_t>> makePrompt(const RunOptions &options,
                                               const TextModel &text) {
  if (options.prompt.has_value() == !options.promptIds.empty())
    return invalidArgument("expected either --prompt or --prompt-ids");
  if (!options.promptIds.empty())
    return options.promptIds;
  if (options.raw)
    return text.encode(*options.prompt, /*parseSpecial=*/true);
  std::vector<ChatMessage> messages;
  if (!options.system.empty())
    messages.push_back({"system", options.system});
  messages.push_back({"user", *options.prompt});
  ChatOptions chat;
  chat.enableThinking = options.think;
  return text.encodeChat(messages, chat);
}

namespace {

/// Logits of all positions of a chunk, appended to one array.
class LogitsSink final : public StepResults {
public:
  explicit LogitsSink(std::vector<float> &logits) : logits(logits) {}
  void onResult(size_t, size_t, int32_t, std::span<const float> row) override {
    logits.insert(logits.end(), row.begin(), row.end());
  }

private:
  std::vector<float> &logits;
};

} // namespace

/// Feeds the prompt and writes the logits of every position.
static Status dumpLogits(Engine &engine, Sequence &sequence,
                         std::span<const int32_t> prompt,
                         const RunOptions &options) {
  const ModelGeometry &geometry = engine.getGeometry();
  if (prompt.empty() || prompt.size() > geometry.contextLength)
    return invalidArgument("the prompt has " + std::to_string(prompt.size()) +
                           " tokens, expected 1 to " +
                           std::to_string(geometry.contextLength));
  QUERN_RETURN_IF_ERROR(engine.setLogitsWanted(true));
  std::vector<float> logits;
  logits.reserve(prompt.size() * geometry.vocabSize);
  LogitsSink sink(logits);
  size_t chunk = options.chunk ? options.chunk : geometry.maxStepTokens;
  chunk = std::min<size_t>(chunk, geometry.maxStepTokens);
  for (size_t begin = 0; begin < prompt.size(); begin += chunk) {
    StepEntry entry;
    entry.sequence = &sequence;
    entry.tokens =
        prompt.subspan(begin, std::min(chunk, prompt.size() - begin));
    entry.rows = ResultRows::All;
    QUERN_RETURN_IF_ERROR(engine.run({&entry, 1}, sink));
  }
  QUERN_RETURN_IF_ERROR(engine.setLogitsWanted(false));
  SafetensorsTensor tensor;
  tensor.name = "logits";
  tensor.shape = {prompt.size(), geometry.vocabSize};
  tensor.data = std::as_bytes(std::span(logits));
  return writeSafetensors(options.dumpLogits, {&tensor, 1});
}

std::string tool::describeDrafts(const SpeculationStatistics &drafts) {
  if (drafts.rounds == 0)
    return "";
  char text[64];
  std::string result = "; drafts " + std::to_string(drafts.getAccepted()) +
                       " of " + std::to_string(drafts.getDrafted()) +
                       " right (by depth";
  for (size_t i = 0; i != drafts.drafted.size() && drafts.drafted[i]; ++i) {
    std::snprintf(text, sizeof(text), "%s %.2f", i ? "," : "",
                  double(drafts.accepted[i]) / double(drafts.drafted[i]));
    result += text;
  }
  std::snprintf(text, sizeof(text), "), %.2f drafts and %.2f tokens per check",
                drafts.getMeanDepth(), drafts.getTokensPerRound());
  return result + text;
}

static void printStatistics(const OpenModel &model,
                            const GenerateResult &result) {
  std::fprintf(stderr,
               "\nload %.2f s; prefill %llu tokens in %.3f s, %.1f tokens/s; "
               "decode %llu tokens in %.3f s, %.1f tokens/s%s; %s\n",
               model.loadSeconds,
               (unsigned long long)(result.promptTokens - result.reusedTokens),
               result.prefillSeconds, result.getPrefillRate(),
               (unsigned long long)result.generatedTokens, result.decodeSeconds,
               result.getDecodeRate(),
               describeDrafts(result.speculation).c_str(),
               std::string(finishReasonName(result.finishReason)).c_str());
}

static void printJson(const OpenModel &model, const GenerateResult &result,
                      std::span<const int32_t> ids, const std::string &text) {
  JsonWriter json;
  json.beginObject();
  json.key("ids").beginArray();
  for (int32_t id : ids)
    json.value(int64_t(id));
  json.endArray();
  json.key("text").value(text);
  json.key("finish_reason").value(finishReasonName(result.finishReason));
  json.key("prompt_tokens").value(result.promptTokens);
  json.key("generated_tokens").value(result.generatedTokens);
  json.key("speculation").beginObject();
  const SpeculationStatistics &drafts = result.speculation;
  json.key("verify_steps").value(drafts.rounds);
  json.key("tokens_per_verify_step").value(drafts.getTokensPerRound());
  json.key("drafts_per_verify_step").value(drafts.getMeanDepth());
  for (auto [name, counts] : {std::pair("drafted", &drafts.drafted),
                              std::pair("accepted", &drafts.accepted)}) {
    json.key(name).beginArray();
    for (size_t i = 0; i != counts->size() && drafts.drafted[i]; ++i)
      json.value((*counts)[i]);
    json.endArray();
  }
  json.endObject();
  json.key("timings").beginObject();
  json.key("load_seconds").value(model.loadSeconds);
  json.key("prefill_seconds").value(result.prefillSeconds);
  json.key("decode_seconds").value(result.decodeSeconds);
  json.key("prefill_tokens_per_second").value(result.getPrefillRate());
  json.key("decode_tokens_per_second").value(result.getDecodeRate());
  json.endObject().endObject();
  std::printf("%s\n", json.getText().c_str());
}

static Result<GenerationOptions> makeGeneration(const RunOptions &options,
                                                const Bundle &bundle) {
  GenerationOptions generation;
  QUERN_ASSIGN_OR_RETURN(generation.sampling,
                         makeSampling(options.sampling, bundle));
  generation.ignoreEndOfSequence = options.ignoreEos;
  generation.chunkTokens = options.chunk;
  generation.draftDepth = options.draftDepth;
  if (options.maxTokens >= 0)
    generation.maxTokens = uint64_t(options.maxTokens);
  return generation;
}

Status tool::run(const RunOptions &options) {
  QUERN_ASSIGN_OR_RETURN(OpenModel model, openModel(options.open));
  QUERN_ASSIGN_OR_RETURN(GenerationOptions generation,
                         makeGeneration(options, *model.bundle));
  QUERN_ASSIGN_OR_RETURN(std::vector<int32_t> prompt,
                         makePrompt(options, model.text));
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Sequence> sequence,
                         model.engine->createSequence());
  if (!options.dumpLogits.empty()) {
    QUERN_RETURN_IF_ERROR(
        dumpLogits(*model.engine, *sequence, prompt, options));
    if (generation.maxTokens == 0)
      return Status::ok();
  }
  std::vector<int32_t> ids;
  std::string text;
  auto onToken = [&](int32_t token, std::string_view piece) {
    if (token >= 0)
      ids.push_back(token);
    text += piece;
    if (!options.json)
      printText(piece);
    return true;
  };
  QUERN_ASSIGN_OR_RETURN(GenerateResult result,
                         generate(*model.engine, *sequence,
                                  model.text.getTokenizer(), prompt, generation,
                                  onToken));
  QUERN_RETURN_IF_ERROR(
      model.engine->getModel().getDevice().checkDiagnostics());
  if (options.json) {
    printJson(model, result, ids, text);
    return Status::ok();
  }
  if (!model.text.getTokenizer())
    for (int32_t id : ids)
      std::printf("%d ", id);
  std::printf("\n");
  if (!options.quiet)
    printStatistics(model, result);
  return Status::ok();
}
