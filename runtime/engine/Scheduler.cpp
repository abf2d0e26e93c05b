//===- Scheduler.cpp - Generations that share steps -----------------------===//

#include "runtime/engine/Scheduler.h"

#include <algorithm>
#include <string>

using namespace quern;

std::string_view quern::finishReasonName(FinishReason reason) {
  switch (reason) {
  case FinishReason::Running:
    return "running";
  case FinishReason::EndOfSequence:
    return "stop";
  case FinishReason::MaxTokens:
    return "length";
  case FinishReason::ContextFull:
    return "context_full";
  case FinishReason::CacheFull:
    return "cache_full";
  case FinishReason::Stopped:
    return "cancelled";
  case FinishReason::Failed:
    return "error";
  }
  return "unknown";
}

Scheduler::Scheduler(Engine &engine) : Scheduler(engine, makeDrafter(engine)) {}

Scheduler::Scheduler(Engine &engine, std::unique_ptr<Drafter> drafter)
    : engine(engine) {
  if (drafter)
    speculation =
        std::make_unique<SpeculativeDecoder>(engine, std::move(drafter));
  size_t numSlots = engine.getGeometry().numSlots;
  running.reserve(numSlots);
  inStep.reserve(numSlots);
  entries.reserve(numSlots);
}

Status Scheduler::add(Generation &generation) {
  const ModelGeometry &geometry = engine.getGeometry();
  if (generation.prompt.empty())
    return invalidArgument("the prompt is empty");
  for (size_t i = 0; i != generation.prompt.size(); ++i)
    if (int32_t id = generation.prompt[i];
        id < 0 || uint32_t(id) >= geometry.vocabSize)
      return invalidArgument("prompt token " + std::to_string(i) + " is " +
                             std::to_string(id) + ", expected 0 to " +
                             std::to_string(geometry.vocabSize - 1));
  uint32_t room = geometry.contextLength - generation.sequence->getLength();
  if (generation.prompt.size() > room)
    return invalidArgument(
        "the prompt has " + std::to_string(generation.prompt.size()) +
        " tokens, " + std::to_string(room) + " of the context of " +
        std::to_string(geometry.contextLength) + " are left");
  if (generation.options.maxTokens == 0)
    return invalidArgument("max_tokens is 0, expected at least 1");
  if (generation.options.draftDepth < kAutoDraftDepth ||
      generation.options.draftDepth > int32_t(kMaxDraftDepth))
    return invalidArgument(
        "the draft depth is " + std::to_string(generation.options.draftDepth) +
        ", expected at most " + std::to_string(kMaxDraftDepth));
  QUERN_RETURN_IF_ERROR(verifySamplingParameters(generation.options.sampling));
  for (const Generation *other : running)
    if (other->sequence == generation.sequence)
      return invalidArgument("the sequence is running already");
  running.push_back(&generation);
  return Status::ok();
}

void Scheduler::cancel(Generation &generation) {
  if (!generation.isRunning())
    return;
  generation.reason = FinishReason::Stopped;
  removeFinished();
}

/// Adds the generation's next tokens, or ends it if they have no room.
void Scheduler::addEntry(Generation &generation, uint32_t &tokens,
                         uint64_t &newPages) {
  Sequence &sequence = *generation.sequence;
  size_t count = 1;
  if (!generation.isPromptDone()) {
    count = std::min<size_t>(generation.prompt.size() - generation.fed,
                             engine.getGeometry().maxStepTokens - tokens);
    if (generation.options.chunkTokens)
      count = std::min<size_t>(count, generation.options.chunkTokens);
  }
  if (count == 0 || tokens == engine.getGeometry().maxStepTokens)
    return; // The next step has room.
  if (sequence.getLength() + count > engine.getGeometry().contextLength) {
    generation.reason = FinishReason::ContextFull;
    return;
  }
  uint64_t pages = engine.countMissingPages(sequence, count);
  if (newPages + pages > engine.getNumFreePages()) {
    generation.reason = FinishReason::CacheFull;
    return;
  }
  StepEntry entry;
  entry.sequence = &sequence;
  entry.tokens = generation.isPromptDone()
                     ? std::span<const int32_t>(&generation.nextToken, 1)
                     : generation.prompt.subspan(generation.fed, count);
  bool isLast = generation.isPromptDone() ||
                generation.fed + count == generation.prompt.size();
  entry.rows = isLast ? ResultRows::Last : ResultRows::None;
  entry.sampling = &generation.options.sampling;
  if (&generation == speculating && generation.isPromptDone()) {
    // The drafts have their pages already.
    entry.tokens = speculation->getTokens();
    entry.rows = ResultRows::All;
    entry.samplesAllRows = true;
    count = entry.tokens.size();
  }
  tokens += uint32_t(count);
  newPages += pages;
  entries.push_back(entry);
  inStep.push_back(&generation);
}

