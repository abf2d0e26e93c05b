//===- ChecksTest.cpp - What a GPU would not tell -------------------------===//

#include "test/cuda/DriverTest.h"

using namespace quern::test;

static const char *const tile = ".shared .align 16 .b8 tile[512];\n";
/// %d3: the thread's word of the tile; %r9: its number.
static const std::string place = "mov.u64 %d2, tile; mul.wide.u32 %d3, %r0, 4;"
                                 "add.s64 %d3, %d3, %d2;\n";

TEST_F(CudaDriver, NamesKernelLineBlockAndThread) {
  std::string text =
      runFault(makeKernel("mov.u32 %r2, %tid.y; mad.lo.u32 %r0, %r2, 8, %r0;"
                          "mul.wide.u32 %d2, %r0, 4; add.s64 %d2, %d2, %d1;\n"
                          "mov.u32 %r1, %ctaid.y; setp.eq.u32 %p1, %r1, 1;\n"
                          "@%p1 st.global.u32 [%d2], %r0;"),
               {}, 8 * 3 + 2, quern::ptx::IllegalAddress,
               Shape{{2, 2, 1}, {8, 4, 1}, 0});
  EXPECT_CONTAINS(text, "kernel 'k'");
  EXPECT_CONTAINS(text, "PTX line 15");
  EXPECT_CONTAINS(text, "block (0, 1, 0)");
  EXPECT_CONTAINS(text, "thread (2, 3, 0)");
  EXPECT_CONTAINS(text, "st.global.u32 [%d2], %r0;");
}

TEST_F(CudaDriver, FindsAccessesOutOfBounds) {
  auto fault = [&](const std::string &body, size_t count = 4) {
    return runFault(makeKernel(body, tile), {1, 2}, count,
                    quern::ptx::IllegalAddress, 1);
  };
  EXPECT_CONTAINS(fault("ld.global.u32 %r1, [%d0+8];"),
                  "read of 4 bytes at 0xa");
  EXPECT_CONTAINS(fault("ld.global.u32 %r1, [%d0+8];"),
                  "out of bounds: 8 bytes into an allocation of 8 bytes");
  EXPECT_CONTAINS(fault("ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%d0];"),
                  "out of bounds");
  EXPECT_CONTAINS(fault("st.global.u32 [%d1+16], 0;"), "write of 4 bytes");
  EXPECT_CONTAINS(fault("st.global.u32 [%d1+-4], 0;"), "write of 4 bytes");
  EXPECT_CONTAINS(fault("mov.u64 %d2, 64; ld.u32 %r1, [%d2];"),
                  "is in no allocation");
  EXPECT_CONTAINS(fault("red.global.add.u32 [%d1+16], 1;"), "out of bounds");
  EXPECT_CONTAINS(fault("ld.shared.u32 %r1, [tile+512];"),
                  "shared memory of 512 bytes");
  EXPECT_CONTAINS(fault("st.shared.u8 [tile+512], %r0;"), "out of bounds");
  EXPECT_CONTAINS(fault("mov.u64 %d2, tile; cvta.shared.u64 %d2, %d2;"
                        "st.u32 [%d2+1024], %r0;"),
                  "out of bounds");
  EXPECT_CONTAINS(
      fault("cp.async.ca.shared.global [tile], [%d0+8], 4; cp.async.wait_all;"),
      "out of bounds");
  EXPECT_CONTAINS(
      fault(".local .align 4 .b8 stack[8]; st.local.u32 [stack+8], 0;"),
      "local memory of 8 bytes");
  EXPECT_CONTAINS(fault("cvta.to.shared.u64 %d2, %d1;"),
                  "not an address of this space");
}

TEST_F(CudaDriver, FindsMisalignedAccesses) {
  for (const char *body :
       {"ld.global.u32 %r1, [%d0+2];", "ld.global.v2.u32 {%r1, %r2}, [%d0+4];",
        "st.global.u64 [%d1+4], %d1;", "st.shared.u32 [tile+2], %r0;",
        "red.global.add.u32 [%d1+2], 1;"})
    EXPECT_CONTAINS(runFault(makeKernel(body, tile), {1, 2, 3, 4}, 4,
                             quern::ptx::MisalignedAddress, 1),
                    "is misaligned");
}

TEST_F(CudaDriver, FindsUseAfterFree) {
  void *function = getFunction(load(makeKernel("ld.global.u32 %r1, [%d0+4];")));
  CuPointer in = upload({1, 2}), out = allocate(4);
  ASSERT_CU(cuMemFree_v2(in));
  upload({3, 4}); // Does not take the place of what was freed.
  EXPECT_EQ(launch(function, in, out, {}), quern::ptx::IllegalAddress);
  EXPECT_CONTAINS(std::string(quernTestCudaGetError()),
                  "4 bytes into an allocation of 8 bytes that was freed");
}

