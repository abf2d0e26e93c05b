//===- StepBlock.h - Inputs and outputs of a step ---------------*- C++ -*-===//
//
// Typed views of the step block by role, at the offsets of the manifest. The
// device reads the inputs when a program is submitted and writes the tokens
// before wait returns. See StepRole in runtime/bundle/manifest.fbs for the
// meaning of each buffer.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_STEPBLOCK_H
#define QUERN_RUNTIME_ENGINE_STEPBLOCK_H

#include "runtime/bundle/Manifest.h"
#include "runtime/engine/SamplingParameters.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quern {

/// Where the buffers of the step block lie and how large they are.
struct StepLayout {
  static constexpr size_t kNumRoles = size_t(bundle::StepRole::MAX) + 1;

  std::array<uint64_t, kNumRoles> offsets = {}; ///< Bytes, by role.
  uint64_t size = 0;                            ///< Bytes of the block.
  uint32_t numSlots = 0;                        ///< Rows of the page table.
  uint32_t pagesPerSlot = 0;                    ///< Columns of the page table.
  uint32_t seenWords = 0;    ///< Columns of the seen tokens: ceil(vocab / 32).
  uint32_t maxTokens = 0;    ///< Entries of the token buffers.
  uint32_t maxRows = 0;      ///< Entries of the row buffers.
  uint32_t sequenceRows = 0; ///< Rows of Sequences; 0: no such buffer.
};

/// The layout of a verified bundle: every role has its buffer (Rows only with a
/// head program, Sequences only with recurrent states), of the dtype and shape
/// that it should have.
StepLayout readStepLayout(const bundle::TargetPrograms &target,
                          const bundle::Model &model);

/// A row of the Sequences buffer: the share of one sequence in a step.
struct SequenceRow {
  uint32_t slot = 0;
  uint32_t firstToken = 0; ///< In the flat step.
  uint32_t numTokens = 0;  ///< 0: the row is unused.
  uint32_t position = 0;   ///< Of its first token.
  uint32_t folded = 0;     ///< Position up to which its states are folded.
  bundle::StateUpdate update = bundle::StateUpdate::Append;
};

/// The block of a loaded model. Writes go straight to mapped memory, which is
/// not read back except for the tokens. The caller keeps indices in range.
class StepBlock {
public:
  StepBlock() = default;
  StepBlock(const StepLayout &layout, void *memory)
      : layout(layout), memory(static_cast<std::byte *>(memory)) {}

  const StepLayout &getLayout() const { return layout; }

  void setToken(uint32_t row, int32_t token, uint32_t position, uint32_t slot) {
    get<int32_t>(bundle::StepRole::TokenIds)[row] = token;
    get<int32_t>(bundle::StepRole::Positions)[row] = int32_t(position);
    get<int32_t>(bundle::StepRole::Slots)[row] = int32_t(slot);
  }
  void setRow(uint32_t row, uint32_t token) {
    get<int32_t>(bundle::StepRole::Rows)[row] = int32_t(token);
  }
  void setPage(uint32_t slot, uint32_t logicalPage, uint32_t physicalPage) {
    get<int32_t>(
        bundle::StepRole::PageTable)[size_t(slot) * layout.pagesPerSlot +
                                     logicalPage] = int32_t(physicalPage);
  }

  /// Says which sequences the step has; the other rows become unused. Does
  /// nothing if the programs do not ask for them.
  void setSequences(std::span<const SequenceRow> sequences);

  /// Says how row `row` is sampled; `uniform` is in [0, 1). `seen` has
  /// seenWords words and is copied only if the parameters look at it.
  void setSampling(uint32_t row, const SamplingParameters &parameters,
                   float uniform, std::span<const uint32_t> seen);
  /// Row `row` takes the likeliest token.
  void setGreedy(uint32_t row);

  /// Marks the outputs of `rows` rows as not written.
  void clearResults(uint32_t rows);
  /// The token that the device chose for a row; any value: check it.
  int32_t getResult(uint32_t row) const {
    return get<int32_t>(bundle::StepRole::Tokens)[row];
  }

private:
  template <typename T> T *get(bundle::StepRole role) const {
    return reinterpret_cast<T *>(memory + layout.offsets[size_t(role)]);
  }

  StepLayout layout;
  std::byte *memory = nullptr;
  uint32_t usedSequences = UINT32_MAX; ///< Rows that may not be zero.
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_STEPBLOCK_H
