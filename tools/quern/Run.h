//===- Run.h - quern run and quern chat -------------------------*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_RUN_H
#define QUERN_TOOLS_QUERN_RUN_H

#include "tools/quern/OpenModel.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quern::tool {

struct RunOptions {
  OpenOptions open;
  SamplingOptions sampling;
  std::optional<std::string> prompt;
  std::vector<int32_t> promptIds;
  std::string system;
  bool raw = false;
  std::optional<bool> think;
  int64_t maxTokens = -1; ///< -1: until the context is full.
  bool ignoreEos = false;
  uint32_t chunk = 0;
  int32_t draftDepth = kAutoDraftDepth;
  std::string dumpLogits;
  bool json = false;
  bool quiet = false; ///< No statistics.
};

Status run(const RunOptions &options);

/// "; drafts 40 of 52 right (by depth 0.86, 0.58), 1.94 drafts and 2.10 tokens
/// per check", or nothing if none were checked.
std::string describeDrafts(const SpeculationStatistics &drafts);

/// Reads turns from stdin until its end.
Status chat(const RunOptions &options);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_RUN_H
