//===- Drafter.h - Where drafts of the next tokens come from ----*- C++ -*-===//
//
// Speculative decoding asks a drafter for tokens that may follow and has the
// model check them in one step. A drafter changes how fast tokens come, never
// which: whatever it proposes is compared with what the model samples.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_DRAFTER_H
#define QUERN_RUNTIME_ENGINE_DRAFTER_H

#include "runtime/base/Status.h"
#include "runtime/engine/SamplingParameters.h"
#include "runtime/engine/Sequence.h"

#include <cstdint>
#include <memory>
#include <span>

namespace quern {

/// Not thread-safe. Allocates nothing in observe and propose.
class Drafter {
public:
  virtual ~Drafter() = default;

  /// The most tokens that propose gives.
  virtual uint32_t getMaxDepth() const = 0;

  /// The last step, of `sequence` alone, has appended `count` tokens of which
  /// all are still there, and `next` follows them. Nothing else has run on the
  /// device since. May be left out: then the drafter does not know these
  /// tokens.
  virtual Status observe(Sequence &sequence, uint32_t count, int32_t next,
                         const SamplingParameters &sampling) = 0;

  /// Fills `drafts` with tokens that may follow `next`, which follows the
  /// sequence, and returns how many there are. The sequence has pages for all
  /// of them.
  virtual Result<uint32_t> propose(Sequence &sequence, int32_t next,
                                   const SamplingParameters &sampling,
                                   std::span<int32_t> drafts) = 0;
};

class Engine;

/// The drafter of the bundle (its draft programs), or null if it has none.
std::unique_ptr<Drafter> makeDrafter(Engine &engine);

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_DRAFTER_H
