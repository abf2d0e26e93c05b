//===- BitsTest.cpp - Logic, shifts, fields, permutations -----------------===//

#include "test/cuda/DriverTest.h"

using namespace quern::test;

TEST_F(CudaDriver, DoesLogic) {
  checkRows({
      {"and.b32 %r10, %r1, %r2;", {0xff00ff00, 0x0ff00ff0}, 0x0f000f00},
      {"or.b32 %r10, %r1, %r2;", {0xff00ff00, 0x0ff00ff0}, 0xfff0fff0},
      {"xor.b32 %r10, %r1, %r2;", {0xff00ff00, 0x0ff00ff0}, 0xf0f0f0f0},
      {"not.b32 %r10, %r1;", {0x0000ffff}, 0xffff0000},
      {"and.b64 %d10, %d4, %d5;", {0xff, 0xff, 0x0f, 0xf0}, 0xf00000000f},
      {"xor.b16 %h10, %h1, %h2;", {0xff00, 0x0ff0}, 0xf0f0},
      {"not.b16 %h10, %h1;", {1}, 0xfffe},
      {"cnot.b32 %r10, %r1;", {0}, 1},
      {"cnot.b32 %r10, %r1;", {2}, 0},
      {"and.pred %p5, %p1, %p2; selp.b32 %r10, 1, 0, %p5;", {1, 0}, 0},
      {"or.pred %p5, %p1, %p2; selp.b32 %r10, 1, 0, %p5;", {1, 0}, 1},
      {"xor.pred %p5, %p1, %p2; selp.b32 %r10, 1, 0, %p5;", {1, 1}, 0},
      {"not.pred %p5, %p1; selp.b32 %r10, 1, 0, %p5;", {0}, 1},
      {"lop3.b32 %r10, %r1, %r2, %r3, 0x80;", {0xff, 0x0f, 0x3c}, 0x0c},
      {"lop3.b32 %r10, %r1, %r2, %r3, 0x96;", {1, 2, 4}, 7},
      // b & ~a: bits 2 and 3 of the table.
      {"lop3.b32 %r10, %r1, %r2, %r3, 0x0c;", {0x0f, 0x3c, 0x55}, 0x30},
  });
}

TEST_F(CudaDriver, Shifts) {
  checkRows({
      {"shl.b32 %r10, %r1, %r2;", {1, 31}, 0x80000000},
      {"shl.b32 %r10, %r1, %r2;", {1, 32}, 0},
      {"shl.b32 %r10, %r1, %r2;", {1, 33}, 0},
      {"shr.u32 %r10, %r1, %r2;", {0x80000000, 31}, 1},
      {"shr.u32 %r10, %r1, %r2;", {0x80000000, 32}, 0},
      {"shr.s32 %r10, %r1, %r2;", {0x80000000, 4}, 0xf8000000},
      {"shr.s32 %r10, %r1, %r2;", {0x80000000, 40}, 0xffffffff},
      {"shr.b32 %r10, %r1, 8;", {0x80000000}, 0x00800000},
      {"shl.b16 %h10, %h1, %r2;", {0x00ff, 8}, 0xff00},
      {"shl.b16 %h10, %h1, %r2;", {1, 16}, 0},
      {"shr.s16 %h10, %h1, %r2;", {0x8000, 3}, 0xf000},
      {"shr.u16 %h10, %h1, %r2;", {0x8000, 15}, 1},
      {"shl.b64 %d10, %d4, %r3;", {1, 0, 63}, 0x8000000000000000},
      {"shr.u64 %d10, %d4, %r3;", {0, 0x80000000, 63}, 1},
      {"shr.s64 %d10, %d4, %r3;", {0, 0x80000000, 100}, 0xffffffffffffffff},
      {"shf.l.wrap.b32 %r10, %r1, %r2, %r3;",
       {0x89abcdef, 0x01234567, 8},
       0x23456789},
      {"shf.r.wrap.b32 %r10, %r1, %r2, %r3;",
       {0x89abcdef, 0x01234567, 8},
       0x6789abcd},
      {"shf.l.wrap.b32 %r10, %r1, %r2, %r3;",
       {0x89abcdef, 0x01234567, 40},
       0x23456789},
      {"shf.l.clamp.b32 %r10, %r1, %r2, %r3;",
       {0x89abcdef, 0x01234567, 40},
       0x89abcdef},
      {"shf.r.clamp.b32 %r10, %r1, %r2, %r3;",
       {0x89abcdef, 0x01234567, 40},
       0x01234567},
  });
}

