//===- ProgressBar.h - One line of progress on a terminal -------*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_PROGRESSBAR_H
#define QUERN_TOOLS_QUERN_PROGRESSBAR_H

#include <chrono>
#include <cstdint>
#include <string>

namespace quern {

/// Shows phase and fraction on stderr: redrawn in place on a terminal, one line
/// for each phase elsewhere, nothing when quiet. Not thread-safe.
class ProgressBar {
public:
  explicit ProgressBar(bool quiet);
  ~ProgressBar();

  /// Begins a phase, which ends the one before.
  void beginPhase(std::string name);
  /// `done` of `total` units of the phase; cheap to call often.
  void update(uint64_t done, uint64_t total);
  /// Ends the last phase and leaves a clean line.
  void finish();
  /// The same for a phase that failed: nothing is reported.
  void abandon();

private:
  void draw(double fraction);

  bool quiet;
  bool isTerminal;
  std::string phase;
  std::chrono::steady_clock::time_point phaseStart, lastDraw;
};

} // namespace quern

#endif // QUERN_TOOLS_QUERN_PROGRESSBAR_H
