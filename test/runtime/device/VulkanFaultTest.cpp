//===- VulkanFaultTest.cpp - A failing driver -----------------------------===//
//
// The device's command table is patched with commands that fail on demand;
// everything else is the real driver under the validation layer, which also
// reports what a failed call leaks.
//
//===----------------------------------------------------------------------===//

#include "Conformance.h"
#include "TestKernels.h"

#include "runtime/device/vulkan/VulkanDevice.h"
#include "runtime/device/vulkan/VulkanInstance.h"

using namespace quern;
using namespace quern::test;
using quern::vulkan::VulkanFunctions;

namespace {

/// What the patched commands do.
struct Faults {
  uint64_t failCall = 0; ///< Of the commands that allocate; 0: none.
  uint64_t calls = 0;
  VkResult submitResult = VK_SUCCESS;
  VkResult waitResult = VK_SUCCESS;
  VulkanFunctions real;
};
Faults faults;

} // namespace

template <auto Member, typename... Args>
static VKAPI_ATTR VkResult VKAPI_CALL callOrFail(Args... args) {
  if (++faults.calls == faults.failCall)
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  return (faults.real.*Member)(args...);
}

template <auto Member, typename... Args>
static void patch(VulkanFunctions &functions,
                  VkResult (*VulkanFunctions::*)(Args...)) {
  functions.*Member = &callOrFail<Member, Args...>;
}

static void patchFunctions(VulkanFunctions &functions) {
  faults.real = functions;
#define QUERN_PATCH(NAME)                                                      \
  patch<&VulkanFunctions::NAME>(functions, &VulkanFunctions::NAME);
  QUERN_PATCH(vkAllocateMemory)
  QUERN_PATCH(vkBindBufferMemory)
  QUERN_PATCH(vkMapMemory)
  QUERN_PATCH(vkCreateBuffer)
  QUERN_PATCH(vkCreateBufferView)
  QUERN_PATCH(vkCreateFence)
  QUERN_PATCH(vkCreateCommandPool)
  QUERN_PATCH(vkAllocateCommandBuffers)
  QUERN_PATCH(vkBeginCommandBuffer)
  QUERN_PATCH(vkCreateShaderModule)
  QUERN_PATCH(vkCreateDescriptorSetLayout)
  QUERN_PATCH(vkCreatePipelineLayout)
  QUERN_PATCH(vkCreatePipelineCache)
  QUERN_PATCH(vkCreateComputePipelines)
  QUERN_PATCH(vkCreateDescriptorPool)
  QUERN_PATCH(vkAllocateDescriptorSets)
  QUERN_PATCH(vkCreateQueryPool)
#undef QUERN_PATCH
  functions.vkQueueSubmit = [](VkQueue queue, uint32_t count,
                               const VkSubmitInfo *infos, VkFence fence) {
    return faults.submitResult == VK_SUCCESS
               ? faults.real.vkQueueSubmit(queue, count, infos, fence)
               : faults.submitResult;
  };
  functions.vkWaitForFences = [](VkDevice device, uint32_t count,
                                 const VkFence *fences, VkBool32 all,
                                 uint64_t timeout) {
    if (faults.waitResult == VK_TIMEOUT)
      return VK_TIMEOUT;
    // The driver is well: let its run end before its objects do.
    VkResult result =
        faults.real.vkWaitForFences(device, count, fences, all, timeout);
    return faults.waitResult == VK_SUCCESS ? result : faults.waitResult;
  };
}

namespace {
class VulkanFaultTest : public testing::Test {
protected:
  void SetUp() override {
    faults = {};
    options.validation = true;
    options.diagnostics = std::make_shared<vulkan::VulkanDiagnostics>();
    options.patchFunctions = patchFunctions;
    Result<std::unique_ptr<Device>> device = vulkan::openDevice(options);
    if (device.getStatus().getCode() == StatusCode::NotFound ||
        device.getStatus().getCode() == StatusCode::Unsupported)
      GTEST_SKIP() << device.getStatus().getMessage();
    ASSERT_TRUE(device.isOk()) << device.getStatus().getMessage();
  }
  void TearDown() override {
    Status status = options.diagnostics->check();
    EXPECT_TRUE(status.isOk()) << status.getMessage();
  }

