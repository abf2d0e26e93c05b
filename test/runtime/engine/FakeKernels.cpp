//===- FakeKernels.cpp - The kernels of the fake model --------------------===//

#include "runtime/reference/Reference.h"
#include "test/runtime/engine/FakeModel.h"

#include <gtest/gtest.h>

#include <algorithm>

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

std::unique_ptr<NullDevice>
quern::test::makeFakeDevice(const FakeModelOptions &options,
                            NullDeviceOptions deviceOptions) {
  auto device = std::make_unique<NullDevice>(std::move(deviceOptions));
  Kernels kernels{options};
  for (std::string name : {"decode", "verify", "prefill", "head"}) {
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
  }
  return device;
}
