//===- IntegerTest.cpp - Integer arithmetic and carries -------------------===//

#include "test/cuda/DriverTest.h"

using namespace quern::test;

TEST_F(CudaDriver, AddsIntegers) {
  checkRows({
      {"add.s32 %r10, %r1, %r2;", {0x7fffffff, 1}, 0x80000000},
      {"add.u16 %h10, %h1, %h2;", {0xffff, 3}, 2},
      {"add.s64 %d10, %d4, %d5;", {0xffffffff, 0, 1, 0}, 0x100000000},
      {"add.u64 %d10, %d4, -1;", {0, 1}, 0xffffffff},
      {"add.sat.s32 %r10, %r1, %r2;", {0x7fffffff, 1}, 0x7fffffff},
      {"add.sat.s32 %r10, %r1, %r2;", {0x80000000, 0xffffffff}, 0x80000000},
      {"sub.s32 %r10, %r1, %r2;", {3, 5}, 0xfffffffe},
      {"sub.sat.s32 %r10, %r1, %r2;", {0x80000000, 1}, 0x80000000},
      {"sub.s64 %d10, %d4, %d5;", {0, 1, 1, 0}, 0xffffffff},
      {"neg.s32 %r10, %r1;", {5}, 0xfffffffb},
      {"neg.s64 %d10, %d4;", {1, 0}, 0xffffffffffffffff},
      {"abs.s32 %r10, %r1;", {0xfffffffb}, 5},
      {"abs.s32 %r10, %r1;", {0x80000000}, 0x80000000},
      {"sad.u32 %r10, %r1, %r2, %r3;", {3, 10, 5}, 12},
      {"sad.s32 %r10, %r1, %r2, %r3;", {0xfffffffd, 4, 1}, 8},
  });
}

TEST_F(CudaDriver, MultipliesIntegers) {
  checkRows({
      {"mul.lo.s32 %r10, %r1, %r2;", {0x10001, 0x10001}, 0x20001},
      {"mul.lo.u16 %h10, %h1, %h2;", {0x1234, 0x10}, 0x2340},
      {"mul.lo.s64 %d10, %d4, %d5;", {0, 1, 3, 0}, 0x300000000},
      {"mul.hi.u32 %r10, %r1, %r2;", {0xffffffff, 0xffffffff}, 0xfffffffe},
      {"mul.hi.s32 %r10, %r1, %r2;", {0xffffffff, 0xffffffff}, 0},
      {"mul.hi.s32 %r10, %r1, %r2;", {0x80000000, 2}, 0xffffffff},
      {"mul.hi.u64 %d10, %d4, %d5;", {0, 0x80000000, 4, 0}, 2},
      {"mul.wide.u32 %d10, %r1, %r2;", {0xffffffff, 2}, 0x1fffffffe},
      {"mul.wide.s32 %d10, %r1, %r2;", {0xffffffff, 2}, 0xfffffffffffffffe},
      {"mul.wide.u16 %r10, %h1, %h2;", {0xffff, 0xffff}, 0xfffe0001},
      {"mul.wide.s16 %r10, %h1, %h2;", {0xffff, 2}, 0xfffffffe},
      {"mad.lo.s32 %r10, %r1, %r2, %r3;", {3, 4, 5}, 17},
      {"mad.hi.u32 %r10, %r1, %r2, %r3;", {0x80000000, 4, 1}, 3},
      {"mad.wide.s32 %d10, %r1, 5, %d5;", {0xfffffffd, 0, 100, 0}, 85},
      {"mad.lo.u64 %d10, %d4, 2, %d5;", {0x80000000, 0, 1, 0}, 0x100000001},
  });
}

