//===- ConformancePrograms.cpp - Recording, running, grids, barriers ------===//

#include "Conformance.h"

#include "TestKernels.h"

#include <cmath>

using namespace quern;
using namespace quern::test;

TEST_P(DeviceConformance, OrdersDependentDispatches) {
  // A chain of dispatches that each read what other workgroups of the one
  // before wrote. Replayed, so that a run also sees the writes of the last.
  constexpr uint32_t count = 4096, links = 100, runs = 3;
  std::vector<uint32_t> expected = makeWords(count, 1);
  BufferHandle ping = allocateWords(expected), pong = allocate(count * 4);
  KernelHandle kernel = createKernel("neighbor_sum");
  std::vector<DispatchDescription> chain;
  for (uint32_t i = 0; i != links; ++i) {
    chain.push_back({kernel,
                     {wholeWords(i % 2 ? pong : ping, count),
                      wholeWords(i % 2 ? ping : pong, count)},
                     {{count / 64, 1, 1}},
                     /*barrierBefore=*/i != 0,
                     "link " + std::to_string(i)});
  }
  ProgramHandle program = record(chain);
  for (uint32_t i = 0; i != runs; ++i)
    run(program);
  for (uint32_t i = 0; i != links * runs; ++i) {
    std::vector<uint32_t> next(count);
    for (uint32_t j = 0; j != count; ++j)
      next[j] = expected[j] + expected[(j + 97) % count];
    expected = next;
  }
  EXPECT_EQ(downloadWords(ping, count), expected);
}

TEST_P(DeviceConformance, RunsIndependentDispatchesWithoutBarriers) {
  KernelHandle copy = createKernel("copy_words");
  BufferHandle in = allocateWords(makeWords(1024, 9)), out = allocate(16384);
  std::vector<DispatchDescription> dispatches;
  for (uint64_t i = 0; i != 4; ++i)
    dispatches.push_back(
        {copy, {{in, i * 1024, 1024}, {out, i * 4096, 1024}}, {{4, 1, 1}}});
  run(record(dispatches));
  for (uint32_t i = 0; i != 4; ++i) {
    EXPECT_EQ(downloadWords(out, 256, i * 4096), makeWords(256, 9 + i * 256));
    EXPECT_EQ(downloadWords(out, 1, i * 4096 + 1024)[0], 0u);
  }
}

TEST_P(DeviceConformance, ReplaysWithChangedInputs) {
  constexpr uint32_t count = 256;
  BufferHandle in = allocate(count * 4, MemoryKind::HostVisible);
  BufferHandle middle = allocate(count * 4);
  BufferHandle out = allocate(count * 4, MemoryKind::HostVisible);
  KernelHandle copy = createKernel("copy_words");
  ProgramHandle program = record(
      {{copy, {wholeWords(in, count), wholeWords(middle, count)}, {{4, 1, 1}}},
       {copy,
        {wholeWords(middle, count), wholeWords(out, count)},
        {{4, 1, 1}},
        /*barrierBefore=*/true,
        "second"}});
  auto *input = static_cast<uint32_t *>(device->getHostPointer(in));
  auto *output = static_cast<uint32_t *>(device->getHostPointer(out));
  for (uint32_t round = 0; round != 20; ++round) {
    std::iota(input, input + count, round * 1000);
    run(program);
    EXPECT_EQ(std::vector<uint32_t>(output, output + count),
              makeWords(count, round * 1000));
  }
}

/// What grid_marks writes for a grid of these workgroups.
static std::vector<uint32_t> makeMarks(std::array<uint32_t, 3> grid,
                                       size_t size) {
  std::vector<uint32_t> marks;
  for (uint32_t z = 0; z != grid[2]; ++z)
    for (uint32_t y = 0; y != grid[1]; ++y)
      for (uint32_t x = 0; x != grid[0]; ++x)
        marks.push_back((x | y << 8 | z << 16) + 1);
  marks.resize(size);
  return marks;
}

