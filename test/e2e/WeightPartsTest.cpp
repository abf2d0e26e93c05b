//===- WeightPartsTest.cpp - Weights copied into several buffers ----------===//
//
// What a GPU with memory of its own does: nothing is imported, and one buffer
// is smaller than the weights.
//
//===----------------------------------------------------------------------===//
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"
#include "test/support/ForwardingDevice.h"
#include "test/support/Golden.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::test;

namespace {

/// Forwards to another device, imports nothing and allows small buffers.
class CopyingDevice final : public ForwardingDevice<> {
public:
  CopyingDevice(std::unique_ptr<Device> inner, uint64_t maxAllocation)
      : ForwardingDevice(std::move(inner)), info(ForwardingDevice::getInfo()) {
    info.sharesHostMemory = false;
    info.limits.maxAllocationBytes = maxAllocation;
  }
  const DeviceInfo &getInfo() const override { return info; }
  Result<BufferHandle> allocate(uint64_t size, MemoryKind kind) override {
    if (size > info.limits.maxAllocationBytes)
      return resourceExhausted("above maxAllocationBytes");
    ++allocations;
    return ForwardingDevice::allocate(size, kind);
  }
  Result<BufferHandle> importHostMemory(const void *, uint64_t) override {
    return unsupported("this device imports nothing");
  }

  static inline int allocations = 0;

private:
  DeviceInfo info;
};

} // namespace

TEST(WeightPartsTest, CopiedPartsGiveTheSameLogits) {
  QUERN_REQUIRE_VULKAN();
  std::string model = "qwen3-dense-untied-f32-sharded";
  auto path = compileForTest(testOptions(std::string(QUERN_SOURCE_DIR) +
                                         "/test/data/checkpoints/" + model));
  ASSERT_TRUE(path.isOk()) << path.getStatus().getMessage();
  auto bundle = Bundle::open(*path);
  ASSERT_TRUE(bundle.isOk());
  uint64_t weightBytes = bundle->getWeights().size();
  auto vulkan = openDevice({});
  ASSERT_TRUE(vulkan.isOk());
  uint64_t limit =
      std::max<uint64_t>(bundle->getTarget(0).arena_size(), weightBytes / 3);
  ASSERT_LT(limit, weightBytes) << "the model is too small for this test";
  auto loaded = LoadedModel::load(
      std::make_shared<const Bundle>(std::move(*bundle)),
      std::make_unique<CopyingDevice>(std::move(*vulkan), limit));
  ASSERT_TRUE(loaded.isOk()) << loaded.getStatus().getMessage();
  EXPECT_TRUE((*loaded)->areWeightsCopied());
  int states = 0;
  for ([[maybe_unused]] const auto *state :
       *(*loaded)->getBundle().getManifest().states())
    ++states;
  EXPECT_GE(CopyingDevice::allocations, states + 2 + 2);
  Engine engine(std::move(*loaded));
  Golden golden(model);
  auto rows = promptLogits(engine, golden.integers("t41.input_ids"));
  ASSERT_TRUE(rows.isOk()) << rows.getStatus().getMessage();
  std::vector<float> expected = golden.floats("t41.logits");
  size_t vocab = engine.getGeometry().vocabSize;
  for (size_t t = 0; t < rows->size(); ++t)
    EXPECT_LE(maxAbsDifference((*rows)[t].data(), &expected[t * vocab], vocab),
              1e-3);
}