TEST_F(CudaDriver, DividesIntegers) {
  checkRows({
      {"div.s32 %r10, %r1, %r2;", {0xfffffff9, 2}, 0xfffffffd},
      {"rem.s32 %r10, %r1, %r2;", {0xfffffff9, 2}, 0xffffffff},
      {"div.u32 %r10, %r1, %r2;", {0xffffffff, 16}, 0x0fffffff},
      {"rem.u32 %r10, %r1, %r2;", {100, 7}, 2},
      {"div.s32 %r10, %r1, -1;", {0x80000000}, 0x80000000},
      {"div.u64 %d10, %d4, %d5;", {0, 1, 2, 0}, 0x80000000},
      {"rem.s64 %d10, %d4, %d5;",
       {0xfffffff9, 0xffffffff, 4, 0},
       0xfffffffffffffffd},
      {"div.s16 %h10, %h1, %h2;", {0xfff9, 2}, 0xfffd},
  });
  EXPECT_CONTAINS(runFault(makeKernel("div.u32 %r1, %r0, 0;"), {}, 1),
                  "division by zero");
}

TEST_F(CudaDriver, ComparesIntegersForMinAndMax) {
  checkRows({
      {"min.s32 %r10, %r1, %r2;", {0xffffffff, 1}, 0xffffffff},
      {"min.u32 %r10, %r1, %r2;", {0xffffffff, 1}, 1},
      {"max.s32 %r10, %r1, %r2;", {0xffffffff, 1}, 1},
      {"max.u32 %r10, %r1, %r2;", {0xffffffff, 1}, 0xffffffff},
      {"max.s64 %d10, %d4, %d5;", {0, 0x80000000, 5, 0}, 5},
      {"min.s16 %h10, %h1, %h2;", {0x8000, 0x7fff}, 0x8000},
  });
}

TEST_F(CudaDriver, MultipliesBytes) {
  checkRows({
      {"dp4a.s32.s32 %r10, %r1, %r2, %r3;", {0x01020304, 0x01010101, 10}, 20},
      {"dp4a.s32.s32 %r10, %r1, %r2, %r3;", {0xff, 2, 0}, 0xfffffffe},
      {"dp4a.u32.u32 %r10, %r1, %r2, %r3;", {0xff, 0xff, 0}, 65025},
      {"dp4a.u32.s32 %r10, %r1, %r2, %r3;", {0xff, 0xff, 0}, 0xffffff01},
      {"dp4a.s32.u32 %r10, %r1, %r2, %r3;",
       {0x80000000, 0x02000000, 1},
       0xffffff01},
  });
}

TEST_F(CudaDriver, CarriesFromWordToWord) {
  const char *add = "add.cc.u32 %r10, %r1, %r2; addc.u32 %r11, %r3, %r4;";
  const char *subtract = "sub.cc.u32 %r10, %r1, %r2; subc.u32 %r11, %r3, %r4;";
  const char *mad = "mad.lo.cc.u32 %r10, %r1, %r2, %r3;"
                    "madc.hi.u32 %r11, %r1, %r2, %r4;";
  checkRows({
      {add, {0xffffffff, 1, 5, 6}, 0, 12},
      {add, {1, 1, 5, 6}, 2, 11},
      {subtract, {0, 1, 5, 2}, 0xffffffff, 2},
      {subtract, {7, 1, 5, 2}, 6, 3},
      {mad, {0xffffffff, 2, 5, 10}, 3, 12},
      {mad, {3, 4, 5, 10}, 17, 10},
      // The flag goes through: 0xffffffff + 0 + 1 carries again.
      {"add.cc.u32 %r9, %r1, %r2; addc.cc.u32 %r10, %r3, 0;"
       "addc.u32 %r11, 0, 0;",
       {0xffffffff, 1, 0xffffffff},
       0,
       1},
      {"add.cc.u64 %d9, %d4, %d5; addc.u64 %d10, 0, 0;",
       {0xffffffff, 0xffffffff, 1, 0},
       1},
  });
  EXPECT_CONTAINS(runFault(makeKernel("addc.u32 %r1, %r0, %r0;"), {}, 1),
                  "carry flag");
}
