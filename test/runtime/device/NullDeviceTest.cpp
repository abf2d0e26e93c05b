//===- NullDeviceTest.cpp - The faults that the null device injects -------===//

#include "Conformance.h"
#include "TestKernels.h"

using namespace quern;
using namespace quern::test;

/// Allocates, imports, records and runs; the first failure, or Ok.
static Status runScenario(NullDevice &device, const void *page) {
  QUERN_ASSIGN_OR_RETURN(auto arena,
                         device.allocate(4096, MemoryKind::DeviceLocal));
  QUERN_ASSIGN_OR_RETURN(auto step,
                         device.allocate(256, MemoryKind::HostVisible));
  QUERN_ASSIGN_OR_RETURN(auto weights, device.importHostMemory(page, 4096));
  QUERN_ASSIGN_OR_RETURN(auto kernel,
                         device.createKernel(getTestKernel("copy_words")));
  QUERN_ASSIGN_OR_RETURN(
      auto program,
      device.record({"scenario",
                     {{kernel,
                       {wholeWords(weights, 64), wholeWords(arena, 64)},
                       {{1, 1, 1}}},
                      {kernel,
                       {wholeWords(arena, 64), wholeWords(step, 64)},
                       {{1, 1, 1}},
                       /*barrierBefore=*/true,
                       "out"}}}));
  QUERN_RETURN_IF_ERROR(device.submit(program, 1, 1));
  QUERN_RETURN_IF_ERROR(device.wait(1));
  return Status::ok();
}

namespace {
class NullDeviceTest : public testing::Test {
protected:
  MappedTestFile file{4096, {{0, makeWords(64, 3)}}};
};
} // namespace

TEST_F(NullDeviceTest, FailsEachAllocationOnce) {
  uint64_t failures = 0;
  for (uint64_t n = 1;; ++n) {
    NullDevice device({.failAllocation = n});
    setTestKernelFunctions(device);
    Status status = runScenario(device, file.getData());
    if (status.isOk())
      break;
    ++failures;
    EXPECT_CODE(status, StatusCode::ResourceExhausted);
    // The failure does no harm: the same device works afterwards.
    ASSERT_OK(runScenario(device, file.getData()));
  }
  EXPECT_EQ(failures, 5u); // Two buffers, import, kernel, program.
}

TEST_F(NullDeviceTest, CountsItsCapacity) {
  NullDevice device({.capacityBytes = 1000});
  auto local = MemoryKind::DeviceLocal;
  Result<BufferHandle> first = device.allocate(600, local);
  ASSERT_TRUE(first.isOk());
  Status status = device.allocate(401, local).getStatus();
  EXPECT_CODE(status, StatusCode::ResourceExhausted);
  EXPECT_NE(status.getMessage().find("401"), std::string::npos);
  EXPECT_NE(status.getMessage().find("400"), std::string::npos);
  ASSERT_TRUE(device.allocate(400, local).isOk());
  EXPECT_EQ(device.getAllocatedBytes(), 1000u);
  device.free(*first);
  EXPECT_EQ(device.getAllocatedBytes(), 400u);
  EXPECT_EQ(device.getNumLiveBuffers(), 1u);
  EXPECT_TRUE(device.allocate(600, local).isOk());
}

TEST_F(NullDeviceTest, StaysLost) {
  for (const NullDeviceOptions &options :
       {NullDeviceOptions{.loseAtSubmit = 2},
        NullDeviceOptions{.loseAtWait = 2}}) {
    NullDevice device(options);
    auto lost = StatusCode::DeviceLost;
    Result<BufferHandle> buffer = device.allocate(64, MemoryKind::DeviceLocal);
    ASSERT_TRUE(buffer.isOk());
    Result<ProgramHandle> program = device.record({"empty", {}});
    ASSERT_TRUE(program.isOk());
    ASSERT_OK(device.submit(*program, 1, 1));
    ASSERT_OK(device.wait(1));
    Status status = device.submit(*program, 1, 1);
    if (status.isOk())
      status = device.wait(1);
    EXPECT_CODE(status, lost);
    std::vector<std::byte> bytes(4);
    EXPECT_CODE(device.submit(*program, 1, 1), lost);
    EXPECT_CODE(device.wait(1), lost);
    EXPECT_CODE(device.upload(*buffer, 0, bytes), lost);
    EXPECT_CODE(device.download(*buffer, 0, bytes), lost);
    EXPECT_CODE(device.allocate(4, MemoryKind::DeviceLocal).getStatus(), lost);
    EXPECT_CODE(device.record({"empty", {}}).getStatus(), lost);
    EXPECT_CODE(device.profile(*program, 1, 1).getStatus(), lost);
    device.free(*buffer);
    EXPECT_EQ(device.getNumLiveBuffers(), 0u);
  }
}

TEST_F(NullDeviceTest, NeverSignals) {
  NullDevice device({.hangAtSubmit = 1});
  Result<ProgramHandle> program = device.record({"empty", {}});
  ASSERT_TRUE(program.isOk());
  ASSERT_OK(device.submit(*program, 1, 1));
  EXPECT_CODE(device.wait(1000), StatusCode::DeadlineExceeded);
  EXPECT_CODE(device.wait(UINT64_MAX), StatusCode::DeadlineExceeded);
  EXPECT_CODE(device.submit(*program, 1, 1), StatusCode::InvalidArgument);
}

TEST_F(NullDeviceTest, RefusesImportsWhenAsked) {
  NullDevice device({.supportsImport = false});
  EXPECT_CODE(device.importHostMemory(file.getData(), 4096).getStatus(),
              StatusCode::Unsupported);
}

TEST_F(NullDeviceTest, ShowsMissingBarriers) {
  for (bool barrier : {false, true}) {
    NullDevice device({.reverseBetweenBarriers = true});
    setTestKernelFunctions(device);
    BufferHandle buffers[3];
    for (BufferHandle &buffer : buffers)
      buffer = *device.allocate(256, MemoryKind::DeviceLocal);
    *device.getMemory(buffers[0]) = std::byte(5);
    KernelHandle copy = *device.createKernel(getTestKernel("copy_words"));
    ProgramHandle program = *device.record(
        {"chain",
         {{copy,
           {wholeWords(buffers[0], 64), wholeWords(buffers[1], 64)},
           {{1, 1, 1}}},
          {copy,
           {wholeWords(buffers[1], 64), wholeWords(buffers[2], 64)},
           {{1, 1, 1}},
           barrier,
           "second"}}});
    ASSERT_OK(device.submit(program, 1, 1));
    EXPECT_EQ(*device.getMemory(buffers[1]), std::byte(0)); // Not run yet.
    ASSERT_OK(device.wait(1));
    EXPECT_EQ(*device.getMemory(buffers[2]), std::byte(barrier ? 5 : 0));
    EXPECT_EQ(device.getNumDispatches(), 2u);
    EXPECT_EQ(device.getNumSubmits(), 1u);
  }
}
