//===- SessionApi.cpp - Sessions, steps, generation of the C API ----------===//

#include "runtime/api/ApiObjects.h"
#include "runtime/engine/Generate.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace quern;
using namespace quern::api;

extern "C" quern_status quern_session_create(quern_model *handle,
                                             quern_session **session) {
  return guard([&]() -> Status {
    QUERN_RETURN_IF_ERROR(
        checkNotNull(static_cast<void *>(session), "session"));
    *session = nullptr;
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_ASSIGN_OR_RETURN(EngineUse engine, EngineUse::acquire(model));
    auto object = std::make_shared<SessionObject>();
    QUERN_ASSIGN_OR_RETURN(object->sequence, engine->createSequence());
    object->model = std::move(model);
    *session = addHandle(std::move(object));
    return Status::ok();
  });
}

extern "C" quern_status quern_session_close(quern_session *handle) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<SessionObject> found,
                           findSession(handle));
    // While a call runs the model, its sessions stay.
    std::shared_ptr<ModelObject> model = found->model;
    QUERN_ASSIGN_OR_RETURN(EngineUse engine, EngineUse::acquire(model));
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<SessionObject> session,
                           removeHandle(handle));
    session->sequence.reset();
    return Status::ok();
  });
}

extern "C" quern_status quern_session_get_length(quern_session *handle,
                                                 size_t *length) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<SessionObject> session,
                           findSession(handle));
    QUERN_RETURN_IF_ERROR(checkNotNull(length, "length"));
    QUERN_ASSIGN_OR_RETURN(EngineUse engine,
                           EngineUse::acquire(session->model));
    *length = session->sequence->getLength();
    return Status::ok();
  });
}

extern "C" quern_status quern_session_truncate(quern_session *handle,
                                               size_t length) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<SessionObject> session,
                           findSession(handle));
    QUERN_ASSIGN_OR_RETURN(EngineUse engine,
                           EngineUse::acquire(session->model));
    uint32_t current = session->sequence->getLength();
    if (length > current)
      return invalidArgument("length is " + std::to_string(length) +
                             ", the session has " + std::to_string(current) +
                             " tokens");
    if (session->sequence->getReachableLength(uint32_t(length)) != length)
      return unsupported(
          "length is " + std::to_string(length) +
          ", but the recurrent states of this session can be taken back to " +
          std::to_string(session->sequence->getShortestLength()) +
          " tokens, or be emptied");
    session->sequence->truncate(uint32_t(length));
    return Status::ok();
  });
}

extern "C" quern_status quern_sampling_defaults(quern_model *handle,
                                                quern_sampling *sampling) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_RETURN_IF_ERROR(checkStruct(sampling, "sampling"));
    SamplingParameters defaults =
        getSamplingDefaults(model->engine->getModel().getBundle());
    sampling->temperature = defaults.temperature;
    sampling->top_p = defaults.topP;
    sampling->min_p = defaults.minP;
    sampling->repetition_penalty = defaults.repetitionPenalty;
    sampling->top_k = defaults.topK;
    sampling->seed = defaults.seed;
    sampling->stream = defaults.stream;
    return Status::ok();
  });
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

namespace {

/// Writes tokens and logits into the caller's entries.
class StepOutput final : public StepResults {
public:
  StepOutput(quern_step_entry *entries) : entries(entries) {}
  void onResult(size_t entry, size_t index, int32_t token,
                std::span<const float> logits) override {
    quern_step_entry &to = entries[entry];
    if (index + 1 == to.count)
      to.next_token = token;
    if (to.logits && !logits.empty())
      std::copy(logits.begin(), logits.end(),
                to.logits + (to.all_logits ? index * logits.size() : 0));
  }

private:
  quern_step_entry *entries;
};

/// An entry of the engine's step and what it points to.
struct PreparedEntry {
  std::shared_ptr<SessionObject> session;
  SamplingParameters sampling;
};

} // namespace

static Status prepareEntry(const quern_step_entry &from,
                           const std::shared_ptr<ModelObject> &model,
                           PreparedEntry &prepared, StepEntry &to) {
  QUERN_ASSIGN_OR_RETURN(prepared.session, findSession(from.session));
  if (prepared.session->model != model)
    return invalidArgument("the session belongs to another model");
  if (from.count)
    QUERN_RETURN_IF_ERROR(checkNotNull(from.ids, "ids"));
  if (from.sampling) {
    QUERN_ASSIGN_OR_RETURN(prepared.sampling,
                           readSampling(from.sampling, "sampling"));
    to.sampling = &prepared.sampling;
  }
  if (from.all_logits)
    QUERN_RETURN_IF_ERROR(checkNotNull(from.logits, "logits"));
  to.sequence = prepared.session->sequence.get();
  to.tokens = std::span(from.ids, from.count);
  to.rows = from.all_logits ? ResultRows::All : ResultRows::Last;
  return Status::ok();
}

