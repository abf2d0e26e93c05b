//===- Scheduler.h - Generations that share steps ---------------*- C++ -*-===//
//
// Puts the next tokens of all running generations into each step: first one
// token of every generation that decodes, then prompt chunks as far as the
// step has room. How generations share steps changes no result. A generation
// that runs alone drafts tokens if the bundle has draft programs
// (SpeculativeDecoder.h); that changes no result either.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_SCHEDULER_H
#define QUERN_RUNTIME_ENGINE_SCHEDULER_H

#include "runtime/engine/Engine.h"
#include "runtime/engine/SpeculativeDecoder.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace quern {

/// Why a generation ended.
enum class FinishReason : uint8_t {
  Running,
  EndOfSequence, ///< The model chose one of its end tokens.
  MaxTokens,     ///< As many tokens as were asked for.
  ContextFull,   ///< The sequence has reached the context length.
  CacheFull,     ///< No free page in the key-value cache.
  Stopped,       ///< The listener asked to stop.
  Failed,        ///< See Generation::getStatus.
};

/// "stop", "length", "context_full", "cache_full", "cancelled", "error".
std::string_view finishReasonName(FinishReason reason);

/// Drafts as many tokens as pays, by what is measured.
inline constexpr int32_t kAutoDraftDepth = -1;

struct GenerationOptions {
  SamplingParameters sampling;
  uint64_t maxTokens = UINT64_MAX; ///< > 0.
  bool ignoreEndOfSequence = false;
  /// Most prompt tokens per step; 0: as many as a step takes.
  uint32_t chunkTokens = 0;
  /// Tokens to draft for each step, at most kMaxDraftDepth; 0: none.
  int32_t draftDepth = kAutoDraftDepth;
};

/// Is told each token, the end token included, after its step.
class TokenListener {
public:
  virtual ~TokenListener() = default;
  /// False ends the generation.
  virtual bool onToken(int32_t token) = 0;
};

/// One continuation of one sequence. The caller owns it and what it points to.
class Generation {
public:
  /// Continues `sequence` with `prompt`, of which nothing is in the cache yet.
  Generation(Sequence &sequence, std::span<const int32_t> prompt,
             const GenerationOptions &options, TokenListener *listener)
      : sequence(&sequence), prompt(prompt), options(options),
        listener(listener) {}

  bool isRunning() const { return reason == FinishReason::Running; }
  FinishReason getFinishReason() const { return reason; }
  /// Why it failed.
  const Status &getStatus() const { return status; }
  uint64_t getNumGenerated() const { return generated; }
  bool isPromptDone() const { return fed == prompt.size(); }
  const SpeculationStatistics &getSpeculation() const { return speculation; }

private:
  friend class Scheduler;
  friend class SpeculativeDecoder;
  /// Hands out a token behind a sequence of `length` tokens, and ends the
  /// generation if that is the last.
  void take(Engine &engine, int32_t token, uint32_t length);

  Sequence *sequence;
  std::span<const int32_t> prompt;
  GenerationOptions options;
  TokenListener *listener;
  size_t fed = 0;         ///< Prompt tokens in the cache.
  int32_t nextToken = -1; ///< Generated and not fed yet.
  bool hasResult = false; ///< nextToken is of the current step.
  uint64_t generated = 0;
  SpeculationStatistics speculation;
  FinishReason reason = FinishReason::Running;
  Status status;
};

/// Not thread-safe. Allocates nothing in step().
class Scheduler {
public:
  /// Drafts with the drafter of the bundle.
  explicit Scheduler(Engine &engine);
  /// Drafts with `drafter`; null: never.
  Scheduler(Engine &engine, std::unique_ptr<Drafter> drafter);

  /// InvalidArgument for an empty prompt, ids out of the vocabulary, a prompt
  /// longer than what is left of the context, options out of range, or a
  /// sequence that is running already.
  Status add(Generation &generation);

  /// Ends a generation before its time. Does nothing if it has ended.
  void cancel(Generation &generation);

  bool isIdle() const { return running.empty(); }

  /// Runs one step for all generations. Fails if the step failed; then every
  /// generation that was in it has ended with the same status.
  Status step();

private:
  class Collector;
  void addEntry(Generation &generation, uint32_t &tokens, uint64_t &newPages);
  void addEntries();
  Generation *findSpeculating();
  Status runStep();
  void finishSteps();
  void removeFinished();

  Engine &engine;
  std::unique_ptr<SpeculativeDecoder> speculation; ///< Null: no drafter.
  /// The generation that drafts in this step.
  Generation *speculating = nullptr;
  std::vector<Generation *> running;
  std::vector<Generation *> inStep; ///< Parallel to entries.
  std::vector<StepEntry> entries;
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_SCHEDULER_H
