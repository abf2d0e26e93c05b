//===- ProgressBar.cpp - One line of progress on a terminal ---------------===//
#include "tools/quern/ProgressBar.h"

#include <cmath>
#include <cstdio>
#include <unistd.h>

using namespace quern;
using std::chrono::duration;
using std::chrono::steady_clock;

static constexpr int kBarWidth = 30;
static constexpr double kRedrawSeconds = 0.05;

ProgressBar::ProgressBar(bool quiet)
    : quiet(quiet), isTerminal(isatty(STDERR_FILENO)) {}

ProgressBar::~ProgressBar() { abandon(); }

void ProgressBar::beginPhase(std::string name) {
  finish();
  phase = std::move(name);
  phaseStart = lastDraw = steady_clock::now();
  if (!quiet && isTerminal)
    draw(0);
}

void ProgressBar::update(uint64_t done, uint64_t total) {
  if (quiet || !isTerminal || total == 0)
    return;
  auto now = steady_clock::now();
  if (done < total && duration<double>(now - lastDraw).count() < kRedrawSeconds)
    return;
  lastDraw = now;
  draw(static_cast<double>(done) / static_cast<double>(total));
}

void ProgressBar::draw(double fraction) {
  int filled = static_cast<int>(std::lround(fraction * kBarWidth));
  std::fprintf(stderr, "\r%-18s [%s%s] %3d%%", phase.c_str(),
               std::string(filled, '#').c_str(),
               std::string(kBarWidth - filled, '.').c_str(),
               static_cast<int>(std::lround(fraction * 100)));
}

void ProgressBar::finish() {
  if (phase.empty())
    return;
  double seconds = duration<double>(steady_clock::now() - phaseStart).count();
  if (!quiet && isTerminal)
    std::fprintf(stderr, "\r\033[K");
  if (!quiet)
    std::fprintf(stderr, "%-18s %6.2f s\n", phase.c_str(), seconds);
  phase.clear();
}

void ProgressBar::abandon() {
  if (!phase.empty() && !quiet && isTerminal)
    std::fprintf(stderr, "\r\033[K");
  phase.clear();
}
