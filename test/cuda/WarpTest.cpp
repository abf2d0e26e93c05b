//===- WarpTest.cpp - Lanes: divergence, shuffles, votes ------------------===//

#include "test/cuda/DriverTest.h"

using namespace quern::test;

/// One word for each thread: what `body` leaves in %r10.
static std::string makeLaneKernel(const std::string &body) {
  return makeKernel("mul.wide.u32 %d2, %r0, 4; add.s64 %d1, %d1, %d2;\n"
                    "mov.u32 %r20, 0; setp.ne.u32 %p1, %r0, %r20;\n" +
                    body + "\nst.global.u32 [%d1], %r10;");
}

static Words makeLanes(uint32_t (*expected)(uint32_t), uint32_t count = 32) {
  Words words(count);
  for (uint32_t i = 0; i != count; ++i)
    words[i] = expected(i);
  return words;
}

TEST_F(CudaDriver, Shuffles) {
  struct Shuffle {
    const char *code;
    uint32_t (*expected)(uint32_t lane);
  };
  const Shuffle shuffles[] = {
      {"shfl.sync.bfly.b32 %r10, %r0, 5, 31, -1;",
       [](uint32_t l) { return l ^ 5; }},
      {"shfl.sync.down.b32 %r10, %r0, 3, 31, -1;",
       [](uint32_t l) { return l + 3 < 32 ? l + 3 : l; }},
      {"shfl.sync.up.b32 %r10, %r0, 3, 0, -1;",
       [](uint32_t l) { return l >= 3 ? l - 3 : l; }},
      {"shfl.sync.idx.b32 %r10, %r0, 7, 31, -1;", [](uint32_t) { return 7U; }},
      // Segments of 8 lanes: 0x181f is clamp 31 and mask 24.
      {"shfl.sync.idx.b32 %r10, %r0, 3, 0x181f, -1;",
       [](uint32_t l) { return l / 8 * 8 + 3; }},
      {"shfl.sync.down.b32 %r10, %r0, 6, 0x181f, -1;",
       [](uint32_t l) { return l % 8 + 6 < 8 ? l + 6 : l; }},
      {"shfl.sync.up.b32 %r10, %r0, 6, 0x1800, -1;",
       [](uint32_t l) { return l % 8 >= 6 ? l - 6 : l; }},
      {"shfl.sync.bfly.b32 %r10, %r0, 4, 0x181f, -1;",
       [](uint32_t l) { return l ^ 4; }},
      {"shfl.sync.down.b32 %r9|%p2, %r0, 3, 31, -1; selp.b32 %r10, 1, 0, %p2;",
       [](uint32_t l) { return l + 3 < 32 ? 1U : 0U; }},
      {"shfl.sync.bfly.b32 %r9|%p2, %r0, 24, 0x101f, -1;"
       "selp.b32 %r10, 1, 0, %p2;",
       [](uint32_t l) { return l < 16 ? 0U : 1U; }},
  };
  for (const Shuffle &shuffle : shuffles)
    EXPECT_EQ(run(makeLaneKernel(shuffle.code), {}, 32),
              makeLanes(shuffle.expected))
        << shuffle.code;
}

