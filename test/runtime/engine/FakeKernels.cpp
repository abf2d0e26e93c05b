//===- FakeKernels.cpp - The kernels of the fake model --------------------===//

#include "runtime/reference/Reference.h"
#include "test/runtime/engine/FakeModel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>

using namespace quern;
using namespace quern::test;

/// 24 bits, exact as a float.
static uint32_t mix(uint32_t hash, uint32_t token) {
  return ((hash ^ token) * 0x9E3779B1u >> 7) & 0xFFFFFF;
}

static float makeLogit(uint32_t hash, uint32_t v) {
  return float(mix(hash, (v + 1) * 0x85EBCA6Bu)) * 0x1p-21f - 4;
}

std::vector<float>
quern::test::computeFakeLogits(std::span<const int32_t> history,
                               uint32_t vocabSize) {
  uint32_t hash = kFakeSalt;
  for (int32_t token : history)
    hash = mix(hash, uint32_t(token));
  std::vector<float> logits(vocabSize);
  for (uint32_t v = 0; v != vocabSize; ++v)
    logits[v] = makeLogit(hash, v);
  return logits;
}

std::vector<int32_t> quern::test::continueGreedily(std::vector<int32_t> history,
                                                   size_t count,
                                                   uint32_t vocabSize) {
  std::vector<int32_t> result;
  for (size_t i = 0; i != count; ++i) {
    std::vector<float> logits = computeFakeLogits(history, vocabSize);
    int32_t token = int32_t(std::ranges::max_element(logits) - logits.begin());
    history.push_back(token);
    result.push_back(token);
  }
  return result;
}

std::vector<int32_t> quern::test::makePrompt(size_t count, uint32_t seed,
                                             uint32_t vocabSize) {
  std::vector<int32_t> prompt;
  uint32_t hash = seed;
  for (size_t i = 0; i != count; ++i) {
    hash = mix(hash, uint32_t(i) * 2654435761u + 17);
    prompt.push_back(int32_t(hash % vocabSize));
  }
  return prompt;
}

using Call = NullDevice::KernelCall;

/// The engine's side of the contract, checked in every call.
static void checkTokens(const Call &call) {
  EXPECT_EQ(call.grid[0], call.tokens) << call.label;
}

static std::atomic<uint64_t> numDraftGaps = 0;

uint64_t quern::test::countDraftGaps() { return numDraftGaps; }

namespace {

/// The kernels of a bundle made with `options`.
struct Kernels {
  FakeModelOptions options;

  /// The row of a slot's position in the cache.
  size_t findRow(std::span<const int32_t> table, int32_t slot,
                 int32_t position) const {
    uint32_t pageSize = options.pageSize;
    size_t pagesPerSlot = (options.contextLength + pageSize - 1) / pageSize;
    return size_t(table[slot * pagesPerSlot + position / pageSize]) * pageSize +
           position % pageSize;
  }

  /// token_ids, positions, slots, page_table, cache (written).
  void append(const Call &call) const {
    checkTokens(call);
    auto ids = call.get<int32_t>(0), positions = call.get<int32_t>(1),
         slots = call.get<int32_t>(2), table = call.get<int32_t>(3);
    auto cache = call.get<float>(4);
    for (uint32_t t = 0; t != call.tokens; ++t) {
      size_t row = findRow(table, slots[t], positions[t]) * kFakeHiddenSize;
      ASSERT_LT(row, cache.size());
      cache[row] = float(ids[t]);
    }
  }

  /// positions, slots, page_table, cache, weights, hidden (written).
  void attend(const Call &call) const {
    checkTokens(call);
    auto positions = call.get<int32_t>(0), slots = call.get<int32_t>(1),
         table = call.get<int32_t>(2);
    auto cache = call.get<float>(3), weights = call.get<float>(4),
         hidden = call.get<float>(5);
    for (uint32_t t = 0; t != call.tokens; ++t) {
      uint32_t hash = uint32_t(weights[0]);
      for (int32_t p = 0; p <= positions[t]; ++p)
        hash =
            mix(hash,
                uint32_t(cache[findRow(table, slots[t], p) * kFakeHiddenSize]));
      hidden[size_t(t) * kFakeHiddenSize] = float(hash);
    }
  }

  /// token_ids, sequences, page_table, cache, recurrent, convolution, keys,
  /// hidden (the last four written). The state is the hash of the folded
  /// tokens, the rings hold tokens.
  void recur(const Call &call) const {
    auto ids = call.get<int32_t>(0), sequences = call.get<int32_t>(1),
         table = call.get<int32_t>(2);
    auto cache = call.get<float>(3), recurrent = call.get<float>(4),
         convolution = call.get<float>(5), keys = call.get<float>(6),
         hidden = call.get<float>(7);
    uint32_t tokens = 0;
    for (size_t row = 0; row != sequences.size() / 8; ++row) {
      auto [slot, first, n, p0, b, update] =
          *reinterpret_cast<const std::array<int32_t, 6> *>(
              &sequences[row * 8]);
      if (n == 0)
        continue;
      tokens += uint32_t(n);
      ASSERT_LE(b, p0);
      ASSERT_TRUE(update == 2 || update == 1 ||
                  p0 + n - b <= int32_t(options.ring))
          << "no room in the ring: " << p0 << " + " << n << " - " << b;
      ASSERT_LE(p0 - b, int32_t(options.ring));
      auto key = [&](int32_t p) -> float & {
        return keys[size_t(slot) * options.ring + p % options.ring];
      };
      // The last three tokens, as a convolution of width 4 sees them.
      auto seen = [&](int32_t p) -> float & {
        uint32_t ring = options.convolutionRing;
        return convolution[(size_t(slot) * ring + p % ring) * 3];
      };
      for (int32_t p = std::max(p0 - 3, 0); p < p0; ++p)
        EXPECT_EQ(seen(p), cache[findRow(table, slot, p) * kFakeHiddenSize])
            << "position " << p << " of " << p0;
      uint32_t hash = b == 0 ? kFakeSalt : uint32_t(recurrent[slot]);
      for (int32_t p = b; p != p0; ++p)
        hash = mix(hash, uint32_t(key(p)));
      if (update == 1)
        recurrent[slot] = float(hash);
      for (int32_t i = 0; i != n; ++i) {
        hash = mix(hash, uint32_t(ids[first + i]));
        seen(p0 + i) = float(ids[first + i]);
        if (update != 2)
          key(p0 + i) = float(ids[first + i]);
        float &found = hidden[size_t(first + i) * kFakeHiddenSize];
        EXPECT_EQ(found, float(hash)) << "position " << p0 + i;
        found = float(hash);
      }
      if (update == 2)
        recurrent[slot] = float(hash);
    }
    EXPECT_EQ(tokens, call.tokens);
  }

