//===- EngineInputs.cpp - Recurrent states, sampling and drafts of steps --===//

#include "runtime/engine/Engine.h"
#include "runtime/engine/Random.h"

#include <algorithm>
#include <cassert>

using namespace quern;

/// What a step of `count` tokens does to the states of `sequence`. Folds while
/// the largest step without prefill still finds room afterwards.
static bundle::StateUpdate chooseUpdate(const ModelGeometry &geometry,
                                        uint64_t unfolded, uint64_t count,
                                        bool isPrefill) {
  using bundle::StateUpdate;
  if (isPrefill)
    return StateUpdate::Fold;
  bool isFull = geometry.deltaRing &&
                unfolded + count + geometry.maxSmallTokens > geometry.deltaRing;
  return isFull ? StateUpdate::FoldAppend : StateUpdate::Append;
}

/// Tells the device about the sequences of the step and what becomes of their
/// recurrent states. Call before the tokens are appended.
void Engine::writeSequences(std::span<const StepEntry> entries,
                            bool isPrefill) {
  const ModelGeometry &geometry = getGeometry();
  if (!geometry.isRecurrent())
    return;
  sequenceRows.clear();
  uint32_t firstToken = 0;
  for (const StepEntry &entry : entries) {
    Sequence &sequence = *entry.sequence;
    uint32_t position = sequence.getLength();
    uint32_t count = uint32_t(entry.tokens.size());
    bundle::StateUpdate update =
        chooseUpdate(geometry, position - sequence.folded, count, isPrefill);
    sequenceRows.push_back(
        {sequence.slot, firstToken, count, position, sequence.folded, update});
    firstToken += count;
    sequence.nextFolded = sequence.folded;
    if (update != bundle::StateUpdate::Append) {
      sequence.nextFolded = position + (isPrefill ? count : 0);
      sequence.folded = Sequence::kUnknown; // Until the device is done.
    }
    sequence.written = std::max(sequence.written, position + count);
  }
  model->getStepBlock().setSequences(sequenceRows);
}

/// The device has done what writeSequences asked for.
void Engine::finishFolding(std::span<const StepEntry> entries) {
  for (const StepEntry &entry : entries)
    entry.sequence->folded = entry.sequence->nextFolded;
}

static void markSeen(std::vector<uint32_t> &seen, int32_t token) {
  seen[uint32_t(token) / 32] |= 1u << (uint32_t(token) % 32);
}

/// Before the step's tokens count as seen.
void Engine::beginSampling(std::span<const StepEntry> entries) {
  if (!entries[0].samplesAllRows || !entries[0].sampling ||
      entries[0].sampling->repetitionPenalty == 1)
    return;
  std::span<const uint32_t> seen = entries[0].sequence->getSeenTokens();
  std::copy(seen.begin(), seen.end(), rowSeen.begin());
}

/// Rows come in the order of their tokens.
void Engine::writeSampling(uint32_t stepRow, const StepEntry &entry,
                           uint32_t index) {
  StepBlock &block = model->getStepBlock();
  uint32_t rest = uint32_t(entry.tokens.size()) - index - 1;
  if (!entry.sampling || (rest != 0 && !entry.samplesAllRows))
    return block.setGreedy(stepRow);
  // The tokens of this step count as seen; run takes them back on failure. Of a
  // row in front of the last only those up to its own do.
  const SamplingParameters &sampling = *entry.sampling;
  std::span<const uint32_t> seen = entry.sequence->getSeenTokens();
  if (entry.samplesAllRows && sampling.repetitionPenalty != 1) {
    markSeen(rowSeen, entry.tokens[index]);
    seen = rowSeen;
  }
  block.setSampling(stepRow, sampling,
                    uniformAt(sampling.seed, sampling.stream,
                              entry.sequence->getLength() - rest),
                    seen);
}

bool Engine::reserve(Sequence &sequence, uint64_t count) {
  if (!checkRoom(sequence, count).isOk())
    return false;
  takePages(sequence, count);
  return true;
}

Result<int32_t> Engine::runDraft(const DraftStep &step) {
  if (!failure.isOk())
    return failure;
  const LoadedProgram &program = *model->getProgram(step.kind);
  const uint32_t count = uint32_t(step.followers.size());
  const uint64_t end = uint64_t(step.position) + count;
  assert(count != 0 && count <= program.maxTokens &&
         end <= step.sequence->pages.size() * getGeometry().pageSize);
  StepBlock &block = model->getStepBlock();
  for (uint32_t i = 0; i != count; ++i)
    block.setToken(i, step.followers[i], step.position + i,
                   step.sequence->slot);
  block.setRow(0, count - 1);
  if (!step.sampling) {
    block.setGreedy(0);
  } else {
    // As the step will that checks the draft, with the same random number.
    const SamplingParameters &sampling = *step.sampling;
    if (sampling.repetitionPenalty != 1) {
      std::span<const uint32_t> seen = step.sequence->getSeenTokens();
      if (step.kind != bundle::ProgramKind::DraftDecode)
        std::copy(seen.begin(), seen.end(), rowSeen.begin());
      markSeen(rowSeen, step.followers.back());
    }
    block.setSampling(0, sampling,
                      uniformAt(sampling.seed, sampling.stream, end + 1),
                      rowSeen);
  }
  block.clearResults(1);
  QUERN_RETURN_IF_ERROR(submit(program, count, 1));
  int32_t token = block.getResult(0);
  return token < 0 || uint32_t(token) >= getGeometry().vocabSize ? -1 : token;
}
