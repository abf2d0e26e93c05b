//===- ProgramDrafter.h - Drafts of the bundle's draft programs -*- C++ -*-===//
//
// Multi-token prediction: a small layer behind the model reads the hidden
// states of the last step and the tokens that followed, and says which token
// comes after those. It has keys and values of its own for each position.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_PROGRAMDRAFTER_H
#define QUERN_RUNTIME_ENGINE_PROGRAMDRAFTER_H

#include "runtime/engine/Drafter.h"
#include "runtime/engine/Engine.h"

#include <vector>

namespace quern {

class ProgramDrafter final : public Drafter {
public:
  /// The bundle has draft programs.
  explicit ProgramDrafter(Engine &engine);

  uint32_t getMaxDepth() const override;
  Status observe(Sequence &sequence, uint32_t count, int32_t next,
                 const SamplingParameters &sampling) override;
  Result<uint32_t> propose(Sequence &sequence, int32_t next,
                           const SamplingParameters &sampling,
                           std::span<int32_t> drafts) override;

private:
  Engine &engine;
  std::vector<int32_t> followers; ///< Reserved for the largest step.
  /// What observe found to follow `next` at the end of `sequence`; -1: nothing.
  int32_t firstDraft = -1;
  const Sequence *sequence = nullptr;
  uint32_t length = 0;
  int32_t next = -1;
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_PROGRAMDRAFTER_H
