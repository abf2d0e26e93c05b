//===- SpeculativeDecoder.cpp - Several tokens of one sequence per step ---===//

#include "runtime/engine/SpeculativeDecoder.h"

#include "runtime/engine/Scheduler.h"

#include <algorithm>
#include <numeric>

using namespace quern;

uint64_t SpeculationStatistics::getDrafted() const {
  return std::accumulate(drafted.begin(), drafted.end(), uint64_t(0));
}

uint64_t SpeculationStatistics::getAccepted() const {
  return std::accumulate(accepted.begin(), accepted.end(), uint64_t(0));
}

SpeculativeDecoder::SpeculativeDecoder(Engine &engine,
                                       std::unique_ptr<Drafter> drafter)
    : engine(engine), drafter(std::move(drafter)) {}

/// No more than the generation and the context can still take.
uint32_t SpeculativeDecoder::chooseDepth(const Generation &generation) const {
  uint32_t most = std::min({drafter->getMaxDepth(), kMaxDraftDepth,
                            engine.getGeometry().maxSmallTokens - 1});
  int32_t wanted = generation.options.draftDepth;
  uint32_t depth = wanted == kAutoDraftDepth
                       ? engine.getDepthController().getDepth(most)
                       : std::min(uint32_t(wanted), most);
  uint64_t tokensLeft = generation.options.maxTokens - generation.generated;
  uint64_t contextLeft =
      engine.getGeometry().contextLength - generation.sequence->getLength();
  return uint32_t(std::min<uint64_t>(
      {depth, tokensLeft - 1, contextLeft ? contextLeft - 1 : 0}));
}

Status SpeculativeDecoder::begin(const Generation &generation) {
  begun = engine.now();
  if (!generation.isPromptDone())
    return Status::ok();
  Sequence &sequence = *generation.sequence;
  tokens[0] = generation.nextToken;
  numTokens = 1;
  uint32_t depth = chooseDepth(generation);
  // Drafts have keys and values too, where those of the step will be.
  while (depth != 0 && !engine.reserve(sequence, depth + 1))
    --depth;
  if (depth == 0)
    return Status::ok();
  QUERN_ASSIGN_OR_RETURN(uint32_t count,
                         drafter->propose(sequence, tokens[0],
                                          generation.options.sampling,
                                          std::span(tokens).subspan(1, depth)));
  // Whoever drafts, the engine takes no id that is none.
  auto isToken = [&](int32_t token) {
    return token >= 0 && uint32_t(token) < engine.getGeometry().vocabSize;
  };
  while (numTokens <= std::min(count, depth) && isToken(tokens[numTokens]))
    ++numTokens;
  return Status::ok();
}

/// The results up to the first that is not the draft behind it.
Status SpeculativeDecoder::takeResults(Generation &generation) {
  Sequence &sequence = *generation.sequence;
  const uint32_t before = sequence.getLength() - numTokens;
  const double seconds = engine.secondsSince(begun);
  SpeculationStatistics &statistics = generation.speculation;
  uint32_t taken = 0, reached = 0, accepted = 0;
  for (bool goesOn = true; goesOn;) {
    int32_t token = results[taken++];
    bool isChecked = taken < numTokens, isRight = false;
    if (isChecked) {
      isRight = tokens[taken] == token;
      ++reached;
      accepted += isRight;
      ++statistics.drafted[taken - 1];
      statistics.accepted[taken - 1] += isRight;
    }
    generation.take(engine, token, before + taken);
    goesOn = isRight && generation.isRunning();
  }
  sequence.truncate(before + taken);
  if (numTokens > 1) {
    ++statistics.rounds;
    statistics.tokens += taken;
    statistics.depths += numTokens - 1;
  }
  if (generation.options.draftDepth == kAutoDraftDepth)
    engine.getDepthController().addRound(
        numTokens - 1, reached, accepted,
        seconds + (numTokens > 1 ? observeSeconds : 0));
  if (!generation.isRunning())
    return Status::ok();
  return observe(generation, taken, generation.nextToken);
}

Status SpeculativeDecoder::observe(const Generation &generation, uint32_t count,
                                   int32_t next) {
  observeSeconds = 0;
  if (generation.options.draftDepth == kAutoDraftDepth &&
      !engine.getDepthController().isDrafting())
    return Status::ok(); // It costs as much as a draft.
  auto start = engine.now();
  QUERN_RETURN_IF_ERROR(drafter->observe(*generation.sequence, count, next,
                                         generation.options.sampling));
  observeSeconds = engine.secondsSince(start);
  return Status::ok();
}

Status SpeculativeDecoder::finish(Generation &generation, uint32_t count) {
  if (!generation.isPromptDone()) {
    generation.fed += count;
    if (!generation.isPromptDone())
      return observe(generation, count, generation.prompt[generation.fed]);
    generation.take(engine, generation.nextToken,
                    generation.sequence->getLength());
    if (generation.isRunning())
      return observe(generation, count, generation.nextToken);
    return Status::ok();
  }
  return takeResults(generation);
}
