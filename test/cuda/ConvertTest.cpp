//===- ConvertTest.cpp - cvt between all formats --------------------------===//

#include "test/cuda/DriverTest.h"

using namespace quern::test;

TEST_F(CudaDriver, ConvertsIntegers) {
  checkRows({
      {"cvt.u32.u16 %r10, %h1;", {0xffff}, 0xffff},
      {"cvt.s32.s16 %r10, %h1;", {0x8000}, 0xffff8000},
      {"cvt.s32.s8 %r10, %r1;", {0x180}, 0xffffff80},
      {"cvt.u32.u8 %r10, %r1;", {0x180}, 0x80},
      {"cvt.u16.u32 %h10, %r1;", {0x12345678}, 0x5678},
      {"cvt.s64.s32 %d10, %r1;", {0x80000000}, 0xffffffff80000000},
      {"cvt.u64.u32 %d10, %r1;", {0x80000000}, 0x80000000},
      {"cvt.u32.u64 %r10, %d4;", {5, 6}, 5},
      {"cvt.sat.u8.s32 %r10, %r1;", {300}, 255},
      {"cvt.sat.u8.s32 %r10, %r1;", {0xffffffff}, 0},
      {"cvt.sat.s8.s32 %r10, %r1;", {0xffffff38}, 0xffffff80},
      {"cvt.sat.s16.s64 %h10, %d4;", {0, 1}, 0x7fff},
      {"cvt.s8.s32 %r10, %r1;", {0xff}, 0xffffffff},
      {"cvt.sat.u32.s64 %r10, %d4;", {0xffffffff, 0xffffffff}, 0},
  });
}

TEST_F(CudaDriver, ConvertsIntegersToFloats) {
  checkRows({
      // 2^24 + 1 lies between two floats.
      {"cvt.rn.f32.s32 %r10, %r1;", {0x01000001}, 0x4b800000},
      {"cvt.rp.f32.s32 %r10, %r1;", {0x01000001}, 0x4b800001},
      {"cvt.rn.f32.s32 %r10, %r1;", {0xffffffff}, 0xbf800000},
      {"cvt.rz.f32.u32 %r10, %r1;", {0xffffffff}, 0x4f7fffff},
      {"cvt.rn.f32.u32 %r10, %r1;", {0xffffffff}, 0x4f800000},
      {"cvt.rn.f32.u16 %r10, %h1;", {0xffff}, 0x477fff00},
      {"cvt.rn.f32.u8 %r10, %r1;", {0x1ff}, 0x437f0000},
      {"cvt.rn.f32.s8 %r10, %r1;", {0xff}, 0xbf800000},
      // 2^62 + 2^38 + 1: just above half an ulp, which double would lose.
      {"cvt.rn.f32.s64 %r10, %d4;", {1, 0x40000040}, 0x5e800001},
      {"cvt.rn.f32.s64 %r10, %d4;", {0, 0x40000040}, 0x5e800000},
      {"cvt.rn.f32.u64 %r10, %d4;", {0, 0x80000000}, 0x5f000000},
      {"cvt.rn.f64.s32 %d10, %r1;", {0xfffffffe}, 0xc000000000000000},
      {"cvt.rn.f64.u64 %d10, %d4;", {0, 1}, 0x41f0000000000000},
      {"cvt.rn.f16.s32 %h10, %r1;", {2049}, 0x6800},
      {"cvt.rp.f16.s32 %h10, %r1;", {2049}, 0x6801},
      {"cvt.rn.f16.u32 %h10, %r1;", {70000}, 0x7c00},
  });
}