TEST_P(DeviceConformance, ScalesGridsWithCounts) {
  struct Step {
    uint32_t tokens, rows;
    std::array<uint32_t, 3> byTokens, byRows; // Expected grids.
  };
  // Tokens: axis 0, tile 4, scale 2. Rows: axis 1, tile 1, scale 1.
  const Step steps[] = {
      {16, 8, {8, 3, 1}, {2, 8, 2}}, {5, 1, {4, 3, 1}, {2, 1, 2}},
      {4, 7, {2, 3, 1}, {2, 7, 2}},  {1, 3, {2, 3, 1}, {2, 3, 2}},
      {0, 8, {0, 3, 1}, {2, 8, 2}},  {16, 0, {8, 3, 1}, {2, 0, 2}}};
  KernelHandle marks = createKernel("grid_marks");
  BufferHandle byTokens = allocate(256), byRows = allocate(256),
               fixed = allocate(256);
  ProgramHandle program = record({{marks,
                                   {wholeWords(byTokens, 64)},
                                   {{8, 3, 1}, GridCount::Tokens, 0, 4, 2}},
                                  {marks, {wholeWords(fixed, 64)}, {{2, 3, 4}}},
                                  {marks,
                                   {wholeWords(byRows, 64)},
                                   {{2, 8, 2}, GridCount::Rows, 1, 1, 1}}});
  for (const Step &step : steps) {
    for (BufferHandle buffer : {byTokens, byRows, fixed})
      ASSERT_OK(device->upload(buffer, 0, std::vector<std::byte>(256)));
    run(program, step.tokens, step.rows);
    EXPECT_EQ(downloadWords(byTokens, 64), makeMarks(step.byTokens, 64));
    EXPECT_EQ(downloadWords(byRows, 64), makeMarks(step.byRows, 64));
    EXPECT_EQ(downloadWords(fixed, 64), makeMarks({2, 3, 4}, 64));
  }
  for (auto [tokens, rows] :
       {std::pair(17u, 8u), {16u, 9u}, {UINT32_MAX, 1u}, {1u, UINT32_MAX}})
    EXPECT_CODE(device->submit(program, tokens, rows),
                StatusCode::InvalidArgument);
  run(program, 16, 8);
}

TEST_P(DeviceConformance, ReadsTexelViewsOfWrittenBuffers) {
  // Written as a storage buffer in one dispatch, read as texels in the next.
  constexpr uint32_t count = 64;
  std::vector<uint32_t> words = makeWords(count, 7);
  std::vector<float> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 1000.0f);
  BufferHandle in = allocateWords(words), written = allocate(512 + count * 4);
  BufferHandle floats = allocate(count * 4), out = allocate(count * 4);
  ASSERT_OK(device->upload(floats, 0, std::as_bytes(std::span(numbers))));
  BufferRange texels = {written, 512, count * 4};
  run(record({{createKernel("copy_words"),
               {wholeWords(in, count), texels},
               {{1, 1, 1}}},
              {createKernel("texel_views"),
               {texels, wholeWords(floats, count), texels,
                wholeWords(floats, count), wholeWords(out, count)},
               {{2, 1, 1}},
               /*barrierBefore=*/true,
               "read"}}));
  std::vector<uint32_t> expected;
  for (uint32_t i = 0; i != count; ++i)
    expected.push_back(2 * (7 + i) + 2 * (1000 + i));
  EXPECT_EQ(downloadWords(out, count), expected);
}

TEST_P(DeviceConformance, GivesTheSubgroupSizeAskedFor) {
  const DeviceLimits &limits = device->getInfo().limits;
  std::vector<uint32_t> sizes = {limits.minSubgroupSize, limits.subgroupSize,
                                 limits.maxSubgroupSize};
  if (device->getInfo().api == "cpu")
    sizes = {8}; // What the code of the test kernel is for.
  for (uint32_t size : sizes) {
    KernelDescription desc = describeKernel("subgroup_count");
    desc.subgroupSize = size;
    Result<KernelHandle> kernel = device->createKernel(desc);
    ASSERT_TRUE(kernel.isOk()) << kernel.getStatus().getMessage();
    BufferHandle out = allocate(128 * 4);
    run(record({{*kernel, {wholeWords(out, 128)}, {{2, 1, 1}}}}));
    EXPECT_EQ(downloadWords(out, 128), std::vector<uint32_t>(128, size));
  }
}