  std::unique_ptr<Device> open() {
    Result<std::unique_ptr<Device>> device = vulkan::openDevice(options);
    EXPECT_TRUE(device.isOk()) << device.getStatus().getMessage();
    return device.isOk() ? std::move(*device) : nullptr;
  }

  vulkan::VulkanOptions options;
};
} // namespace

/// Uses everything that allocates. The first failure, or Ok.
static Status runScenario(Device &device, const void *page) {
  QUERN_ASSIGN_OR_RETURN(auto out,
                         device.allocate(256, MemoryKind::DeviceLocal));
  Result<BufferHandle> imported = device.importHostMemory(page, 4096);
  if (!imported.isOk()) { // As the engine does.
    if (imported.getStatus().getCode() != StatusCode::Unsupported)
      return imported.getStatus();
    imported = device.allocate(4096, MemoryKind::DeviceLocal);
    if (!imported.isOk())
      return imported.getStatus();
    QUERN_RETURN_IF_ERROR(device.upload(
        *imported, 0, {static_cast<const std::byte *>(page), size_t(4096)}));
  }
  QUERN_ASSIGN_OR_RETURN(auto copy,
                         device.createKernel(getTestKernel("copy_words")));
  QUERN_ASSIGN_OR_RETURN(auto views,
                         device.createKernel(getTestKernel("texel_views")));
  BufferRange in = {*imported, 256, 256};
  QUERN_ASSIGN_OR_RETURN(
      auto program, device.record({"scenario",
                                   {{copy,
                                     {in, wholeWords(out, 64)},
                                     {{1, 1, 1}, GridCount::Tokens, 0, 1, 1}},
                                    {views,
                                     {in, in, in, in, wholeWords(out, 64)},
                                     {{2, 1, 1}},
                                     true,
                                     "views"}}}));
  QUERN_RETURN_IF_ERROR(device.submit(program, 1, 1));
  QUERN_RETURN_IF_ERROR(device.wait(waitNanoseconds));
  Result<std::vector<double>> times = device.profile(program, 1, 1);
  if (!times.isOk() && times.getStatus().getCode() != StatusCode::Unsupported)
    return times.getStatus();
  std::vector<uint32_t> words(64);
  QUERN_RETURN_IF_ERROR(
      device.download(out, 0, std::as_writable_bytes(std::span(words))));
  for (uint32_t i = 0; i != 64; ++i)
    if (words[i] != 2 * (64 + i))
      return internalError("wrong result");
  device.free(out);
  device.free(*imported);
  return Status::ok();
}

TEST_F(VulkanFaultTest, SurvivesEachFailedAllocation) {
  MappedTestFile file(4096, {{0, makeWords(1024)}});
  bool done = false;
  for (uint64_t n = 1; !done; ++n) {
    SCOPED_TRACE("failing call " + std::to_string(n));
    ASSERT_LT(n, 200u);
    faults = {};
    faults.failCall = n;
    Result<std::unique_ptr<Device>> device = vulkan::openDevice(options);
    if (!device.isOk()) {
      EXPECT_CODE(device.getStatus(), StatusCode::ResourceExhausted);
      continue;
    }
    Status status = runScenario(**device, file.getData());
    done = faults.calls < n;
    // A failed import is no failure: the weights are uploaded instead.
    if (!status.isOk()) {
      EXPECT_CODE(status, StatusCode::ResourceExhausted);
      ASSERT_OK(runScenario(**device, file.getData()));
    }
    ASSERT_OK(options.diagnostics->check());
  }
}

TEST_F(VulkanFaultTest, StaysLost) {
  for (bool atSubmit : {true, false}) {
    faults = {};
    std::unique_ptr<Device> device = open();
    ASSERT_TRUE(device);
    Result<BufferHandle> buffer = device->allocate(64, MemoryKind::DeviceLocal);
    ASSERT_TRUE(buffer.isOk());
    Result<ProgramHandle> program = device->record({"empty", {}});
    ASSERT_TRUE(program.isOk());
    (atSubmit ? faults.submitResult : faults.waitResult) = VK_ERROR_DEVICE_LOST;
    Status status = device->submit(*program, 1, 1);
    EXPECT_EQ(status.isOk(), !atSubmit);
    auto lost = StatusCode::DeviceLost;
    if (status.isOk())
      status = device->wait(waitNanoseconds);
    EXPECT_CODE(status, lost);
    faults.submitResult = faults.waitResult = VK_SUCCESS;
    std::vector<std::byte> bytes(4);
    EXPECT_CODE(device->submit(*program, 1, 1), lost);
    EXPECT_CODE(device->wait(1), lost);
    EXPECT_CODE(device->upload(*buffer, 0, bytes), lost);
    EXPECT_CODE(device->download(*buffer, 0, bytes), lost);
    EXPECT_CODE(device->allocate(4, MemoryKind::DeviceLocal).getStatus(), lost);
    EXPECT_CODE(device->record({"empty", {}}).getStatus(), lost);
    EXPECT_CODE(device->profile(*program, 1, 1).getStatus(), lost);
  }
}

