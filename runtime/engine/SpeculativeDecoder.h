//===- SpeculativeDecoder.h - Several tokens of one sequence per step -*- C++
//-*-===//
//
// A round feeds the next token and drafts of those behind it. Each row of the
// step samples as a plain step at its position would: same parameters, same
// random number, same seen tokens. Rows are taken as long as they agree with
// the drafts, and the row of the first wrong draft gives the right token. So
// the output is that of plain decoding, token by token, greedy or not.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_SPECULATIVEDECODER_H
#define QUERN_RUNTIME_ENGINE_SPECULATIVEDECODER_H

#include "runtime/engine/Drafter.h"
#include "runtime/engine/Engine.h"

#include <array>

namespace quern {

class Generation;

/// What drafts did for a generation.
struct SpeculationStatistics {
  uint64_t rounds = 0; ///< Steps that checked drafts.
  uint64_t tokens = 0; ///< That they gave.
  uint64_t depths = 0; ///< Drafts that they fed, summed.
  /// By depth: drafts that were compared, as those before them were right, and
  /// those of them that were right.
  std::array<uint64_t, kMaxDraftDepth> drafted = {}, accepted = {};

  uint64_t getDrafted() const;
  uint64_t getAccepted() const;
  /// 0 without rounds.
  double getTokensPerRound() const {
    return rounds ? double(tokens) / double(rounds) : 0;
  }
  double getMeanDepth() const {
    return rounds ? double(depths) / double(rounds) : 0;
  }
};

/// Belongs to a scheduler. Not thread-safe. Allocates nothing in a step.
class SpeculativeDecoder {
public:
  SpeculativeDecoder(Engine &engine, std::unique_ptr<Drafter> drafter);

  /// Before a step of `generation` alone: drafts, if it decodes.
  Status begin(const Generation &generation);
  /// What the step of a decoding generation feeds: the next token and drafts.
  std::span<const int32_t> getTokens() const {
    return std::span(tokens).first(numTokens);
  }
  /// The token that the step chose after token `index` of them.
  void setResult(size_t index, int32_t token) { results[index] = token; }
  /// After the step has succeeded: hands out tokens and lets the drafter see
  /// them. `count` tokens were fed.
  Status finish(Generation &generation, uint32_t count);

private:
  uint32_t chooseDepth(const Generation &generation) const;
  Status takeResults(Generation &generation);
  Status observe(const Generation &generation, uint32_t count, int32_t next);

  Engine &engine;
  std::unique_ptr<Drafter> drafter;
  std::array<int32_t, kMaxDraftDepth + 1> tokens = {}, results = {};
  uint32_t numTokens = 0;
  EngineOptions::Clock::time_point begun;
  double observeSeconds = 0; ///< Of the drafter, for the round that follows.
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_SPECULATIVEDECODER_H
