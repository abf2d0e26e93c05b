//===- FakeModel.h - A model whose logits are known -------------*- C++ -*-===//
//
// A bundle for the null device. Its kernels go through the real interfaces
// (step block, page table, cache, states, arena, weights), but the logits of a
// token are a hash of all tokens up to it in its sequence: any slip in
// positions, pages, slots, rows or history gives other logits. A hybrid finds
// the hash a second time, from recurrent states.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_RUNTIME_ENGINE_FAKEMODEL_H
#define QUERN_TEST_RUNTIME_ENGINE_FAKEMODEL_H

#include "runtime/device/null/NullDevice.h"
#include "runtime/engine/Engine.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quern::test {

struct FakeModelOptions {
  uint32_t vocabSize = 97;
  uint32_t contextLength = 64;
  uint32_t numSlots = 4;
  uint32_t pageSize = 4;
  uint32_t numPages = 64;
  uint32_t verifyTokens = 4;   ///< 0: no verify program.
  uint32_t prefillTokens = 16; ///< 0: no prefill and head programs.
  uint32_t headRows = 4;
  uint32_t numWeights = 1; ///< Of 256 bytes each; the last one is read.
  std::vector<int32_t> endTokens;
  std::string api = "null";
  std::vector<std::string> requiredFeatures = {"storage16"};
  uint32_t subgroupSize = 0;
  bool hasTokenizer = false; ///< Needs a vocab_size of 512.
  bool isHybrid = false;     ///< Has recurrent states as well.
  uint32_t ring = 8;         ///< Of the recurrent states.
  uint32_t convolutionRing = 8;
  bool hasDrafts = false; ///< Has draft programs.
  /// Drafts that are right, in percent; a hash of what they follow decides.
  uint32_t draftAccuracy = 100;
};

/// Mixed into every hash; read by a kernel from the weights.
inline constexpr uint32_t kFakeSalt = 12345;
inline constexpr uint32_t kFakeHiddenSize = 8;

/// Writes the bundle to `path`.
void writeFakeBundle(const FakeModelOptions &options, const std::string &path);

/// The logits after `history`.
std::vector<float> computeFakeLogits(std::span<const int32_t> history,
                                     uint32_t vocabSize);

/// `count` tokens that greedy decoding appends to `history`.
std::vector<int32_t> continueGreedily(std::vector<int32_t> history,
                                      size_t count, uint32_t vocabSize);

/// How often a kernel of a draft program found other tokens in the cache of the
/// draft layer than those that follow in the sequence.
uint64_t countDraftGaps();

/// A null device that runs the kernels of a fake bundle.
std::unique_ptr<NullDevice> makeFakeDevice(const FakeModelOptions &options = {},
                                           NullDeviceOptions device = {});

/// What its sample kernels do, for tests that put something else in between.
NullDevice::KernelFunction makeFakeSampler(const FakeModelOptions &options);

/// A path in the test's temporary folder, distinct for every call.
std::string makeTemporaryPath(const std::string &suffix);

/// Writes and opens a bundle; fails the test if that fails.
std::shared_ptr<const Bundle> openFakeBundle(const FakeModelOptions &options);

/// Bundle, device and engine in one; fails the test if that fails.
std::unique_ptr<Engine> makeFakeEngine(const FakeModelOptions &options = {},
                                       NullDeviceOptions device = {},
                                       EngineOptions engine = {});

/// Tokens 1, 2, 3, ... hashed into the vocabulary.
std::vector<int32_t> makePrompt(size_t count, uint32_t seed = 1,
                                uint32_t vocabSize = 97);

} // namespace quern::test

#endif // QUERN_TEST_RUNTIME_ENGINE_FAKEMODEL_H
