//===- ConformanceLimits.cpp - What every device refuses ------------------===//

#include "Conformance.h"

#include "TestKernels.h"

using namespace quern;
using namespace quern::test;

static constexpr auto invalid = StatusCode::InvalidArgument;
static constexpr auto unsupportedCode = StatusCode::Unsupported;

TEST_P(DeviceConformance, RefusesKernelsOverTheLimits) {
  const DeviceLimits &limits = device->getInfo().limits;
  auto refused = [&](auto change) {
    KernelDescription desc = describeKernel("copy_words");
    change(desc);
    Status status = device->createKernel(desc).getStatus();
    EXPECT_CODE(status, unsupportedCode);
    EXPECT_NE(status.getMessage().find("'copy_words'"), std::string::npos);
  };
  refused([&](auto &desc) {
    desc.workgroupSize = {limits.maxWorkgroupSize, 2, 1};
  });
  refused([&](auto &desc) {
    desc.workgroupSize = {1, 1, limits.maxWorkgroupShape[2] + 1};
  });
  refused([&](auto &desc) { desc.workgroupSize = {0, 1, 1}; });
  refused([&](auto &desc) {
    desc.workgroupSize = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
  });
  refused([&](auto &desc) {
    desc.workgroupMemory = limits.maxWorkgroupMemory + 1;
  });
  refused([&](auto &desc) { desc.subgroupSize = 3; });
  refused([&](auto &desc) { desc.subgroupSize = limits.maxSubgroupSize * 2; });
  refused([&](auto &desc) {
    desc.arguments.assign(size_t(limits.maxStorageArguments) + 1,
                          ArgumentAccess::StorageBuffer);
  });
  if (limits.maxTexelArguments < 1 << 20)
    refused([&](auto &desc) {
      desc.arguments.assign(size_t(limits.maxTexelArguments) + 1,
                            ArgumentAccess::TexelUint1);
    });
}

TEST_P(DeviceConformance, RefusesBadArguments) {
  BufferHandle buffer = allocate(8192);
  KernelHandle copy = createKernel("copy_words");
  BufferRange good = {buffer, 0, 256};
  auto refused = [&](BufferRange bad, const char *text) {
    Status status = tryRecord(
        {copy, {good, bad}, {{1, 1, 1}}, /*barrierBefore=*/false, "layer 7"});
    EXPECT_CODE(status, invalid);
    for (const char *part : {"'test'", "dispatch 0", "layer 7", "argument 1"})
      EXPECT_NE(status.getMessage().find(part), std::string::npos)
          << status.getMessage();
    EXPECT_NE(status.getMessage().find(text), std::string::npos)
        << status.getMessage();
  };
  refused({buffer, 0, 8193}, "outside");
  refused({buffer, 8192, 1}, "outside");
  refused({buffer, UINT64_MAX - 255, 512}, "outside");
  refused({buffer, 256, UINT64_MAX - 100}, "outside");
  refused({buffer, 256, 0}, "empty");
  refused({buffer, 2, 256}, "alignment");
  refused({static_cast<BufferHandle>(77), 0, 4}, "unknown");
  BufferHandle gone = allocate(256);
  device->free(gone);
  refused({gone, 0, 4}, "freed");

  EXPECT_CODE(tryRecord({copy, {good}, {{1, 1, 1}}}), invalid);
  EXPECT_CODE(tryRecord({copy, {good, good, good}, {{1, 1, 1}}}), invalid);
  EXPECT_CODE(
      tryRecord({static_cast<KernelHandle>(50), {good, good}, {{1, 1, 1}}}),
      invalid);

  // A texel view holds whole texels.
  BufferRange texels = {buffer, 256, 32};
  KernelHandle views = createKernel("texel_views");
  Status status = tryRecord(
      {views, {texels, {buffer, 0, 24}, texels, texels, good}, {{1, 1, 1}}});
  EXPECT_CODE(status, invalid);
  EXPECT_NE(status.getMessage().find("16-byte texel"), std::string::npos);
  status = tryRecord(
      {views, {texels, texels, {buffer, 0, 6}, texels, good}, {{1, 1, 1}}});
  EXPECT_CODE(status, invalid);
  EXPECT_NE(status.getMessage().find("4-byte texel"), std::string::npos);
}

TEST_P(DeviceConformance, RefusesRangesOverTheLimits) {
  const DeviceLimits &limits = device->getInfo().limits;
  if (limits.importAlignment == 0)
    GTEST_SKIP() << "needs a sparse file as a large buffer";
  uint64_t tooManyTexels = (limits.maxTexelElements + 1) * 4;
  uint64_t tooMuchStorage = limits.maxStorageBufferBytes + 256;
  uint64_t size = std::max(tooManyTexels, tooMuchStorage);
  if (size > uint64_t(1) << 36)
    GTEST_SKIP() << "the limits are larger than a test file";
  MappedTestFile file(size, {});
  Result<BufferHandle> large = device->importHostMemory(file.getData(), size);
  ASSERT_TRUE(large.isOk()) << large.getStatus().getMessage();
  BufferHandle small = allocate(256);
  BufferRange good = wholeWords(small, 64);
  Status status = tryRecord({createKernel("copy_words"),
                             {{*large, 0, tooMuchStorage}, good},
                             {{1, 1, 1}}});
  EXPECT_CODE(status, unsupportedCode);
  EXPECT_NE(
      status.getMessage().find(std::to_string(limits.maxStorageBufferBytes)),
      std::string::npos);
  status = tryRecord({createKernel("texel_views"),
                      {good, good, {*large, 0, tooManyTexels}, good, good},
                      {{1, 1, 1}}});
  EXPECT_CODE(status, unsupportedCode);
  // The largest ranges that are allowed are allowed.
  ASSERT_OK(tryRecord({createKernel("copy_words"),
                       {{*large, 0, limits.maxStorageBufferBytes}, good},
                       {{1, 1, 1}}}));
  ASSERT_OK(tryRecord(
      {createKernel("texel_views"),
       {good, good, {*large, 0, limits.maxTexelElements * 4}, good, good},
       {{1, 1, 1}}}));
}

TEST_P(DeviceConformance, RefusesBadGrids) {
  BufferHandle buffer = allocate(256);
  KernelHandle marks = createKernel("grid_marks");
  auto refused = [&](GridDescription grid, StatusCode code) {
    EXPECT_CODE(tryRecord({marks, {wholeWords(buffer, 64)}, grid}), code);
  };
  const DeviceLimits &limits = device->getInfo().limits;
  for (size_t axis = 0; axis != 3; ++axis) {
    GridDescription grid;
    if (limits.maxGrid[axis] != UINT32_MAX) {
      grid.groups[axis] = limits.maxGrid[axis] + 1;
      refused(grid, unsupportedCode);
    }
    grid.groups[axis] = 0;
    refused(grid, invalid);
  }
  refused({{1, 1, 1}, GridCount::Tokens, 3, 1, 1}, invalid);
  refused({{1, 1, 1}, GridCount::Tokens, 0, 0, 1}, invalid);
  refused({{1, 1, 1}, static_cast<GridCount>(7), 0, 1, 1}, invalid);
}