TEST_F(CudaDriver, Votes) {
  struct Vote {
    const char *code;
    uint32_t (*expected)(uint32_t lane);
  };
  // %p1: every lane but the first. %p3: even lanes.
  const Vote votes[] = {
      {"vote.sync.ballot.b32 %r10, %p1, -1;",
       [](uint32_t) { return 0xfffffffeU; }},
      {"vote.sync.ballot.b32 %r10, !%p1, -1;", [](uint32_t) { return 1U; }},
      {"vote.sync.all.pred %p2, %p1, -1; selp.b32 %r10, 1, 0, %p2;",
       [](uint32_t) { return 0U; }},
      {"vote.sync.any.pred %p2, %p1, -1; selp.b32 %r10, 1, 0, %p2;",
       [](uint32_t) { return 1U; }},
      {"vote.sync.uni.pred %p2, %p1, -1; selp.b32 %r10, 1, 0, %p2;",
       [](uint32_t) { return 0U; }},
      {"and.b32 %r1, %r0, 3; match.any.sync.b32 %r10, %r1, -1;",
       [](uint32_t l) { return 0x11111111U << l % 4; }},
      {"mov.b32 %r1, 5; match.all.sync.b32 %r10|%p2, %r1, -1;",
       [](uint32_t) { return 0xffffffffU; }},
      {"match.all.sync.b32 %r10|%p2, %r0, -1;", [](uint32_t) { return 0U; }},
      {"redux.sync.add.s32 %r10, %r0, -1;", [](uint32_t) { return 496U; }},
      {"neg.s32 %r1, %r0; redux.sync.min.s32 %r10, %r1, -1;",
       [](uint32_t) { return 0xffffffe1U; }},
      {"redux.sync.max.u32 %r10, %r0, -1;", [](uint32_t) { return 31U; }},
      {"redux.sync.xor.b32 %r10, %r0, -1;", [](uint32_t) { return 0U; }},
      {"redux.sync.or.b32 %r10, %r0, -1;", [](uint32_t) { return 31U; }},
      {"activemask.b32 %r10;", [](uint32_t) { return 0xffffffffU; }},
      {"mov.b32 %r10, 0; @%p1 activemask.b32 %r10;",
       [](uint32_t l) { return l == 0 ? 0U : 0xfffffffeU; }},
  };
  for (const Vote &vote : votes)
    EXPECT_EQ(run(makeLaneKernel(vote.code), {}, 32), makeLanes(vote.expected))
        << vote.code;
}

TEST_F(CudaDriver, DivergesAndMeetsAgain) {
  // Lane l loops l times; then all meet at a vote.
  EXPECT_EQ(run(makeLaneKernel("mov.u32 %r10, 0; mov.u32 %r1, 0;\n"
                               "$loop: setp.ge.u32 %p2, %r1, %r0;\n"
                               "@%p2 bra $end;\n"
                               "add.u32 %r10, %r10, %r1;\n"
                               "add.u32 %r1, %r1, 1; bra.uni $loop;\n"
                               "$end: vote.sync.ballot.b32 %r3, %p2, -1;\n"
                               "add.u32 %r10, %r10, %r3;"),
                {}, 32),
            makeLanes([](uint32_t l) { return l * (l - 1) / 2 - 1; }));
  // The branch that is taken lies behind its meeting point.
  EXPECT_EQ(run(makeLaneKernel("mov.u32 %r10, 1; and.b32 %r1, %r0, 1;\n"
                               "setp.eq.u32 %p2, %r1, 0; @%p2 bra $even;\n"
                               "mov.u32 %r10, 2;\n"
                               "$meet: redux.sync.add.u32 %r10, %r10, -1;\n"
                               "bra.uni $end;\n"
                               "$even: mov.u32 %r10, 10; bra.uni $meet;\n"
                               "$end: add.u32 %r10, %r10, %r0;"),
                {}, 32),
            makeLanes([](uint32_t l) { return 192 + l; }));
  // Half of the lanes exit; the mask still names them.
  EXPECT_EQ(run(makeLaneKernel("setp.ge.u32 %p2, %r0, 16; @%p2 exit;\n"
                               "redux.sync.add.u32 %r10, %r0, -1;"),
                {}, 32),
            makeLanes([](uint32_t l) { return l < 16 ? 120U : 0U; }));
}

TEST_F(CudaDriver, RunsIncompleteWarps) {
  EXPECT_EQ(
      run(makeLaneKernel("redux.sync.add.u32 %r10, %r0, -1;"), {}, 40, 40),
      makeLanes([](uint32_t l) { return l < 32 ? 496U : 284U; }, 40));
}

TEST_F(CudaDriver, RefusesLanesThatDoNotMeet) {
  EXPECT_CONTAINS(
      runFault(makeLaneKernel("mov.u32 %r10, 0;\n"
                              "@%p1 shfl.sync.bfly.b32 %r10, %r0, 1, 31, -1;"),
               {}, 32),
      "wait for others that never come");
  EXPECT_CONTAINS(
      runFault(makeLaneKernel("redux.sync.add.u32 %r10, %r0, 0xff;"), {}, 32),
      "not in its own member mask");
  // A lane that takes no part gives nothing.
  EXPECT_CONTAINS(
      runFault(makeLaneKernel("mov.u32 %r10, 0;\n"
                              "@%p1 shfl.sync.idx.b32 %r10, %r0, 0, 31, "
                              "0xfffffffe;\n"),
               {}, 32),
      "register that was never written");
}
