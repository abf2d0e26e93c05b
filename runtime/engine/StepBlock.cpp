//===- StepBlock.cpp - Inputs and outputs of a step ----------------------===//

#include "runtime/engine/StepBlock.h"

#include <algorithm>
#include <cstring>

using namespace quern;
using bundle::StepRole;

/// Values per row of the sampling buffer.
static constexpr uint32_t kSamplingWidth = 8;
/// Values per row of the sequences.
static constexpr uint32_t kSequenceWidth = 8;

StepLayout quern::readStepLayout(const bundle::TargetPrograms &target,
                                 const bundle::Model &model) {
  StepLayout layout;
  layout.size = target.step_size();
  layout.numSlots = model.num_slots();
  layout.seenWords = (model.vocab_size() + 31) / 32;
  layout.pagesPerSlot =
      (model.context_length() + model.page_size() - 1) / model.page_size();
  for (const bundle::Program *program : *target.programs()) {
    if (program->kind() != bundle::ProgramKind::Head)
      layout.maxTokens = std::max(layout.maxTokens, program->max_tokens());
    layout.maxRows = std::max(layout.maxRows, program->max_rows());
  }
  for (const bundle::StepBuffer *buffer : *target.step_buffers()) {
    layout.offsets[size_t(buffer->role())] = buffer->offset();
    if (buffer->role() == StepRole::Sequences)
      layout.sequenceRows = uint32_t(buffer->shape()->Get(0));
  }
  return layout;
}

void StepBlock::setSequences(std::span<const SequenceRow> sequences) {
  if (layout.sequenceRows == 0)
    return;
  int32_t *to = get<int32_t>(StepRole::Sequences);
  for (const SequenceRow &row : sequences) {
    const int32_t values[kSequenceWidth] = {int32_t(row.slot),
                                            int32_t(row.firstToken),
                                            int32_t(row.numTokens),
                                            int32_t(row.position),
                                            int32_t(row.folded),
                                            int32_t(row.update),
                                            0,
                                            0};
    std::memcpy(to, values, sizeof(values));
    to += kSequenceWidth;
  }
  uint32_t used = std::min(usedSequences, layout.sequenceRows);
  usedSequences = uint32_t(sequences.size());
  if (used > usedSequences)
    std::fill_n(to, size_t(used - usedSequences) * kSequenceWidth, 0);
}

void StepBlock::setSampling(uint32_t row, const SamplingParameters &parameters,
                            float uniform, std::span<const uint32_t> seen) {
  // The device treats top_k >= vocab_size as off; 2^24 is exact in f32.
  float topK = float(std::min<int64_t>(parameters.topK, int64_t(1) << 24));
  const float values[kSamplingWidth] = {parameters.temperature,
                                        topK,
                                        parameters.topP,
                                        parameters.minP,
                                        parameters.repetitionPenalty,
                                        uniform,
                                        0,
                                        0};
  std::memcpy(get<float>(StepRole::Sampling) + size_t(row) * kSamplingWidth,
              values, sizeof(values));
  // With a penalty of 1 the bits change nothing, whatever they are.
  if (parameters.repetitionPenalty != 1)
    std::memcpy(get<uint32_t>(StepRole::SeenTokens) +
                    size_t(row) * layout.seenWords,
                seen.data(), layout.seenWords * sizeof(uint32_t));
}

void StepBlock::setGreedy(uint32_t row) {
  setSampling(row, SamplingParameters(), 0, {});
}

void StepBlock::clearResults(uint32_t rows) {
  std::fill_n(get<int32_t>(StepRole::Tokens), rows, -1);
}