TEST_F(CudaDriver, FindsReadsOfWhatWasNeverWritten) {
  auto fault = [&](const std::string &body) {
    return runFault(makeKernel(body, tile), {1}, 1, quern::ptx::LaunchFailed,
                    1);
  };
  EXPECT_CONTAINS(fault("add.u32 %r1, %r2, 1;"),
                  "register that was never written");
  EXPECT_CONTAINS(fault("@%p1 mov.u32 %r1, 1;"),
                  "predicate that was never written");
  EXPECT_CONTAINS(fault("mov.b32 %r1, %r2; st.global.u32 [%d1], %r1;"),
                  "register that was never written");
  EXPECT_CONTAINS(fault("mov.b32 {%h1, %h2}, %r2; cvt.u32.u16 %r3, %h1;"),
                  "register that was never written");
  EXPECT_CONTAINS(fault("ld.shared.u32 %r1, [tile];"),
                  "shared memory at byte 0, which was never written");
  EXPECT_CONTAINS(fault("st.shared.u8 [tile], %r0; ld.shared.u16 %r1, [tile];"),
                  "byte 1, which was never written");
  EXPECT_CONTAINS(
      fault(".local .align 4 .b8 stack[8]; ld.local.u32 %r1, [stack];"),
      "local memory that was never written");
  // A lane that skipped the write.
  EXPECT_CONTAINS(runFault(makeKernel("setp.lt.u32 %p1, %r0, 5;\n"
                                      "@%p1 mov.u32 %r1, 1;\n"
                                      "add.u32 %r2, %r1, 1;"),
                           {}, 1),
                  "thread (5, 0, 0)");
  // Undefined values may be moved, and left out.
  EXPECT_EQ(run(makeKernel("mov.b32 %r2, %r3; setp.eq.u32 %p1, %r0, 0;\n"
                           "selp.b32 %r4, %r0, %r2, %p1;\n"
                           "@%p1 st.global.u32 [%d1], %r4;"),
                {}, 1, 1)[0],
            0u);
  void *function = getFunction(load(makeKernel("ld.global.u32 %r1, [%d0];")));
  CuPointer fresh = allocate(8), out = allocate(4);
  ASSERT_CU(cuMemsetD8_v2(fresh, 0, 3));
  EXPECT_EQ(launch(function, fresh, out, {}), quern::ptx::LaunchFailed);
  EXPECT_CONTAINS(std::string(quernTestCudaGetError()),
                  "device memory that was never written: byte 3");
}

TEST_F(CudaDriver, FindsRacesOnSharedMemory) {
  auto fault = [&](const std::string &body, unsigned threads = 64) {
    return runFault(makeKernel(place + body, tile), {}, 64,
                    quern::ptx::LaunchFailed, threads);
  };
  const std::string write = "st.shared.u32 [%d3], %r0;\n";
  const std::string readFirst = "ld.shared.u32 %r1, [tile];\n";
  // Write, read by others; in one warp, and in two.
  EXPECT_CONTAINS(fault(write + readFirst), "data race: read");
  EXPECT_CONTAINS(fault("setp.eq.u32 %p1, %r0, 0;\n@%p1 " + write +
                        "setp.eq.u32 %p2, %r0, 40;\n@%p2 " + readFirst),
                  "data race: read");
  // Two writes.
  EXPECT_CONTAINS(fault("st.shared.u32 [tile], %r0;"), "data race: write");
  // Read, then written by others.
  EXPECT_CONTAINS(fault("setp.eq.u32 %p1, %r0, 0;\n@%p1 st.shared.u32 [tile], "
                        "7; bar.sync 0;\n" +
                        readFirst + "@%p1 st.shared.u32 [tile], 8;"),
                  "and a read by threads of warp");
  EXPECT_CONTAINS(
      fault("setp.eq.u32 %p1, %r0, 0;\n@%p1 st.shared.u32 [tile], 7;\n"
            "bar.sync 0; setp.eq.u32 %p2, %r0, 33;\n@%p2 " +
            readFirst + "@%p1 st.shared.u32 [tile], 8;"),
      "data race");
  // A barrier of another pair of warps does not help.
  EXPECT_CONTAINS(fault(write +
                            "setp.ge.u32 %p1, %r0, 64; @%p1 bra $three;\n"
                            "bar.sync 1, 64;\n$three:\n"
                            "@%p1 " +
                            readFirst,
                        96),
                  "data race: read");
  // An atomic and a plain access.
  EXPECT_CONTAINS(fault("setp.eq.u32 %p1, %r0, 0;\n@%p1 st.shared.u32 [tile], "
                        "7; bar.sync 0;\n"
                        "red.shared.add.u32 [tile], 1;\n@%p1 " +
                        readFirst),
                  "data race");
}