static Status runStep(Engine &engine, const std::shared_ptr<ModelObject> &model,
                      quern_step_entry *entries, size_t count) {
  if (count > engine.getGeometry().numSlots)
    return invalidArgument(
        "count is " + std::to_string(count) + ", the model has " +
        std::to_string(engine.getGeometry().numSlots) + " sessions");
  std::vector<PreparedEntry> prepared(count);
  std::vector<StepEntry> step(count);
  bool wantsLogits = false;
  for (size_t i = 0; i != count; ++i) {
    QUERN_RETURN_IF_ERROR(
        prepareEntry(entries[i], model, prepared[i], step[i])
            .withContext("entries[" + std::to_string(i) + "]"));
    wantsLogits |= entries[i].logits != nullptr;
  }
  QUERN_RETURN_IF_ERROR(engine.setLogitsWanted(wantsLogits));
  StepOutput output(entries);
  Status status = engine.run(step, output);
  QUERN_RETURN_IF_ERROR(engine.setLogitsWanted(false));
  return status;
}

extern "C" quern_status quern_step(quern_model *handle,
                                   quern_step_entry *entries, size_t count) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<ModelObject> model,
                           findModel(handle));
    QUERN_RETURN_IF_ERROR(checkNotNull(entries, "entries"));
    QUERN_ASSIGN_OR_RETURN(EngineUse engine, EngineUse::acquire(model));
    return runStep(*engine, model, entries, count);
  });
}

//===----------------------------------------------------------------------===//
// Generation
//===----------------------------------------------------------------------===//

extern "C" quern_status
quern_generate_options_init(quern_model *handle,
                            quern_generate_options *options) {
  if (quern_status status =
          guard([&] { return checkNotNull(options, "options"); }))
    return status;
  *options = {};
  options->struct_size = sizeof(*options);
  options->max_tokens = INT64_MAX;
  options->speculate = QUERN_SPECULATE_AUTO;
  options->sampling.struct_size = sizeof(options->sampling);
  return quern_sampling_defaults(handle, &options->sampling);
}

static quern_finish_reason convert(FinishReason reason) {
  switch (reason) {
  case FinishReason::EndOfSequence:
    return QUERN_FINISH_STOP;
  case FinishReason::MaxTokens:
    return QUERN_FINISH_LENGTH;
  case FinishReason::ContextFull:
    return QUERN_FINISH_CONTEXT_FULL;
  case FinishReason::CacheFull:
    return QUERN_FINISH_CACHE_FULL;
  case FinishReason::Running:
  case FinishReason::Stopped:
  case FinishReason::Failed:
    break; // A failure is returned as a status.
  }
  return QUERN_FINISH_CANCELLED;
}

static Result<GenerationOptions>
readOptions(const quern_generate_options *options) {
  QUERN_RETURN_IF_ERROR(checkStruct(options, "options"));
  if (options->max_tokens <= 0)
    return invalidArgument("max_tokens is " +
                           std::to_string(options->max_tokens) +
                           ", expected at least 1");
  GenerationOptions result;
  result.maxTokens = uint64_t(options->max_tokens);
  result.ignoreEndOfSequence = options->ignore_eos;
  result.chunkTokens = options->chunk_tokens;
  result.draftDepth = options->speculate;
  QUERN_ASSIGN_OR_RETURN(result.sampling,
                         readSampling(&options->sampling, "options->sampling"));
  return result;
}

extern "C" quern_status quern_generate(quern_session *handle,
                                       const int32_t *prompt, size_t count,
                                       const quern_generate_options *options,
                                       quern_token_callback callback,
                                       void *user,
                                       quern_generate_result *result) {
  return guard([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<SessionObject> session,
                           findSession(handle));
    if (count)
      QUERN_RETURN_IF_ERROR(checkNotNull(prompt, "prompt"));
    QUERN_ASSIGN_OR_RETURN(GenerationOptions generation, readOptions(options));
    if (result)
      QUERN_RETURN_IF_ERROR(checkStruct(result, "result"));
    QUERN_ASSIGN_OR_RETURN(EngineUse engine,
                           EngineUse::acquire(session->model));
    GenerateCallback forward;
    if (callback)
      forward = [&](int32_t token, std::string_view text) {
        return callback(user, token, text.data(), text.size()) == 0;
      };
    QUERN_ASSIGN_OR_RETURN(GenerateResult done,
                           generate(*engine, *session->sequence,
                                    session->model->text.getTokenizer(),
                                    std::span(prompt, count), generation,
                                    forward));
    if (result) {
      result->finish_reason = convert(done.finishReason);
      result->prompt_tokens = done.promptTokens;
      result->reused_tokens = done.reusedTokens;
      result->generated_tokens = done.generatedTokens;
      result->prefill_seconds = done.prefillSeconds;
      result->decode_seconds = done.decodeSeconds;
      result->drafted_tokens = done.speculation.getDrafted();
      result->accepted_tokens = done.speculation.getAccepted();
      result->verify_steps = done.speculation.rounds;
    }
    return Status::ok();
  });
}
