//===- FaultTest.cpp - Devices and memory that fail -----------------------===//

#include "runtime/engine/Scheduler.h"
#include "test/runtime/engine/CountAllocations.h"
#include "test/runtime/engine/FakeModel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

using namespace quern;
using namespace quern::test;
using testing::HasSubstr;

/// Two generations on an engine whose device fails; both must end with `code`
/// and every later step must repeat it.
static void expectFinalFailure(NullDeviceOptions device, StatusCode code) {
  std::unique_ptr<Engine> engine = makeFakeEngine({}, std::move(device));
  Scheduler scheduler(*engine);
  std::vector<int32_t> prompt = makePrompt(5);
  std::unique_ptr<Sequence> first = std::move(*engine->createSequence()),
                            second = std::move(*engine->createSequence());
  Generation one(*first, prompt, {}, nullptr),
      two(*second, prompt, {}, nullptr);
  ASSERT_TRUE(scheduler.add(one).isOk());
  ASSERT_TRUE(scheduler.add(two).isOk());
  Status status;
  for (int step = 0; status.isOk() && step != 10; ++step)
    status = scheduler.step();
  EXPECT_EQ(status.getCode(), code);
  EXPECT_THAT(status.getMessage(), HasSubstr("step "));
  EXPECT_TRUE(scheduler.isIdle());
  for (Generation *generation : {&one, &two}) {
    EXPECT_EQ(generation->getFinishReason(), FinishReason::Failed);
    EXPECT_EQ(generation->getStatus().getCode(), code);
  }
  EXPECT_EQ(engine->getFailure().getCode(), code);
  Generation later(*first, prompt, {}, nullptr);
  ASSERT_TRUE(scheduler.add(later).isOk());
  EXPECT_EQ(scheduler.step().getCode(), code);
} // Shutting down works.

// F10, at a submit and at a wait, in prefill, head and decode.
TEST(Fault, DeviceLost) {
  for (uint64_t n : {1, 2, 3, 5}) {
    NullDeviceOptions atSubmit, atWait;
    atSubmit.loseAtSubmit = n;
    expectFinalFailure(atSubmit, StatusCode::DeviceLost);
    atWait.loseAtWait = n;
    expectFinalFailure(atWait, StatusCode::DeviceLost);
  }
}

// F11.
TEST(Fault, DeviceHangs) {
  for (uint64_t n : {1, 2, 3}) {
    NullDeviceOptions device;
    device.hangAtSubmit = n;
    expectFinalFailure(device, StatusCode::DeadlineExceeded);
  }
}

// Group 63: the device's sampler found no number; the sequence is as before
// and goes on afterwards.
TEST(Fault, LogitsThatAreNotNumbers) {
  FakeModelOptions options;
  std::unique_ptr<NullDevice> device = makeFakeDevice(options);
  NullDevice *raw = device.get();
  Result<std::unique_ptr<LoadedModel>> model =
      LoadedModel::load(openFakeBundle(options), std::move(device));
  ASSERT_TRUE(model.isOk());
  Engine engine(std::move(*model));
  raw->setKernelFunction("sample_verify",
                         [](const NullDevice::KernelCall &) {});
  struct : StepResults {
    size_t count = 0;
    void onResult(size_t, size_t, int32_t, std::span<const float>) override {
      ++count;
    }
  } results;
  std::vector<int32_t> prompt = makePrompt(3);
  std::unique_ptr<Sequence> sequence = std::move(*engine.createSequence());
  StepEntry entry{sequence.get(), prompt, ResultRows::Last, nullptr};
  for (int32_t token : {-1, 97, INT32_MIN}) {
    if (token != -1) // At first the kernel writes nothing.
      raw->setKernelFunction("sample_verify",
                             [=](const NullDevice::KernelCall &call) {
                               call.get<int32_t>(3)[2] = token;
                             });
    Status status = engine.run({&entry, 1}, results);
    EXPECT_EQ(status.getCode(), StatusCode::DeviceError);
    EXPECT_THAT(status.getMessage(),
                HasSubstr("program verify, row 2: the device chose token " +
                          std::to_string(token)));
    EXPECT_EQ(sequence->getLength(), 0u);
  }
  EXPECT_EQ(results.count, 0u);
  EXPECT_TRUE(engine.getFailure().isOk());
  entry.tokens = entry.tokens.first(1);
  EXPECT_TRUE(engine.run({&entry, 1}, results).isOk());
}

// F8: the n-th allocation of the host fails; nothing leaks (AddressSanitizer)
// and what was there before still works.
TEST(Fault, EveryHostAllocationFails) {
  FakeModelOptions options;
  std::shared_ptr<const Bundle> bundle = openFakeBundle(options);
  uint64_t n = 1;
  for (bool done = false; !done; ++n) {
    ASSERT_LT(n, 100000u);
    auto device = std::make_unique<UncountedDevice>(makeFakeDevice(options));
    bool failed = false;
    failAllocation(n);
    try {
      Result<std::unique_ptr<LoadedModel>> model =
          LoadedModel::load(bundle, std::move(device));
      if (model.isOk()) {
        Engine engine(std::move(*model));
        Scheduler scheduler(engine);
        Result<std::unique_ptr<Sequence>> sequence = engine.createSequence();
        done = sequence.isOk();
      }
    } catch (const std::bad_alloc &) {
      failed = true; // The C API turns it into a status.
    }
    failAllocation(0);
    EXPECT_TRUE(done || failed) << n;
  }
  EXPECT_GT(n, 20u);
}
