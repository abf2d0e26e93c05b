//===- CudaDeviceTest.cpp - What the CUDA device asks of the driver -------===//
//
// On the test driver (test/cuda/driver), which counts.
//
//===----------------------------------------------------------------------===//

#include "Conformance.h"
#include "TestKernels.h"

#include "runtime/device/DeviceRegistry.h"
#include "runtime/device/cuda/PtxHeader.h"
#include "test/cuda/driver/TestDriver.h"

#include <cstdlib>

using namespace quern;
using namespace quern::test;

namespace {
class CudaDeviceTest : public testing::Test {
protected:
  void SetUp() override {
    ::setenv("QUERN_CUDA_LIBRARY", QUERN_TEST_CUDA_LIBRARY, 1);
    quernTestCudaReset();
    Result<std::unique_ptr<Device>> opened = openDevice({.api = "cuda"});
    ASSERT_TRUE(opened.isOk()) << opened.getStatus().getMessage();
    device = std::move(*opened);
  }
  void TearDown() override {
    device.reset();
    EXPECT_EQ(count().leakedObjects, 0u);
    quernTestCudaReset();
  }

  static QuernTestCudaCounters count() {
    QuernTestCudaCounters counters;
    quernTestCudaGetCounters(&counters);
    return counters;
  }
  KernelHandle makeKernel(const char *name) {
    return *device->createKernel(getTestKernel(name, "cuda"));
  }

  std::unique_ptr<Device> device;
};
} // namespace

TEST_F(CudaDeviceTest, DescribesItself) {
  const DeviceInfo &info = device->getInfo();
  EXPECT_EQ(info.api, "cuda");
  EXPECT_EQ(info.apiVersion, "13.0");
  EXPECT_EQ(info.name, "Quern test driver (sm_80)");
  EXPECT_TRUE(info.hasFeature("sm_80"));
  EXPECT_TRUE(info.hasFeature("sm_80a"));
  EXPECT_FALSE(info.hasFeature("sm_86"));
  EXPECT_FALSE(info.sharesHostMemory);
  EXPECT_EQ(info.limits.subgroupSize, 32u);
  EXPECT_EQ(info.limits.maxWorkgroupMemory, 166912u);
}

TEST_F(CudaDeviceTest, KnowsArchitecturesThatRunOlderCode) {
  device.reset();
  ASSERT_TRUE(quernTestCudaSetOption("ARCH", "120"));
  device = std::move(*openDevice({.api = "cuda"}));
  const DeviceInfo &info = device->getInfo();
  for (const char *name : {"sm_80", "sm_89", "sm_90", "sm_120", "sm_120a"})
    EXPECT_TRUE(info.hasFeature(name)) << name;
  for (const char *name : {"sm_90a", "sm_121"})
    EXPECT_FALSE(info.hasFeature(name)) << name;
}

TEST_F(CudaDeviceTest, PlansWithTheMemoryThatIsFree) {
  uint64_t all = device->getInfo().limits.memoryBytes;
  constexpr uint64_t held = 1 << 20;
  ASSERT_TRUE(device->allocate(held, MemoryKind::DeviceLocal).isOk());
  Result<std::unique_ptr<Device>> second = openDevice({.api = "cuda"});
  ASSERT_TRUE(second.isOk()) << second.getStatus().getMessage();
  EXPECT_EQ((*second)->getInfo().limits.memoryBytes, all - held);
  second->reset();
}

/// Large uploads are shared by threads with streams of their own. The memory is
/// still to be filled with zeros then, and must not be afterwards.
TEST_F(CudaDeviceTest, UploadsInParallel) {
  constexpr uint64_t size = (uint64_t(40) << 20) + 13;
  std::vector<std::byte> bytes(size), back(size);
  for (uint64_t i = 0; i != size; ++i)
    bytes[i] = std::byte((i * 2654435761u) >> 13);
  BufferHandle buffer = *device->allocate(size, MemoryKind::DeviceLocal);
  ASSERT_OK(device->upload(buffer, 0, bytes));
  ASSERT_OK(device->download(buffer, 0, back));
  EXPECT_TRUE(back == bytes);
  // Without a second stream one thread does it all.
  constexpr int outOfMemory = 2;
  std::ranges::reverse(bytes);
  for (const char *function : {"cuStreamCreate", "cuMemHostAlloc"}) {
    device.reset();
    device = std::move(*openDevice({.api = "cuda"}));
    buffer = *device->allocate(size, MemoryKind::DeviceLocal);
    quernTestCudaFail(function, outOfMemory, 0);
    ASSERT_OK(device->upload(buffer, 0, bytes));
    quernTestCudaFail("", 0, 0);
    ASSERT_OK(device->download(buffer, 0, back));
    EXPECT_TRUE(back == bytes) << function;
  }
  // A copy that fails is reported by whichever thread it was.
  quernTestCudaFail("cuMemcpyHtoDAsync_v2", outOfMemory, 3);
  EXPECT_CODE(device->upload(buffer, 0, bytes), StatusCode::ResourceExhausted);
  quernTestCudaFail("", 0, 0);
}

