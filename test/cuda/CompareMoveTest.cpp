//===- CompareMoveTest.cpp - setp, selp, slct, set, mov -------------------===//

#include "test/cuda/DriverTest.h"

using namespace quern::test;

static std::string selected(const char *comparison) {
  return std::string("setp.") + comparison +
         " %p5, %r1, %r2; selp.b32 %r10, 1, 0, %p5;";
}

TEST_F(CudaDriver, ComparesNumbers) {
  const uint32_t nan = 0x7fc00000, one = 0x3f800000, two = 0x40000000;
  struct Comparison {
    const char *name;
    uint32_t a, b;
    uint64_t holds;
  };
  const Comparison comparisons[] = {
      {"eq.s32", 1, 1, 1},          {"ne.b32", 1, 1, 0},
      {"lt.s32", 0xffffffff, 0, 1}, {"lt.u32", 0xffffffff, 0, 0},
      {"lo.u32", 0, 1, 1},          {"ls.u32", 1, 1, 1},
      {"hi.u32", 1, 1, 0},          {"hs.u32", 1, 1, 1},
      {"ge.s32", 0x80000000, 0, 0}, {"le.s32", 5, 5, 1},
      {"gt.u32", 0x80000000, 1, 1}, {"lt.f32", one, two, 1},
      {"lt.f32", nan, two, 0},      {"eq.f32", 0, 0x80000000, 1},
      {"eq.f32", nan, nan, 0},      {"ne.f32", nan, one, 0},
      {"neu.f32", nan, one, 1},     {"equ.f32", nan, one, 1},
      {"ltu.f32", nan, one, 1},     {"ltu.f32", two, one, 0},
      {"leu.f32", one, one, 1},     {"gtu.f32", one, nan, 1},
      {"geu.f32", one, two, 0},     {"num.f32", one, two, 1},
      {"num.f32", one, nan, 0},     {"nan.f32", one, nan, 1},
      {"gt.f32", 0x00400000, 0, 1}, {"gt.ftz.f32", 0x00400000, 0, 0},
  };
  std::vector<std::string> codes;
  for (const Comparison &comparison : comparisons)
    codes.push_back(selected(comparison.name));
  std::vector<Row> rows;
  for (size_t i = 0; i != codes.size(); ++i)
    rows.push_back({codes[i].c_str(),
                    {comparisons[i].a, comparisons[i].b},
                    comparisons[i].holds});
  checkRows(rows);
}

TEST_F(CudaDriver, JoinsComparisons) {
  const char *both = "setp.lt.and.s32 %p5|%p6, %r1, %r2, %p3;"
                     "selp.b32 %r10, 1, 0, %p5; selp.b32 %r11, 1, 0, %p6;";
  checkRows({
      {both, {1, 2, 1}, 1, 0},
      {both, {2, 1, 1}, 0, 1},
      {both, {1, 2, 0}, 0, 0},
      {"setp.lt.or.s32 %p5, %r1, %r2, !%p3; selp.b32 %r10, 1, 0, %p5;",
       {2, 1, 0},
       1},
      {"setp.lt.xor.s32 %p5, %r1, %r2, %p3; selp.b32 %r10, 1, 0, %p5;",
       {1, 2, 1},
       0},
      {"setp.gt.s64 %p5, %d4, %d5; selp.b32 %r10, 1, 0, %p5;",
       {0, 0x80000000, 0, 0},
       0},
      {"setp.gt.u64 %p5, %d4, %d5; selp.b32 %r10, 1, 0, %p5;",
       {0, 0x80000000, 0, 0},
       1},
      {"setp.lt.f64 %p5, %d4, %d5; selp.b32 %r10, 1, 0, %p5;",
       {0, 0x3ff00000, 0, 0x40000000},
       1},
      {"setp.lt.s16 %p5, %h1, %h2; selp.b32 %r10, 1, 0, %p5;", {0x8000, 0}, 1},
      {"setp.gt.f16 %p5, %h1, %h2; selp.b32 %r10, 1, 0, %p5;",
       {0x3c00, 0xbc00},
       1},
      {"set.lt.u32.s32 %r10, %r1, %r2;", {1, 2}, 0xffffffff},
      {"set.gt.f32.f32 %r10, %r1, %r2;", {0x40000000, 0x3f800000}, 0x3f800000},
      {"set.gt.f32.f32 %r10, %r1, %r2;", {0x3f800000, 0x3f800000}, 0},
      {"selp.f32 %r10, %r1, %r2, !%p3;", {7, 8, 1}, 8},
      {"selp.b64 %d10, %d4, %d5, %p1;", {7, 8, 9, 10}, 0x800000007},
      {"selp.b16 %h10, %h1, %h2, %p3;", {7, 8, 0}, 8},
      {"slct.b32.s32 %r10, %r1, %r2, %r3;", {7, 8, 0}, 7},
      {"slct.b32.s32 %r10, %r1, %r2, %r3;", {7, 8, 0xffffffff}, 8},
      {"slct.b32.f32 %r10, %r1, %r2, %r3;", {7, 8, 0xbf800000}, 8},
  });
}