TEST_F(VulkanFaultTest, ReportsARunThatDoesNotEnd) {
  std::unique_ptr<Device> device = open();
  ASSERT_TRUE(device);
  Result<ProgramHandle> program = device->record({"empty", {}});
  ASSERT_TRUE(program.isOk());
  ASSERT_OK(device->submit(*program, 1, 1));
  faults.waitResult = VK_TIMEOUT;
  EXPECT_CODE(device->wait(1000), StatusCode::DeadlineExceeded);
  EXPECT_CODE(device->submit(*program, 1, 1), StatusCode::InvalidArgument);
  faults.waitResult = VK_SUCCESS; // It ends after all.
  ASSERT_OK(device->wait(waitNanoseconds));
  ASSERT_OK(device->submit(*program, 1, 1));
  faults.waitResult = VK_TIMEOUT;
  device.reset(); // Returns although the run seems never to end.
}

TEST_F(VulkanFaultTest, RefusesCodeThatIsNoSpirv) {
  std::unique_ptr<Device> device = open();
  ASSERT_TRUE(device);
  KernelDescription desc = getTestKernel("copy_words");
  std::vector<std::byte> code(desc.code.begin(), desc.code.end());
  for (size_t size : {size_t(0), size_t(3), size_t(16), code.size() - 1}) {
    desc.code = std::span(code).first(size);
    EXPECT_CODE(device->createKernel(desc).getStatus(), StatusCode::Corrupt);
  }
  code[0] = std::byte(0);
  desc.code = code;
  EXPECT_CODE(device->createKernel(desc).getStatus(), StatusCode::Corrupt);
}

TEST_F(VulkanFaultTest, HearsOfMissingBarriers) {
  for (bool barrier : {true, false}) {
    options.diagnostics = std::make_shared<vulkan::VulkanDiagnostics>();
    std::unique_ptr<Device> device = open();
    ASSERT_TRUE(device);
    Result<BufferHandle> arena =
        device->allocate(1024, MemoryKind::DeviceLocal);
    Result<KernelHandle> copy =
        device->createKernel(getTestKernel("copy_words"));
    ASSERT_TRUE(arena.isOk() && copy.isOk());
    Status status =
        device
            ->record(
                {"chain",
                 {{*copy, {{*arena, 0, 256}, {*arena, 256, 256}}, {{1, 1, 1}}},
                  {*copy,
                   {{*arena, 256, 256}, {*arena, 512, 256}},
                   {{1, 1, 1}},
                   barrier,
                   "second"}}})
            .getStatus();
    EXPECT_EQ(status.isOk(), barrier) << status.getMessage();
    if (!barrier) {
      EXPECT_NE(status.getMessage().find("SYNC-HAZARD-READ-AFTER-WRITE"),
                std::string::npos)
          << status.getMessage();
    }
  }
  options.diagnostics = std::make_shared<vulkan::VulkanDiagnostics>();
}

TEST_F(VulkanFaultTest, HearsTheValidationLayer) {
  // A broken description that our checks can't see: the kernel writes binding
  // 1, which the description declares as a texel view.
  std::unique_ptr<Device> device = open();
  ASSERT_TRUE(device);
  KernelDescription desc = getTestKernel("copy_words");
  desc.arguments[1] = ArgumentAccess::TexelUint1;
  Status status = device->createKernel(desc).getStatus();
  EXPECT_CODE(status, StatusCode::Internal);
  EXPECT_NE(status.getMessage().find("VUID"), std::string::npos);
  EXPECT_CODE(device->checkDiagnostics(), StatusCode::Internal);
  device.reset();
  EXPECT_GT(options.diagnostics->getCount(), 0u);
  options.diagnostics = std::make_shared<vulkan::VulkanDiagnostics>();
}
