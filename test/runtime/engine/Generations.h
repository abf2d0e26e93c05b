//===- Generations.h - What tests of generations share ----------*- C++ -*-===//
#ifndef QUERN_TEST_RUNTIME_ENGINE_GENERATIONS_H
#define QUERN_TEST_RUNTIME_ENGINE_GENERATIONS_H

#include "runtime/engine/Generate.h"
#include "runtime/engine/Scheduler.h"

#include <vector>

namespace quern::test {

/// Keeps the tokens of a generation and ends it after some.
struct TokenCollector final : TokenListener {
  std::vector<int32_t> tokens;
  size_t stopAfter = SIZE_MAX;
  bool onToken(int32_t token) override {
    tokens.push_back(token);
    return tokens.size() < stopAfter;
  }
};

/// Steps until no generation is left; fails the test if a step fails.
void runAll(Scheduler &scheduler);

/// generate() without text. Its tokens go to `ids`; fails the test if it fails.
GenerateResult generateIds(Engine &engine, Sequence &sequence,
                           const std::vector<int32_t> &prompt,
                           const GenerationOptions &options,
                           std::vector<int32_t> &ids);

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_ENGINE_GENERATIONS_H