void Scheduler::addEntries() {
  entries.clear();
  inStep.clear();
  uint32_t tokens = 0;
  uint64_t newPages = 0;
  for (bool decode : {true, false})
    for (Generation *generation : running)
      if (generation->isPromptDone() == decode)
        addEntry(*generation, tokens, newPages);
}

/// Keeps the results of a step until it has succeeded.
class Scheduler::Collector final : public StepResults {
public:
  explicit Collector(Scheduler &scheduler) : scheduler(scheduler) {}
  void onResult(size_t entry, size_t index, int32_t token,
                std::span<const float>) override {
    Generation &generation = *scheduler.inStep[entry];
    if (scheduler.speculating && generation.isPromptDone())
      return scheduler.speculation->setResult(index, token);
    generation.nextToken = token;
    generation.hasResult = true;
  }

private:
  Scheduler &scheduler;
};

void Generation::take(Engine &engine, int32_t token, uint32_t length) {
  nextToken = token;
  ++generated;
  const auto *ends = engine.getModel().getModel().eos_token_ids();
  bool isEnd = !options.ignoreEndOfSequence && ends &&
               std::find(ends->begin(), ends->end(), token) != ends->end();
  bool goesOn = !listener || listener->onToken(token);
  if (isEnd)
    reason = FinishReason::EndOfSequence;
  else if (!goesOn)
    reason = FinishReason::Stopped;
  else if (generated == options.maxTokens)
    reason = FinishReason::MaxTokens;
  else if (length == engine.getGeometry().contextLength)
    reason = FinishReason::ContextFull;
}

void Scheduler::removeFinished() {
  std::erase_if(running,
                [](const Generation *item) { return !item->isRunning(); });
}

/// The generation that drafts: it runs alone, as others would wait for tokens
/// that may be thrown away.
Generation *Scheduler::findSpeculating() {
  bool isAlone = speculation && running.size() == 1 &&
                 running.front()->options.draftDepth != 0;
  return isAlone ? running.front() : nullptr;
}

/// Takes note of what the step did for its generations.
void Scheduler::finishSteps() {
  for (size_t i = 0; i != inStep.size(); ++i) {
    Generation &generation = *inStep[i];
    if (!generation.isPromptDone())
      generation.fed += entries[i].tokens.size();
    if (generation.hasResult)
      generation.take(engine, generation.nextToken,
                      generation.sequence->getLength());
  }
}

Status Scheduler::runStep() {
  if (speculating)
    QUERN_RETURN_IF_ERROR(speculation->begin(*speculating));
  addEntries();
  if (entries.empty())
    return Status::ok();
  for (Generation *generation : inStep)
    generation->hasResult = false;
  Collector collector(*this);
  QUERN_RETURN_IF_ERROR(engine.run(entries, collector));
  if (speculating)
    return speculation->finish(*speculating,
                               uint32_t(entries[0].tokens.size()));
  finishSteps();
  return Status::ok();
}

Status Scheduler::step() {
  speculating = findSpeculating();
  entries.clear();
  inStep.clear();
  Status status = runStep();
  if (!status.isOk()) {
    // Without entries the drafter has failed.
    if (inStep.empty() && speculating)
      inStep.push_back(speculating);
    for (Generation *generation : inStep)
      if (generation->isRunning()) {
        generation->reason = FinishReason::Failed;
        generation->status = status;
        // Pages that were taken ahead.
        generation->sequence->truncate(generation->sequence->getLength());
      }
  }
  removeFinished();
  return status;
}
