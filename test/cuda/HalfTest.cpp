//===- HalfTest.cpp - f16 and bf16 arithmetic -----------------------------===//
//
// f16: 1 is 0x3c00, an ulp of 1 is 2^-10, 0x1000 is 2^-11.
// bf16: 1 is 0x3f80, an ulp of 1 is 2^-7, 0x3b80 is 2^-8.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/DriverTest.h"

using namespace quern::test;

TEST_F(CudaDriver, ComputesF16) {
  checkRows({
      {"add.f16 %h10, %h1, %h2;", {0x3c00, 0x4000}, 0x4200},
      {"add.rn.f16 %h10, %h1, %h2;", {0x3c00, 0x1000}, 0x3c00},
      {"add.rn.f16 %h10, %h1, %h2;", {0x3c01, 0x1000}, 0x3c02},
      {"sub.f16 %h10, %h1, %h2;", {0x3c00, 0x3c00}, 0},
      {"mul.f16 %h10, %h1, %h2;", {0x7bff, 0x4000}, 0x7c00},
      {"mul.f16 %h10, %h1, %h2;", {0x0001, 0x3800}, 0},
      {"mul.f16 %h10, %h1, %h2;", {0x0003, 0x3800}, 2},
      {"mul.ftz.f16 %h10, %h1, %h2;", {0x0003, 0x3c00}, 0},
      {"add.sat.f16 %h10, %h1, %h2;", {0x3c00, 0x3c00}, 0x3c00},
      // (1 + 2^-10)^2 - (1 + 2^-9) = 2^-20, sixteen of the least.
      {"fma.rn.f16 %h10, %h1, %h1, %h2;", {0x3c01, 0xbc02}, 0x0010},
      {"fma.rn.relu.f16 %h10, %h1, %h2, %h3;", {0x3c00, 0xbc00, 0}, 0},
      {"fma.rn.sat.f16 %h10, %h1, %h1, %h2;", {0x4000, 0}, 0x3c00},
      {"add.f16 %h10, %h1, %h2;", {0x7c00, 0xfc00}, 0x7fff},
      {"add.f16x2 %r10, %r1, %r2;", {0x3c003c00, 0x3c004000}, 0x40004200},
      {"sub.f16x2 %r10, %r1, %r2;", {0x42003c00, 0x3c003c00}, 0x40000000},
      {"mul.f16x2 %r10, %r1, %r2;", {0x40003c00, 0x42003800}, 0x46003800},
      {"fma.rn.f16x2 %r10, %r1, %r2, %r3;",
       {0x40003c00, 0x42003800, 0x3c003800},
       0x47003c00},
      {"min.f16 %h10, %h1, %h2;", {0x7e00, 0x3c00}, 0x3c00},
      {"max.NaN.f16 %h10, %h1, %h2;", {0x7e00, 0x3c00}, 0x7fff},
      {"max.f16x2 %r10, %r1, %r2;", {0x3c00bc00, 0x40008000}, 0x40008000},
      {"min.f16 %h10, %h1, %h2;", {0x0000, 0x8000}, 0x8000},
      {"neg.f16x2 %r10, %r1;", {0x3c00bc00}, 0xbc003c00},
      {"abs.f16 %h10, %h1;", {0xbc00}, 0x3c00},
  });
}

TEST_F(CudaDriver, ComputesBF16) {
  checkRows({
      // (1 + 2^-7)^2 = 1 + 2^-6 + 2^-14
      {"fma.rn.bf16 %h10, %h1, %h1, %h2;", {0x3f81, 0x8000}, 0x3f82},
      {"fma.rn.bf16 %h10, %h1, %h1, %h2;", {0x3f81, 0xbf82}, 0x3880},
      {"fma.rn.bf16x2 %r10, %r1, %r1, %r2;",
       {0x3f803f80, 0x3f803f80},
       0x40004000},
      {"fma.rn.bf16 %h10, %h1, %h2, %h3;", {0x3f80, 0x3f80, 0x3b80}, 0x3f80},
      {"fma.rn.bf16 %h10, %h1, %h2, %h3;", {0x3f81, 0x3f80, 0x3b80}, 0x3f82},
      {"fma.rn.relu.bf16x2 %r10, %r1, %r2, %r3;",
       {0x3f80bf80, 0x3f803f80, 0x80008000},
       0x3f800000},
      {"min.bf16 %h10, %h1, %h2;", {0x7fc0, 0x3f80}, 0x3f80},
      {"max.NaN.bf16x2 %r10, %r1, %r2;", {0x7fc03f80, 0x3f804000}, 0x7fff4000},
      {"neg.bf16x2 %r10, %r1;", {0x3f80bf80}, 0xbf803f80},
      {"abs.bf16 %h10, %h1;", {0xbf80}, 0x3f80},
  });
  checkRows(
      {
          {"add.rn.bf16 %h10, %h1, %h2;", {0x3f80, 0x4000}, 0x4040},
          {"sub.rn.bf16x2 %r10, %r1, %r2;",
           {0x40403f80, 0x3f803f80},
           0x40000000},
          {"mul.rn.bf16x2 %r10, %r1, %r2;",
           {0x40003f80, 0x40403f00},
           0x40c03f00},
      },
      90);
}
