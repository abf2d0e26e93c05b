//===- EndToEnd.h - Compile, load and run in one process --------*- C++ -*-===//
#ifndef QUERN_TEST_E2E_ENDTOEND_H
#define QUERN_TEST_E2E_ENDTOEND_H

#include "runtime/engine/Engine.h"
#include "test/support/Golden.h"
#include "tools/compile/CompileOptions.h"

#include <memory>
#include <string>
#include <vector>

namespace quern::test {

/// Options for a folder of test/data, with limits that fit the tiny models.
CompileOptions testOptions(const std::string &checkpoint,
                           const std::string &compute = "f32");

/// Compiles into the build folder; returns the bundle's path. A bundle is made
/// once per process and options.
Result<std::string> compileForTest(CompileOptions options);

/// What test suites of whole models run on: the best Vulkan device and the CPU.
inline constexpr const char *testTargets[] = {"vulkan", "cpu"};

/// QUERN_TEST_ALL=1: on the test driver for CUDA, which interprets code, every
/// model and item. Takes an hour; without it a part stands for the whole.
bool testsEverything();

/// CUDA runs on the test driver, or with QUERN_TEST_REAL_GPU=1
/// (tools/gpu-check.sh) on the GPU of this machine.
bool usesTestDriver();

/// Opens the best device of the bundle's target, with validation layers, and
/// loads the bundle.
Result<std::unique_ptr<Engine>> loadForTest(const std::string &bundle);

/// Skips the test with a reason if the machine has no Vulkan device.
#define QUERN_REQUIRE_VULKAN()                                                 \
  if (quern::listDevices().devices.empty())                                    \
  GTEST_SKIP() << "no Vulkan device on this machine"

/// The logits of every position of `tokens`, fed in steps of `chunk` tokens.
/// Checks that the validation layers had nothing to say.
Result<std::vector<std::vector<float>>>
promptLogits(Engine &engine, const std::vector<int32_t> &tokens,
             size_t chunk = SIZE_MAX);

/// The same for up to four prompts at once, each in a sequence of its own. They
/// have uneven shares of the steps, so that steps mix prompts that begin, go on
/// and end.
Result<std::vector<std::vector<std::vector<float>>>>
raggedLogits(Engine &engine, const std::vector<std::vector<int32_t>> &prompts);

/// The relative root-mean-square error of the logits of these prompts.
Result<double> relativeError(Engine &engine, const Golden &golden,
                             std::initializer_list<std::string> prompts);

struct GreedyResult {
  std::vector<int32_t> ids;
  std::vector<std::vector<float>> logits; ///< Row s is what ids[s] came from.
};

/// `count` greedy tokens after the prompt, not stopping at any token.
Result<GreedyResult> greedyContinuation(Engine &engine,
                                        const std::vector<int32_t> &prompt,
                                        size_t count);

/// Largest absolute difference; infinity if a value is not finite.
double maxAbsDifference(const float *a, const float *b, size_t count);

} // namespace quern::test

#endif // QUERN_TEST_E2E_ENDTOEND_H