TEST_F(CudaDriver, ConvertsFloatsToIntegers) {
  checkRows({
      {"cvt.rzi.s32.f32 %r10, %r1;", {0xbfc00000}, 0xffffffff},
      {"cvt.rni.s32.f32 %r10, %r1;", {0x40200000}, 2},
      {"cvt.rni.s32.f32 %r10, %r1;", {0x40600000}, 4},
      {"cvt.rmi.s32.f32 %r10, %r1;", {0xbfc00000}, 0xfffffffe},
      {"cvt.rpi.s32.f32 %r10, %r1;", {0x3fc00000}, 2},
      {"cvt.rzi.s32.f32 %r10, %r1;", {0x7fc00000}, 0},
      {"cvt.rzi.s32.f32 %r10, %r1;", {0x501502f9}, 0x7fffffff},
      {"cvt.rzi.s32.f32 %r10, %r1;", {0xd01502f9}, 0x80000000},
      {"cvt.rzi.u32.f32 %r10, %r1;", {0xbf800000}, 0},
      {"cvt.rzi.u32.f32 %r10, %r1;", {0x4f800000}, 0xffffffff},
      {"cvt.rzi.u64.f32 %d10, %r1;", {0x4f800000}, 0x100000000},
      {"cvt.rzi.s64.f64 %d10, %d4;", {0, 0xc0000000}, 0xfffffffffffffffe},
      {"cvt.rni.s32.f16 %r10, %h1;", {0x4100}, 2},
      {"cvt.rzi.u8.f32 %r10, %r1;", {0x43800000}, 255},
  });
}

TEST_F(CudaDriver, ConvertsFloats) {
  checkRows({
      {"cvt.rn.f16.f32 %h10, %r1;", {0x477fe000}, 0x7bff},
      {"cvt.rn.f16.f32 %h10, %r1;", {0x477ff000}, 0x7c00},
      {"cvt.rz.f16.f32 %h10, %r1;", {0x477ff000}, 0x7bff},
      {"cvt.rn.f16.f32 %h10, %r1;", {0x33000000}, 0},
      {"cvt.rn.f16.f32 %h10, %r1;", {0x33000001}, 1},
      {"cvt.rn.f16.f32 %h10, %r1;", {0xff800000}, 0xfc00},
      {"cvt.rn.f16.f32 %h10, %r1;", {0xffc00000}, 0x7fff},
      {"cvt.f32.f16 %r10, %h1;", {1}, 0x33800000},
      {"cvt.f32.f16 %r10, %h1;", {0xfc00}, 0xff800000},
      {"cvt.f32.f16 %r10, %h1;", {0x7bff}, 0x477fe000},
      {"cvt.f32.f16 %r10, %h1;", {0x8000}, 0x80000000},
      {"cvt.rn.bf16.f32 %h10, %r1;", {0x3f808000}, 0x3f80},
      {"cvt.rn.bf16.f32 %h10, %r1;", {0x3f818000}, 0x3f82},
      {"cvt.rn.bf16.f32 %h10, %r1;", {0x3f808001}, 0x3f81},
      {"cvt.rz.bf16.f32 %h10, %r1;", {0x3f80ffff}, 0x3f80},
      {"cvt.rn.bf16.f32 %h10, %r1;", {0x7f7fffff}, 0x7f80},
      {"cvt.rn.bf16.f32 %h10, %r1;", {0x7f800001}, 0x7fff},
      {"cvt.f32.bf16 %r10, %h1;", {0x3f80}, 0x3f800000},
      {"cvt.rn.bf16x2.f32 %r10, %r1, %r2;",
       {0x3f800000, 0x40000000},
       0x3f804000},
      {"cvt.rn.relu.bf16x2.f32 %r10, %r1, %r2;",
       {0xbf800000, 0x40000000},
       0x00004000},
      {"cvt.rn.f16x2.f32 %r10, %r1, %r2;",
       {0x3f800000, 0x40000000},
       0x3c004000},
      {"cvt.rz.f16x2.f32 %r10, %r1, %r2;",
       {0x3f801fff, 0x3f800000},
       0x3c003c00},
      {"cvt.rn.f32.f64 %r10, %d4;", {0x10000001, 0x3ff00000}, 0x3f800001},
      {"cvt.rz.f32.f64 %r10, %d4;", {0x1fffffff, 0x3ff00000}, 0x3f800000},
      {"cvt.f64.f32 %d10, %r1;", {0x40200000}, 0x4004000000000000},
      {"cvt.rn.f16.f64 %h10, %d4;", {0, 0x3ff00000}, 0x3c00},
      {"cvt.rni.f32.f32 %r10, %r1;", {0x40200000}, 0x40000000},
      {"cvt.rmi.f32.f32 %r10, %r1;", {0xbf000000}, 0xbf800000},
      {"cvt.rpi.f32.f32 %r10, %r1;", {0xbf000000}, 0x80000000},
      {"cvt.sat.f32.f32 %r10, %r1;", {0x40000000}, 0x3f800000},
      {"cvt.ftz.f32.f32 %r10, %r1;", {0x80400000}, 0x80000000},
  });
}