TEST_F(CudaDriver, TakesOrderedAccessesForNoRaces) {
  // Neighbours of the warp after bar.warp.sync, of the block after bar.sync,
  // of two warps after a barrier of their own.
  const std::string write = place + "st.shared.u32 [%d3], %r0;\n";
  auto read = [](const char *mask) {
    return std::string("xor.b32 %r2, %r0, ") + mask +
           "; mul.wide.u32 %d4, %r2, 4; add.s64 %d4, %d4, %d2;\n"
           "ld.shared.u32 %r1, [%d4];\n";
  };
  const std::string store = "mul.wide.u32 %d5, %r0, 4; add.s64 %d5, %d5, %d1;\n"
                            "st.global.u32 [%d5], %r1;";
  struct Ordered {
    std::string body;
    uint32_t mask;
  };
  const Ordered cases[] = {
      {write + "bar.warp.sync -1;\n" + read("1"), 1},
      {write + "bar.sync 0;\n" + read("63"), 63},
      {write + "barrier.sync 0;\n" + read("32"), 32},
      {write + "bar.sync 3, 64;\n" + read("32"), 32},
      // Read, barrier, overwritten by another.
      {write + "bar.sync 0;\n" + read("33") + "bar.sync 0;\n" +
           "st.shared.u32 [%d4], %r1; bar.sync 0;\n" + read("33"),
       0},
  };
  for (const Ordered &ordered : cases)
    for (const char *seed : {"0", "1", "2"}) {
      ASSERT_TRUE(quernTestCudaSetOption("SHUFFLE", seed));
      Words found = run(makeKernel(ordered.body + store, tile), {}, 64, 64);
      for (uint32_t i = 0; i != 64; ++i)
        ASSERT_EQ(found[i], ordered.mask == 0 ? i ^ 33 : i ^ ordered.mask)
            << ordered.body;
    }
}

TEST_F(CudaDriver, FindsDivergentBarriers) {
  auto fault = [&](const std::string &body, unsigned threads = 64) {
    return runFault(makeKernel(body), {}, 1, quern::ptx::LaunchFailed, threads);
  };
  const std::string firstLane = "setp.eq.u32 %p1, %r0, 0;\n";
  EXPECT_CONTAINS(fault(firstLane + "@%p1 bar.sync 0;"), "divergent barrier");
  EXPECT_CONTAINS(fault(firstLane + "@%p1 bra $skip;\nbar.sync 0;\n$skip:\n"),
                  "divergent barrier");
  // One warp returns before the barrier.
  std::string text = fault("setp.ge.u32 %p1, %r0, 32; @%p1 ret;\nbar.sync 0;");
  EXPECT_CONTAINS(text, "threads wait for others that never come");
  EXPECT_CONTAINS(text, "32 lanes at line 14 (bar.sync 0;)");
  EXPECT_CONTAINS(text, "1 of 2 warps have ended");
  // Two barriers that do not match.
  EXPECT_CONTAINS(fault("setp.ge.u32 %p1, %r0, 32; @%p1 bra $other;\n"
                        "bar.sync 0; bra.uni $end;\n$other: bar.sync 1;\n"
                        "$end:\n"),
                  "divergent barrier");
  EXPECT_CONTAINS(fault("mov.u32 %r1, 33; bar.sync 0, %r1;"),
                  "not a multiple of 32");
  EXPECT_CONTAINS(fault("setp.ge.u32 %p1, %r0, 32; @%p1 bra $other;\n"
                        "bar.sync 0, 64; bra.uni $end;\n"
                        "$other: bar.sync 0, 96;\n$end:\n",
                        96),
                  "barrier 0");
}

TEST_F(CudaDriver, MeetsAtBarriersThatAreNotAligned) {
  // Both sides of a branch have a barrier.sync of their own.
  EXPECT_EQ(run(makeKernel("setp.lt.u32 %p1, %r0, 5; @%p1 bra $few;\n"
                           "barrier.sync 0; bra.uni $end;\n"
                           "$few: barrier.sync 0;\n"
                           "$end: setp.eq.u32 %p2, %r0, 0;\n"
                           "@%p2 st.global.u32 [%d1], 9;"),
                {}, 1, 64)[0],
            9u);
  // A producer arrives, a consumer waits.
  EXPECT_EQ(run(makeKernel("setp.lt.u32 %p1, %r0, 32; @%p1 bra $producer;\n"
                           "bar.sync 1, 64; ld.shared.u32 %r1, [tile];\n"
                           "setp.eq.u32 %p2, %r0, 32;\n"
                           "@%p2 st.global.u32 [%d1], %r1; bra.uni $end;\n"
                           "$producer: setp.eq.u32 %p2, %r0, 0;\n"
                           "@%p2 st.shared.u32 [tile], 77; bar.arrive 1, 64;\n"
                           "$end:\n",
                           tile),
                {}, 1, 64)[0],
            77u);
}

TEST_F(CudaDriver, GivesUpKernelsThatDoNotEnd) {
  void *function = getFunction(load(makeKernel("$loop: bra.uni $loop;")));
  ASSERT_TRUE(quernTestCudaSetOption("MAX_INSTRUCTIONS", "10000"));
  CuPointer out = allocate(4);
  EXPECT_EQ(launch(function, out, out, {}), quern::ptx::LaunchTimeout);
  EXPECT_CONTAINS(std::string(quernTestCudaGetError()), "does not end");
}

TEST_F(CudaDriver, TrapsAreFaults) {
  EXPECT_CONTAINS(runFault(makeKernel("trap;"), {}, 1), "trap");
}