TEST_P(DeviceConformance, AllowsOneRunInFlight) {
  BufferHandle in = allocateWords(makeWords(64)), out = allocate(256);
  DispatchDescription copy = {createKernel("copy_words"),
                              {wholeWords(in, 64), wholeWords(out, 64)},
                              {{1, 1, 1}}};
  ProgramHandle program = record({copy});
  std::vector<std::byte> bytes(4);
  auto invalid = StatusCode::InvalidArgument;
  EXPECT_CODE(device->wait(0), invalid);
  EXPECT_CODE(device->submit(static_cast<ProgramHandle>(42), 1, 1), invalid);
  ASSERT_OK(device->submit(program, 1, 1));
  EXPECT_CODE(device->submit(program, 1, 1), invalid);
  EXPECT_CODE(device->profile(program, 1, 1).getStatus(), invalid);
  EXPECT_CODE(device->upload(in, 0, bytes), invalid);
  EXPECT_CODE(device->download(out, 0, bytes), invalid);
  EXPECT_CODE(device->allocate(64, MemoryKind::DeviceLocal).getStatus(),
              invalid);
  EXPECT_CODE(device->createKernel(describeKernel("copy_words")).getStatus(),
              invalid);
  EXPECT_CODE(tryRecord(copy), invalid);
  ASSERT_OK(device->wait(waitNanoseconds));
  EXPECT_CODE(device->wait(0), invalid);
  EXPECT_EQ(downloadWords(out, 64), makeWords(64));

  ASSERT_OK(device->submit(program, 1, 1));
  device->free(out); // Waits, then invalidates the program.
  EXPECT_CODE(device->submit(program, 1, 1), invalid);
  EXPECT_CODE(device->profile(program, 1, 1).getStatus(), invalid);
}

TEST_P(DeviceConformance, ClosesWithARunInFlight) {
  BufferHandle in = allocateWords(makeWords(64)), out = allocate(256);
  ProgramHandle program = record({{createKernel("copy_words"),
                                   {wholeWords(in, 64), wholeWords(out, 64)},
                                   {{1, 1, 1}}}});
  ASSERT_OK(device->submit(program, 1, 1));
}

TEST_P(DeviceConformance, RunsEmptyPrograms) {
  ProgramHandle program = record({});
  run(program);
  run(program, 512, 8);
}

TEST_P(DeviceConformance, ProfilesEachDispatch) {
  constexpr uint32_t count = 4096;
  BufferHandle a = allocateWords(makeWords(count)), b = allocate(count * 4);
  BufferHandle marks = allocate(64);
  KernelHandle sum = createKernel("neighbor_sum");
  ProgramHandle program =
      record({{sum, {wholeWords(a, count), wholeWords(b, count)}, {{64, 1, 1}}},
              {sum,
               {wholeWords(b, count), wholeWords(a, count)},
               {{64, 1, 1}},
               /*barrierBefore=*/true,
               "back"},
              {createKernel("grid_marks"),
               {wholeWords(marks, 16)},
               {{16, 1, 1}, GridCount::Tokens, 0, 1, 1}}});
  for (int round = 0; round != 2; ++round) {
    Result<std::vector<double>> times = device->profile(program, 3, 1);
    if (times.getStatus().getCode() == StatusCode::Unsupported)
      GTEST_SKIP() << times.getStatus().getMessage();
    ASSERT_TRUE(times.isOk()) << times.getStatus().getMessage();
    ASSERT_EQ(times->size(), 3u);
    for (double time : *times) {
      EXPECT_GE(time, 0);
      EXPECT_LT(time, 60e9);
    }
    EXPECT_GT((*times)[0], 0);
  }
  // It ran for real: two sums per round and three marks.
  EXPECT_EQ(downloadWords(marks, 16), makeMarks({3, 1, 1}, 16));
  EXPECT_NE(downloadWords(a, count), makeWords(count));
}