TEST_F(CudaDriver, Moves) {
  checkRows({
      {"mov.b32 %r10, %r1;", {0x12345678}, 0x12345678},
      {"mov.b32 %r10, 0f3F800000;", {}, 0x3f800000},
      {"mov.f32 %r10, 0f3F800000;", {}, 0x3f800000},
      {"mov.b32 %r10, -2;", {}, 0xfffffffe},
      {"mov.u32 %r10, 0b101;", {}, 5},
      {"mov.u32 %r10, 017;", {}, 15},
      {"mov.u32 %r10, 0xffU;", {}, 255},
      {"mov.u32 %r10, WARP_SZ;", {}, 32},
      {"mov.b64 %d10, 0d3FF0000000000000;", {}, 0x3ff0000000000000},
      {"mov.b16 %h10, 0x3C00;", {}, 0x3c00},
      {"mov.b32 %r10, {%h1, %h2};", {0x1111, 0x2222}, 0x22221111},
      {"mov.b32 {%h11, %h10}, %r1;", {0x22221111}, 0x2222},
      {"mov.b64 {%r10, %r11}, %d4;", {5, 6}, 5, 6},
      {"mov.b64 {_, %r10}, %d4;", {5, 6}, 6},
      {"mov.b64 %d10, {%h1, %h2, %h3, %h4};", {1, 2, 3, 4}, 0x0004000300020001},
      {"mov.b64 {%h11, %h12, %h13, %h10}, %d4;", {0, 0x77770000}, 0x7777},
      {"mov.pred %p5, %p1; selp.b32 %r10, 1, 0, %p5;", {1}, 1},
      {"@%p1 mov.b32 %r10, 7;", {1}, 7},
      {"@%p1 mov.b32 %r10, 7;", {0}, 0},
      {"@!%p1 mov.b32 %r10, 7;", {0}, 7},
  });
}

TEST_F(CudaDriver, KnowsWhereAThreadIs) {
  // Each thread writes one register at its place in the grid.
  struct Register {
    const char *name;
    uint32_t (*expected)(uint32_t block, uint32_t thread);
  };
  // A grid of (2, 3, 2) blocks of (8, 4, 2) threads.
  const Register registers[] = {
      {"%tid.x", [](uint32_t, uint32_t t) { return t % 8; }},
      {"%tid.y", [](uint32_t, uint32_t t) { return t / 8 % 4; }},
      {"%tid.z", [](uint32_t, uint32_t t) { return t / 32; }},
      {"%ntid.x", [](uint32_t, uint32_t) { return 8U; }},
      {"%ntid.z", [](uint32_t, uint32_t) { return 2U; }},
      {"%ctaid.x", [](uint32_t b, uint32_t) { return b % 2; }},
      {"%ctaid.y", [](uint32_t b, uint32_t) { return b / 2 % 3; }},
      {"%ctaid.z", [](uint32_t b, uint32_t) { return b / 6; }},
      {"%nctaid.y", [](uint32_t, uint32_t) { return 3U; }},
      {"%laneid", [](uint32_t, uint32_t t) { return t % 32; }},
      {"%warpid", [](uint32_t, uint32_t t) { return t / 32; }},
      {"%nwarpid", [](uint32_t, uint32_t) { return 2U; }},
      {"%lanemask_lt", [](uint32_t, uint32_t t) { return (1U << t % 32) - 1; }},
      {"%lanemask_eq", [](uint32_t, uint32_t t) { return 1U << t % 32; }},
      {"%lanemask_ge",
       [](uint32_t, uint32_t t) { return ~((1U << t % 32) - 1); }},
  };
  for (const Register &reg : registers) {
    std::string ptx = makeKernel(
        "mov.u32 %r1, %tid.z; mov.u32 %r2, %tid.y; mov.u32 %r3, %tid.x;\n"
        "mad.lo.u32 %r4, %r1, 4, %r2; mad.lo.u32 %r4, %r4, 8, %r3;\n"
        "mov.u32 %r1, %ctaid.z; mov.u32 %r2, %ctaid.y;\n"
        "mov.u32 %r3, %ctaid.x;\n"
        "mad.lo.u32 %r5, %r1, 3, %r2; mad.lo.u32 %r5, %r5, 2, %r3;\n"
        "mad.lo.u32 %r6, %r5, 64, %r4; mul.wide.u32 %d2, %r6, 4;\n"
        "add.s64 %d3, %d1, %d2; mov.u32 %r7, " +
        std::string(reg.name) + ";\nst.global.u32 [%d3], %r7;");
    Words found = run(ptx, {}, 12 * 64, Shape{{2, 3, 2}, {8, 4, 2}, 0});
    for (uint32_t i = 0; i != found.size(); ++i)
      ASSERT_EQ(found[i], reg.expected(i / 64, i % 64)) << reg.name << " " << i;
  }
}