  /// token_ids, positions, slots, page_table, cache, draft cache (written).
  void draft(const Call &call) const {
    checkTokens(call);
    auto ids = call.get<int32_t>(0), positions = call.get<int32_t>(1),
         slots = call.get<int32_t>(2), table = call.get<int32_t>(3);
    auto cache = call.get<float>(4), draftCache = call.get<float>(5);
    auto row = [&](uint32_t t, int32_t p) {
      return findRow(table, slots[t], p) * kFakeHiddenSize;
    };
    for (uint32_t t = 0; t != call.tokens; ++t)
      draftCache[row(t, positions[t])] = float(ids[t]);
    bool isChained = call.kernel == "draft_draft_decode";
    for (uint32_t t = 0; t != call.tokens && !isChained; ++t)
      for (int32_t p = 0; p < positions[t]; ++p)
        numDraftGaps += draftCache[row(t, p)] != cache[row(t, p + 1)];
  }

  /// The logits that follow `hash`, or wrong ones.
  void writeDraft(std::span<float> logits, uint32_t hash) const {
    writeLogits(logits, 0, float(hash));
    if (mix(hash, 0x5bd1e995) % 100 >= options.draftAccuracy)
      std::ranges::rotate(logits.first(options.vocabSize),
                          logits.begin() + 1 + hash % (options.vocabSize - 1));
  }

  /// hidden or draft_hidden, token_ids, rows, draft_hidden, logits (both
  /// written).
  void propose(const Call &call) const {
    ASSERT_EQ(call.rows, 1u);
    int32_t token = call.get<int32_t>(2)[0];
    ASSERT_GE(token, 0);
    ASSERT_LT(uint32_t(token), call.tokens);
    uint32_t hash =
        mix(uint32_t(call.get<float>(0)[size_t(token) * kFakeHiddenSize]),
            uint32_t(call.get<int32_t>(1)[token]));
    call.get<float>(3)[0] = float(hash);
    writeDraft(call.get<float>(4), hash);
  }

  void writeLogits(std::span<float> logits, uint32_t row, float hash) const {
    for (uint32_t v = 0; v != options.vocabSize; ++v)
      logits[size_t(row) * options.vocabSize + v] =
          makeLogit(uint32_t(hash), v);
  }

  /// hidden, logits (written).
  void project(const Call &call) const {
    checkTokens(call);
    auto hidden = call.get<float>(0), logits = call.get<float>(1);
    for (uint32_t t = 0; t != call.tokens; ++t)
      writeLogits(logits, t, hidden[size_t(t) * kFakeHiddenSize]);
  }

  /// hidden, rows, logits (written).
  void select(const Call &call) const {
    auto hidden = call.get<float>(0), logits = call.get<float>(2);
    auto rows = call.get<int32_t>(1);
    for (uint32_t r = 0; r != call.rows; ++r)
      writeLogits(logits, r, hidden[size_t(rows[r]) * kFakeHiddenSize]);
  }

  /// logits, sampling, seen, tokens (written).
  void sample(const Call &call) const {
    EXPECT_EQ(call.grid[0], call.rows);
    reference::sample(call.get<float>(0), options.vocabSize, call.get<float>(1),
                      call.get<int32_t>(2),
                      call.get<int32_t>(3).first(call.rows));
  }
};

} // namespace

NullDevice::KernelFunction
quern::test::makeFakeSampler(const FakeModelOptions &options) {
  return
      [kernels = Kernels{options}](const Call &call) { kernels.sample(call); };
}

std::unique_ptr<NullDevice>
quern::test::makeFakeDevice(const FakeModelOptions &options,
                            NullDeviceOptions deviceOptions) {
  auto device = std::make_unique<NullDevice>(std::move(deviceOptions));
  Kernels kernels{options};
  for (std::string name : {"decode", "verify", "prefill", "head",
                           "draft_prefill", "draft_verify", "draft_decode"}) {
    auto set = [&](const char *kernel,
                   void (Kernels::*function)(const Call &) const) {
      device->setKernelFunction(
          std::string(kernel) + "_" + name,
          [=](const Call &call) { (kernels.*function)(call); });
    };
    set("append", &Kernels::append);
    set("attend", &Kernels::attend);
    set("project", &Kernels::project);
    set("select", &Kernels::select);
    set("sample", &Kernels::sample);
    set("recur", &Kernels::recur);
    set("draft", &Kernels::draft);
    set("propose", &Kernels::propose);
    set("chain", &Kernels::propose);
  }
  return device;
}