TEST_F(CudaDriver, PermutesBytes) {
  std::array<uint32_t, 4> bytes = {0x03020100, 0x07060504, 0, 0};
  auto with = [&](uint32_t selector) {
    std::array<uint32_t, 4> in = bytes;
    in[2] = selector;
    return in;
  };
  checkRows({
      {"prmt.b32 %r10, %r1, %r2, %r3;", with(0x7531), 0x07050301},
      {"prmt.b32 %r10, %r1, %r2, %r3;", {0x80, 0, 0x0008}, 0x808080ff},
      {"prmt.b32.f4e %r10, %r1, %r2, %r3;", with(1), 0x04030201},
      {"prmt.b32.b4e %r10, %r1, %r2, %r3;", with(1), 0x06070001},
      {"prmt.b32.rc8 %r10, %r1, %r2, %r3;", with(2), 0x02020202},
      {"prmt.b32.ecl %r10, %r1, %r2, %r3;", with(2), 0x03020202},
      {"prmt.b32.ecr %r10, %r1, %r2, %r3;", with(1), 0x01010100},
      {"prmt.b32.rc16 %r10, %r1, %r2, %r3;", with(1), 0x03020302},
  });
}

TEST_F(CudaDriver, ExtractsAndInsertsFields) {
  checkRows({
      {"bfe.u32 %r10, %r1, %r2, %r3;", {0x12345678, 8, 12}, 0x456},
      {"bfe.s32 %r10, %r1, %r2, %r3;", {0x00000f00, 8, 4}, 0xffffffff},
      {"bfe.s32 %r10, %r1, %r2, %r3;", {0x00000700, 8, 4}, 7},
      {"bfe.u32 %r10, %r1, %r2, %r3;", {0xffffffff, 8, 0}, 0},
      {"bfe.s32 %r10, %r1, %r2, %r3;", {0x80000000, 40, 4}, 0xffffffff},
      {"bfe.u32 %r10, %r1, %r2, %r3;", {0xf0000000, 28, 8}, 0xf},
      {"bfe.u64 %d10, %d4, %r3, %r4;", {0, 0xabc, 32, 8}, 0xbc},
      {"bfi.b32 %r10, %r1, 0, %r2, %r3;", {0xff, 4, 8}, 0xff0},
      {"bfi.b32 %r10, %r1, 0, %r2, %r3;", {0xff, 28, 8}, 0xf0000000},
      {"bfi.b32 %r10, %r1, -1, %r2, %r3;", {0, 4, 4}, 0xffffff0f},
      {"bfi.b64 %d10, %d4, %d5, 32, 4;", {0x5, 0, 0xff, 0xff}, 0xf5000000ff},
  });
}

TEST_F(CudaDriver, CountsBits) {
  checkRows({
      {"popc.b32 %r10, %r1;", {0xf0f0}, 8},
      {"popc.b64 %r10, %d4;", {0xff, 0xff}, 16},
      {"clz.b32 %r10, %r1;", {1}, 31},
      {"clz.b32 %r10, %r1;", {0}, 32},
      {"clz.b64 %r10, %d4;", {0, 1}, 31},
      {"brev.b32 %r10, %r1;", {1}, 0x80000000},
      {"brev.b64 %d10, %d4;", {1, 0}, 0x8000000000000000},
      {"bfind.u32 %r10, %r1;", {0x10}, 4},
      {"bfind.u32 %r10, %r1;", {0}, 0xffffffff},
      {"bfind.s32 %r10, %r1;", {0xffffffff}, 0xffffffff},
      {"bfind.s32 %r10, %r1;", {0xfffffff0}, 3},
      {"bfind.shiftamt.u32 %r10, %r1;", {0x10}, 27},
  });
}
