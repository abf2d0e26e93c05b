//===- ResourcesTest.cpp - Occupancy and roofline -------------------------===//

#include "tools/quern/Resources.h"

#include <gtest/gtest.h>

using namespace quern::tool;

/// An A100, as codegen/Targets/cuda-sm_80.json describes it.
static GpuFacts makeGpu() {
  return readGpuFacts(R"({"multiprocessor": {"count": 108, "registers": 65536,
    "shared_memory": 167936, "subgroups": 64, "workgroups": 32},
    "memory_bandwidth": 1555000000000, "peak_flops": 1.95e13})");
}

static Occupancy compute(Launch launch) {
  return computeOccupancy(makeGpu(), launch);
}

TEST(Resources, ReadsTargetFiles) {
  GpuFacts gpu = makeGpu();
  EXPECT_EQ(gpu.multiprocessors, 108u);
  EXPECT_EQ(gpu.sharedMemory, 167936u);
  EXPECT_EQ(gpu.bytesPerSecond, 1.555e12);
  EXPECT_EQ(gpu.flopsPerSecond, 1.95e13);
  for (const char *bad :
       {"", "[]", "{", R"({"multiprocessor": 7, "peak_flops": "x"})",
        R"({"multiprocessor": {"count": -1}, "memory_bandwidth": -3})"}) {
    gpu = readGpuFacts(bad);
    EXPECT_EQ(gpu.multiprocessors, 0u) << bad;
    EXPECT_EQ(gpu.bytesPerSecond, 0) << bad;
  }
}

// The numbers of NVIDIA's occupancy calculator for compute capability 8.0.
TEST(Resources, OccupancyIsLimitedByWhatIsScarcest) {
  Occupancy o = compute({128, 32, 0, 108});
  EXPECT_EQ(o.workgroups, 16u);
  EXPECT_EQ(o.fraction, 1.0);
  EXPECT_STREQ(o.limit, "subgroups");
  EXPECT_EQ(o.waves, 1.0 / 16);

  o = compute({32, 16, 0, 1});
  EXPECT_EQ(o.workgroups, 32u);
  EXPECT_EQ(o.fraction, 0.5);
  EXPECT_STREQ(o.limit, "workgroups");

  // 40 registers: 1280 of a warp, 12 warps of a partition.
  o = compute({128, 40, 0, 1});
  EXPECT_EQ(o.workgroups, 12u);
  EXPECT_STREQ(o.limit, "registers");
  EXPECT_EQ(compute({256, 255, 0, 1}).workgroups, 1u);

  // 32 KiB and the driver's 1 KiB go four times into 164 KiB.
  o = compute({128, 32, 32768, 1});
  EXPECT_EQ(o.workgroups, 4u);
  EXPECT_STREQ(o.limit, "shared memory");
  EXPECT_EQ(o.fraction, 0.25);
}

TEST(Resources, RooflineIsTheSlowerOfMemoryAndArithmetic) {
  EXPECT_DOUBLE_EQ(computeRoofline(makeGpu(), 1555000, 0), 1e-6);
  EXPECT_DOUBLE_EQ(computeRoofline(makeGpu(), 1555000, 390000000), 2e-5);
  EXPECT_EQ(computeRoofline({}, 1000, 1000), 0);
}