/// A step: one graph launch, one wait, nothing else.
TEST_F(CudaDeviceTest, RunsAStepAsOneGraphLaunch) {
  BufferHandle a = *device->allocate(1024, MemoryKind::HostVisible),
               b = *device->allocate(1024, MemoryKind::DeviceLocal),
               c = *device->allocate(1024, MemoryKind::HostVisible);
  KernelHandle copy = makeKernel("copy_words");
  GridDescription byTokens = {{4, 1, 1}, GridCount::Tokens, 0, 1, 1};
  Result<ProgramHandle> program = device->record(
      {"decode",
       {{copy, {wholeWords(a, 256), wholeWords(b, 256)}, byTokens},
        {copy,
         {wholeWords(b, 256), wholeWords(c, 256)},
         byTokens,
         /*barrierBefore=*/true}}});
  ASSERT_TRUE(program.isOk()) << program.getStatus().getMessage();
  auto *in = static_cast<uint32_t *>(device->getHostPointer(a));
  auto *out = static_cast<uint32_t *>(device->getHostPointer(c));
  auto step = [&](uint32_t tokens) {
    in[64 * tokens - 1] += tokens;
    ASSERT_OK(device->submit(*program, tokens, 1));
    ASSERT_OK(device->wait(waitNanoseconds));
    EXPECT_EQ(out[64 * tokens - 1], in[64 * tokens - 1]);
  };
  step(4);
  quernTestCudaResetCounters();
  for (int i = 0; i != 10; ++i)
    step(4);
  QuernTestCudaCounters counters = count();
  EXPECT_EQ(counters.graphLaunches, 10u);
  EXPECT_EQ(counters.kernelsRun, 20u);
  EXPECT_EQ(counters.kernelLaunches, 0u);
  EXPECT_EQ(counters.graphUpdates, 0u);
  EXPECT_EQ(counters.synchronisations, 10u);
  EXPECT_EQ(counters.deviceAllocations + counters.hostAllocations, 0u);
  EXPECT_EQ(counters.deviceToHostBytes + counters.hostToDeviceBytes, 0u);
  // Other counts change the two grids, once.
  step(2);
  step(2);
  EXPECT_EQ(count().graphUpdates, 2u);
  EXPECT_EQ(count().graphLaunches, 12u);
}

TEST_F(CudaDeviceTest, GoesOnAfterATimeout) {
  BufferHandle a = *device->allocate(256, MemoryKind::HostVisible),
               b = *device->allocate(256, MemoryKind::HostVisible);
  ProgramHandle program =
      *device->record({"test",
                       {{makeKernel("copy_words"),
                         {wholeWords(a, 64), wholeWords(b, 64)},
                         {{1, 1, 1}}}}});
  ASSERT_OK(device->submit(program, 1, 1));
  EXPECT_CODE(device->wait(0), StatusCode::DeadlineExceeded);
  ASSERT_OK(device->wait(waitNanoseconds));
}

TEST_F(CudaDeviceTest, IsChosenByTheEnvironment) {
  device.reset();
  ASSERT_TRUE(quernTestCudaSetOption("DEVICES", "2"));
  ::setenv("QUERN_CUDA_DEVICE", "no such device", 1);
  Status status = openDevice({.api = "cuda"}).getStatus();
  EXPECT_CODE(status, StatusCode::NotFound);
  EXPECT_NE(status.getMessage().find("1 'Quern test driver"),
            std::string::npos);
  EXPECT_TRUE(openDevice({.api = "cuda", .device = "1"}).isOk());
  EXPECT_TRUE(openDevice({.api = "cuda", .device = "TEST driver"}).isOk());
  ::unsetenv("QUERN_CUDA_DEVICE");
}

TEST(PtxHeader, ReadsTargetAndParameters) {
  auto read = [](std::string_view text) {
    return cuda::readPtxHeader(text, "k");
  };
  Result<cuda::PtxHeader> header =
      read(".version 8.0\n.target sm_90a\n.entry other(.param .u32 a) {}\n"
           ".visible .entry k(\n\t.param .u64 .ptr .global .align 1 a,\n"
           ".param .b64 b) .reqntid 32 {}");
  ASSERT_TRUE(header.isOk()) << header.getStatus().getMessage();
  EXPECT_EQ(header->target, "sm_90a");
  EXPECT_EQ(header->architecture, 90u);
  EXPECT_TRUE(header->isExact);
  EXPECT_EQ(header->numParameters, 2u);
  EXPECT_TRUE(header->onlyAddresses);
  EXPECT_EQ(read(".target sm_80\n.entry k {")->numParameters, 0u);
  EXPECT_FALSE(read(".target sm_80\n.entry k(.param .u64 a, .param .u32 b) {")
                   ->onlyAddresses);
  for (const char *bad :
       {"", "\x03\x02#\x07", ".target compute_80 .entry k()", ".target sm_",
        ".target sm_99999999999 .entry k()", ".target sm_80",
        ".target sm_80 .entry kk()", ".target sm_80 .entry"})
    EXPECT_CODE(read(bad).getStatus(), StatusCode::Corrupt);
}
