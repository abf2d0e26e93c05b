//===- Engine.h - Runs steps of a loaded model ------------------*- C++ -*-===//
//
// A step feeds tokens of any mix of sequences to the model as one flat ragged
// batch. The engine puts them into the step block, takes the smallest program
// that holds them (decode: 1 token, verify: a few, prefill followed by head:
// many) and hands out the tokens that the device chose, and the logits if
// asked. It allocates nothing in a step.
//
// Not thread-safe: one thread at a time drives an engine and its sequences.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ENGINE_ENGINE_H
#define QUERN_RUNTIME_ENGINE_ENGINE_H

#include "runtime/engine/DepthController.h"
#include "runtime/engine/LoadedModel.h"
#include "runtime/engine/PagePool.h"
#include "runtime/engine/SamplingParameters.h"
#include "runtime/engine/Sequence.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace quern {

/// For which of its tokens an entry wants a result.
enum class ResultRows : uint8_t { None, Last, All };

/// One sequence's share of a step. A sequence occurs once in a step.
struct StepEntry {
  Sequence *sequence = nullptr;
  std::span<const int32_t> tokens; ///< Not empty, ids in [0, vocab_size).
  ResultRows rows = ResultRows::Last;
  /// For the last row; the rows before it are greedy. Null: greedy.
  const SamplingParameters *sampling = nullptr;
  /// Samples all rows, each as if it were the last: a check of drafts. Only in
  /// a step of one sequence that a program without prefill takes.
  bool samplesAllRows = false;
};

/// What a draft program looks at: the hidden states of the last step, or for
/// DraftDecode of the last draft, and the tokens that follow.
struct DraftStep {
  bundle::ProgramKind kind = bundle::ProgramKind::DraftVerify;
  Sequence *sequence = nullptr;
  /// `followers[i]` comes after the token at `position + i`.
  std::span<const int32_t> followers;
  uint32_t position = 0;
  const SamplingParameters *sampling = nullptr; ///< Null: greedy.
};

/// Receives the results of a step, in the order of its rows.
class StepResults {
public:
  virtual ~StepResults() = default;
  /// `token` follows `entries[entry].tokens[index]`. `logits` has vocab_size
  /// values, or none unless setLogitsWanted; it is valid during the call.
  virtual void onResult(size_t entry, size_t index, int32_t token,
                        std::span<const float> logits) = 0;
};

struct EngineOptions {
  using Clock = std::chrono::steady_clock;
  /// A run that takes longer is given up and the engine with it.
  std::chrono::nanoseconds timeout = std::chrono::minutes(10);
  /// What generations are timed with, and so how deep `auto` drafts.
  std::function<Clock::time_point()> now = Clock::now;
};

struct EngineStatistics {
  uint64_t steps = 0;
  uint64_t tokens = 0;  ///< Fed to the model.
  uint64_t results = 0; ///< Rows computed.
  uint64_t submits = 0;
  uint64_t dispatches = 0;
  uint64_t pagesInUse = 0, peakPagesInUse = 0;
};

class Engine {
public:
  explicit Engine(std::unique_ptr<LoadedModel> model,
                  EngineOptions options = {});

  LoadedModel &getModel() { return *model; }
  const ModelGeometry &getGeometry() const { return model->getGeometry(); }
  const EngineStatistics &getStatistics() const { return statistics; }
  uint32_t getNumFreePages() const { return pages.getNumFree(); }
  /// The time by the clock of the options.
  EngineOptions::Clock::time_point now() const { return options.now(); }
  double secondsSince(EngineOptions::Clock::time_point begin) const {
    return std::chrono::duration<double>(now() - begin).count();
  }

  /// Takes a free slot. ResourceExhausted when all are in use.
  Result<std::unique_ptr<Sequence>> createSequence();

  /// Whether results come with logits: one more copy per row.
  Status setLogitsWanted(bool wanted);

  /// Pages that the sequence lacks for `count` more tokens.
  uint64_t countMissingPages(const Sequence &sequence, uint64_t count) const;

  /// Whether `count` more tokens fit `sequence` and the pages are there.
  /// InvalidArgument if its context is full, ResourceExhausted if the pages
  /// run out.
  Status checkRoom(const Sequence &sequence, uint64_t count) const;

  /// Runs one step of at most getGeometry().maxStepTokens tokens.
  /// InvalidArgument for tokens, entries or parameters out of range and
  /// ResourceExhausted without pages: nothing has happened then. After a
  /// failure of the device the sequences are as before the step; one whose
  /// recurrent states the step has folded is empty. DeviceLost and
  /// DeadlineExceeded are final: every later step repeats them.
  Status run(std::span<const StepEntry> entries, StepResults &results);

  /// Takes the pages for `count` more tokens of `sequence` ahead of the step
  /// that feeds them. False, and nothing happens, if they are not there.
  bool reserve(Sequence &sequence, uint64_t count);

  /// Runs a draft program. The token that it puts after the last follower, by
  /// the random number that belongs to it, or -1 if its logits are not numbers.
  /// The bundle has draft programs, the step before this one was of `sequence`
  /// alone, and the sequence has pages for all positions.
  Result<int32_t> runDraft(const DraftStep &step);

  /// What was measured about drafts; lives as long as the model does.
  DepthController &getDepthController() { return depthController; }

  /// The failure that ended this engine, or Ok.
  const Status &getFailure() const { return failure; }

private:
  friend class Sequence;
  void releaseSlot(uint32_t slot);
  void releasePage(uint32_t page) {
    pages.giveBack(page);
    statistics.pagesInUse = pages.getNumPages() - pages.getNumFree();
  }

  /// A row of the step whose result is wanted.
  struct Row {
    uint32_t entry;
    uint32_t index; ///< In the entry's tokens.
    uint32_t token; ///< In the flat step.
  };

  Status checkEntries(std::span<const StepEntry> entries) const;
  Status checkEntry(const StepEntry &entry) const;
  Status takePages(std::span<const StepEntry> entries);
  void takePages(Sequence &sequence, uint64_t count);
  const LoadedProgram *chooseProgram(uint32_t tokens) const;
  uint32_t writeTokens(std::span<const StepEntry> entries);
  void writeSequences(std::span<const StepEntry> entries, bool isPrefill);
  void finishFolding(std::span<const StepEntry> entries);
  void beginSampling(std::span<const StepEntry> entries);
  void writeSampling(uint32_t stepRow, const StepEntry &entry, uint32_t index);
  Status runSmall(const LoadedProgram &program,
                  std::span<const StepEntry> entries, uint32_t tokens,
                  StepResults &results);
  Status runLarge(const LoadedProgram &program,
                  std::span<const StepEntry> entries, uint32_t tokens,
                  StepResults &results);
  Status submit(const LoadedProgram &program, uint32_t tokens, uint32_t rows);
  Status deliver(const LoadedProgram &program, uint32_t stepRow, const Row &row,
                 StepResults &results);

  std::unique_ptr<LoadedModel> model;
  EngineOptions options;
  PagePool pages;
  std::vector<uint32_t> freeSlots;
  std::vector<Row> rows; ///< Of the step being run; reserved once.
  std::vector<SequenceRow> sequenceRows; ///< Likewise.
  std::vector<float> logits;             ///< One row; empty unless wanted.
  /// Tokens that count as seen for a row in front of the last, or for a draft.
  std::vector<uint32_t> rowSeen;
  DepthController depthController;
  EngineStatistics statistics;
  Status failure;
};

} // namespace quern

#endif // QUERN_RUNTIME_ENGINE_ENGINE_H
