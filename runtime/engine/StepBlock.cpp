//===- StepBlock.cpp - The host-visible inputs and outputs of a step ------===//

#include "runtime/engine/StepBlock.h"

#include <algorithm>
#include <cstring>
#include <string>

using namespace quern;
using bundle::StepRole;

/// Values per row of the sampling buffer.
static constexpr uint32_t kSamplingWidth = 8;

static Status fieldError(StepRole role, const std::string &what) {
  return corrupt(std::string("step buffer ") + bundle::EnumNameStepRole(role) +
                 ": " + what);
}

/// Checks one buffer against the least shape that the programs need and
/// records it.
static Status readField(StepLayout &layout, const bundle::StepBuffer &buffer,
                        uint64_t minRows, uint64_t columns) {
  StepRole role = buffer.role();
  bundle::DType dtype =
      role == StepRole::Sampling ? bundle::DType::F32 : bundle::DType::I32;
  if (buffer.dtype() != dtype)
    return fieldError(role, std::string("dtype ") +
                                bundle::EnumNameDType(buffer.dtype()) +
                                ", expected " + bundle::EnumNameDType(dtype));
  const auto *shape = buffer.shape();
  uint32_t rank = columns ? 2 : 1;
  if (!shape || shape->size() != rank)
    return fieldError(role, "rank " +
                                std::to_string(shape ? shape->size() : 0) +
                                ", expected " + std::to_string(rank));
  if (shape->Get(0) < minRows)
    return fieldError(role, std::to_string(shape->Get(0)) +
                                " rows, expected at least " +
                                std::to_string(minRows));
  if (columns && shape->Get(1) != columns)
    return fieldError(role, std::to_string(shape->Get(1)) +
                                " columns, expected " +
                                std::to_string(columns));
  uint64_t width = columns ? columns : 1;
  if (shape->Get(0) > buffer.size() / 4 / width ||
      buffer.offset() > layout.size || buffer.offset() % 4 != 0 ||
      buffer.size() > layout.size - buffer.offset())
    return fieldError(role, "bytes " + std::to_string(buffer.offset()) +
                                " to +" + std::to_string(buffer.size()) +
                                " do not hold its shape inside the " +
                                std::to_string(layout.size) +
                                " bytes of the step block");
  StepLayout::Field &field = layout.fields[size_t(role)];
  if (field.elements)
    return fieldError(role, "occurs twice");
  field = {buffer.offset(), shape->Get(0) * width};
  return Status::ok();
}

static Status readFieldByRole(StepLayout &layout,
                              const bundle::StepBuffer &buffer) {
  switch (buffer.role()) {
  case StepRole::TokenIds:
  case StepRole::Positions:
  case StepRole::Slots:
    return readField(layout, buffer, layout.maxTokens, 0);
  case StepRole::Rows:
  case StepRole::Tokens:
    return readField(layout, buffer, layout.maxRows, 0);
  case StepRole::PageTable: {
    uint32_t needed = layout.pagesPerSlot;
    if (buffer.shape() && buffer.shape()->size() == 2 &&
        buffer.shape()->Get(1) > needed)
      layout.pagesPerSlot =
          uint32_t(std::min<uint64_t>(buffer.shape()->Get(1), INT32_MAX));
    return readField(layout, buffer, layout.numSlots, layout.pagesPerSlot);
  }
  case StepRole::Sampling:
    return readField(layout, buffer, layout.maxRows, kSamplingWidth);
  case StepRole::SeenTokens:
    return readField(layout, buffer, layout.maxRows, layout.seenWords);
  }
  return corrupt("step buffer of unknown role " +
                 std::to_string(unsigned(buffer.role())));
}

Result<StepLayout> quern::readStepLayout(const bundle::TargetPrograms &target,
                                         const bundle::Model &model) {
  StepLayout layout;
  layout.size = target.step_size();
  layout.numSlots = model.num_slots();
  layout.seenWords = uint32_t((uint64_t(model.vocab_size()) + 31) / 32);
  if (model.page_size() == 0)
    return corrupt("model: page_size is 0");
  layout.pagesPerSlot =
      uint32_t((uint64_t(model.context_length()) + model.page_size() - 1) /
               model.page_size());
  if (const auto *programs = target.programs())
    for (const bundle::Program *program : *programs) {
      if (program->kind() != bundle::ProgramKind::Head)
        layout.maxTokens = std::max(layout.maxTokens, program->max_tokens());
      layout.maxRows = std::max(layout.maxRows, program->max_rows());
    }
  if (const auto *buffers = target.step_buffers())
    for (const bundle::StepBuffer *buffer : *buffers)
      QUERN_RETURN_IF_ERROR(readFieldByRole(layout, *buffer));
  // Rows is absent when no program selects rows.
  for (size_t role = 0; role != StepLayout::kNumRoles; ++role)
    if (layout.fields[role].elements == 0 && StepRole(role) != StepRole::Rows)
      return fieldError(StepRole(role), "missing");
  return layout;
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
