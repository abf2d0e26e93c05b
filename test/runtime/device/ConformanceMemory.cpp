//===- ConformanceMemory.cpp - Buffers, copies, imports -------------------===//

#include "Conformance.h"

using namespace quern;
using namespace quern::test;

TEST_P(DeviceConformance, DescribesItself) {
  const DeviceInfo &info = device->getInfo();
  EXPECT_FALSE(info.api.empty());
  EXPECT_FALSE(info.name.empty());
  const DeviceLimits &limits = info.limits;
  EXPECT_GT(limits.memoryBytes, 0u);
  EXPECT_GT(limits.maxAllocationBytes, 0u);
  EXPECT_GE(limits.maxStorageBufferBytes, uint64_t(1) << 27);
  EXPECT_EQ(limits.bindingAlignment & (limits.bindingAlignment - 1), 0u);
  EXPECT_LE(limits.bindingAlignment, 256u); // What the planner aligns to.
  EXPECT_GE(limits.maxWorkgroupSize, 128u);
  EXPECT_GE(limits.maxGrid[0], 65535u);
  EXPECT_GT(limits.subgroupSize, 0u);
  EXPECT_LE(limits.minSubgroupSize, limits.subgroupSize);
  EXPECT_GE(limits.maxSubgroupSize, limits.subgroupSize);
}

TEST_P(DeviceConformance, ZeroFillsAllocations) {
  for (MemoryKind kind : {MemoryKind::HostVisible, MemoryKind::DeviceLocal})
    for (uint64_t size : {1, 3, 255, 256, 4097, 1 << 20}) {
      // Twice, so that the second may get the dirtied memory of the first.
      for (int round = 0; round != 2; ++round) {
        BufferHandle buffer = allocate(size, kind);
        std::vector<std::byte> bytes(size, std::byte(0x5a));
        ASSERT_OK(device->download(buffer, 0, bytes));
        EXPECT_EQ(bytes, std::vector<std::byte>(size)) << size;
        std::fill(bytes.begin(), bytes.end(), std::byte(0xff));
        ASSERT_OK(device->upload(buffer, 0, bytes));
        device->free(buffer);
      }
    }
}

TEST_P(DeviceConformance, CopiesAnyRange) {
  // Larger than the staging buffers, of an odd size, at odd offsets.
  constexpr uint64_t size = (uint64_t(10) << 20) + 13;
  for (MemoryKind kind : {MemoryKind::HostVisible, MemoryKind::DeviceLocal}) {
    BufferHandle buffer = allocate(size, kind);
    std::vector<std::byte> bytes(size);
    for (uint64_t i = 0; i != size; ++i)
      bytes[i] = std::byte((i * 2654435761u) >> 13);
    ASSERT_OK(device->upload(buffer, 0, bytes));
    std::vector<std::byte> back(size);
    ASSERT_OK(device->download(buffer, 0, back));
    EXPECT_TRUE(back == bytes);

    std::vector<std::byte> patch = {std::byte(1), std::byte(2), std::byte(3)};
    ASSERT_OK(device->upload(buffer, 4099, patch));
    std::copy(patch.begin(), patch.end(), bytes.begin() + 4099);
    back.resize(4107);
    ASSERT_OK(device->download(buffer, 1, back));
    EXPECT_TRUE(std::equal(back.begin(), back.end(), bytes.begin() + 1));
    ASSERT_OK(device->upload(buffer, size, {}));
    ASSERT_OK(device->download(buffer, size, {}));
    device->free(buffer);
  }
}

TEST_P(DeviceConformance, MapsHostVisibleMemoryOnly) {
  BufferHandle host = allocate(64, MemoryKind::HostVisible);
  BufferHandle local = allocate(64);
  EXPECT_EQ(device->getHostPointer(local), nullptr);
  auto *words = static_cast<uint32_t *>(device->getHostPointer(host));
  ASSERT_NE(words, nullptr);
  words[3] = 77;
  EXPECT_EQ(downloadWords(host, 4)[3], 77u);
  const std::vector<uint32_t> five = {5};
  ASSERT_OK(device->upload(host, 4, std::as_bytes(std::span(five))));
  EXPECT_EQ(words[1], 5u);
}

TEST_P(DeviceConformance, RefusesBadCopiesAndAllocations) {
  BufferHandle buffer = allocate(64);
  std::vector<std::byte> bytes(16);
  auto invalid = StatusCode::InvalidArgument;
  EXPECT_CODE(device->upload(buffer, 49, bytes), invalid);
  EXPECT_CODE(device->upload(buffer, UINT64_MAX - 7, bytes), invalid);
  EXPECT_CODE(device->download(buffer, 65, {}), invalid);
  EXPECT_CODE(device->download(static_cast<BufferHandle>(999), 0, bytes),
              invalid);
  EXPECT_CODE(device->allocate(0, MemoryKind::DeviceLocal).getStatus(),
              invalid);
  for (uint64_t size :
       {device->getInfo().limits.maxAllocationBytes + 1, UINT64_MAX}) {
    Status status = device->allocate(size, MemoryKind::DeviceLocal).getStatus();
    EXPECT_CODE(status, StatusCode::ResourceExhausted);
    EXPECT_NE(status.getMessage().find(std::to_string(size)),
              std::string::npos);
  }
  device->free(buffer);
  device->free(buffer); // A stale handle is ignored.
  EXPECT_CODE(device->upload(buffer, 0, bytes), invalid);
  EXPECT_CODE(device->download(buffer, 0, bytes), invalid);
  EXPECT_EQ(device->getHostPointer(buffer), nullptr);
}

TEST_P(DeviceConformance, ReadsImportedMemory) {
  // Not a multiple of the page: the tail of its last page reads as zeros.
  constexpr size_t count = 40000;
  MappedTestFile file(count * 4, {{0, makeWords(count, 100)}});
  Result<BufferHandle> imported =
      device->importHostMemory(file.getData(), count * 4);
  if (device->getInfo().limits.importAlignment == 0) {
    EXPECT_CODE(imported.getStatus(), StatusCode::Unsupported);
    return;
  }
  ASSERT_TRUE(imported.isOk()) << imported.getStatus().getMessage();
  EXPECT_EQ(downloadWords(*imported, 3, 400), makeWords(3, 200));
  EXPECT_CODE(device->upload(*imported, 0, std::vector<std::byte>(1)),
              StatusCode::InvalidArgument);
  EXPECT_EQ(device->getHostPointer(*imported), nullptr);

  BufferHandle copied = allocate(1024 * 4), fetched = allocate(64 * 4);
  auto u4 = uint64_t(256), f4 = uint64_t(4096 + 256), u1 = uint64_t(17 * 256),
       f1 = uint64_t(99 * 256);
  ProgramHandle program =
      record({{createKernel("copy_words"),
               {{*imported, 5 * 256, 4096}, wholeWords(copied, 1024)},
               {{16, 1, 1}}},
              {createKernel("texel_views"),
               {{*imported, u4, 256},
                {*imported, f4, 256},
                {*imported, u1, 256},
                {*imported, f1, 256},
                wholeWords(fetched, 64)},
               {{2, 1, 1}}}});
  run(program);
  EXPECT_EQ(downloadWords(copied, 1024), makeWords(1024, 100 + 5 * 64));
  std::vector<uint32_t> expected;
  for (uint32_t i = 0; i != 64; ++i) // The floats are tiny: they add 0.
    expected.push_back((100 + u4 / 4 + i) + (100 + u1 / 4 + i));
  EXPECT_EQ(downloadWords(fetched, 64), expected);
}

TEST_P(DeviceConformance, ImportsMoreThanOneAllocation) {
  const DeviceLimits &limits = device->getInfo().limits;
  if (limits.importAlignment == 0)
    GTEST_SKIP() << "the device imports no host memory";
  uint64_t most = limits.maxAllocationBytes;
  if (most > uint64_t(1) << 33)
    GTEST_SKIP() << "the device imports more at once than a test file holds";
  // Ranges before, across and after each multiple of the largest allocation,
  // at the very end, and backwards so that windows are made in any order.
  uint64_t size = 2 * most + 1024 * 1024 + 256;
  std::vector<uint64_t> offsets = {
      size - 4096 - 256,    most - 2048, 0,           2 * most - 2048,
      2 * most + 256 * 300, most,        most - 4096, most / 2 / 256 * 256};
  std::vector<std::pair<uint64_t, std::vector<uint32_t>>> writes;
  for (size_t i = 0; i != offsets.size(); ++i)
    writes.emplace_back(offsets[i], makeWords(512, uint32_t(i) * 10000 + 1));
  MappedTestFile file(size, writes);
  Result<BufferHandle> imported =
      device->importHostMemory(file.getData(), size);
  ASSERT_TRUE(imported.isOk()) << imported.getStatus().getMessage();
  KernelHandle copy = createKernel("copy_words");
  BufferHandle out = allocate(offsets.size() * 2048);
  std::vector<DispatchDescription> dispatches;
  for (size_t i = 0; i != offsets.size(); ++i)
    dispatches.push_back(
        {copy,
         {{*imported, offsets[i], 2048}, {out, i * 2048, 2048}},
         {{8, 1, 1}}});
  run(record(dispatches));
  for (size_t i = 0; i != offsets.size(); ++i)
    EXPECT_EQ(downloadWords(out, 512, i * 2048),
              makeWords(512, uint32_t(i) * 10000 + 1))
        << "range " << i << " at offset " << offsets[i];
}

TEST_P(DeviceConformance, RefusesBadImports) {
  if (device->getInfo().limits.importAlignment == 0)
    GTEST_SKIP() << "the device imports no host memory";
  MappedTestFile file(8192, {});
  const char *data = static_cast<const char *>(file.getData());
  auto invalid = StatusCode::InvalidArgument;
  EXPECT_CODE(device->importHostMemory(data + 16, 4096).getStatus(), invalid);
  EXPECT_CODE(device->importHostMemory(data, 0).getStatus(), invalid);
  EXPECT_CODE(device->importHostMemory(nullptr, 4096).getStatus(), invalid);
  EXPECT_CODE(device->importHostMemory(data, UINT64_MAX - 100).getStatus(),
              invalid);
}
