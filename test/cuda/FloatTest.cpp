//===- FloatTest.cpp - f32 and f64 arithmetic, approximations -------------===//
//
// 0x3f800000 is 1; an ulp of 1 is 2^-23, so 0x33800000 (2^-24) is half of it.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/DriverTest.h"

#include <bit>
#include <cmath>

using namespace quern::test;

TEST_F(CudaDriver, RoundsF32Sums) {
  checkRows({
      {"add.rn.f32 %r10, %r1, %r2;", {0x3f800000, 0x40000000}, 0x40400000},
      {"add.rn.f32 %r10, %r1, %r2;", {0x3f800000, 0x33800000}, 0x3f800000},
      {"add.rn.f32 %r10, %r1, %r2;", {0x3f800001, 0x33800000}, 0x3f800002},
      {"add.rp.f32 %r10, %r1, %r2;", {0x3f800000, 0x33800000}, 0x3f800001},
      {"add.rz.f32 %r10, %r1, %r2;", {0x3f800001, 0x33800000}, 0x3f800001},
      {"add.rm.f32 %r10, %r1, %r2;", {0xbf800000, 0xb3800000}, 0xbf800001},
      {"add.rz.f32 %r10, %r1, %r2;", {0xbf800000, 0xb3800000}, 0xbf800000},
      // 2^-149 is far below half an ulp of 1, and still counts upward.
      {"add.rp.f32 %r10, %r1, %r2;", {0x3f800000, 1}, 0x3f800001},
      {"add.f32 %r10, %r1, %r2;", {0x7f800000, 0xff800000}, 0x7fffffff},
      {"add.f32 %r10, %r1, %r2;", {0xffc00001, 0x3f800000}, 0x7fffffff},
      {"add.f32 %r10, %r1, %r2;", {0x7f7fffff, 0x7f7fffff}, 0x7f800000},
      {"add.rz.f32 %r10, %r1, %r2;", {0x7f7fffff, 0x7f7fffff}, 0x7f7fffff},
      {"sub.rn.f32 %r10, %r1, %r2;", {0x40400000, 0x3f800000}, 0x40000000},
      {"add.f32 %r10, %r1, 0f3F000000;", {0x3f800000}, 0x3fc00000},
      {"add.sat.f32 %r10, %r1, %r2;", {0x3f800000, 0x3f800000}, 0x3f800000},
      {"add.sat.f32 %r10, %r1, %r2;", {0xbf800000, 0x3f000000}, 0},
      {"add.sat.f32 %r10, %r1, %r2;", {0x7fc00000, 0x3f000000}, 0},
      {"add.ftz.f32 %r10, %r1, %r2;", {0x00400000, 0x00400000}, 0},
      {"add.f32 %r10, %r1, %r2;", {0x00400000, 0x00400000}, 0x00800000},
      {"sub.ftz.f32 %r10, %r1, %r2;", {0x00800001, 0x00800000}, 0},
  });
}

TEST_F(CudaDriver, RoundsF32Products) {
  checkRows({
      // (1 + 2^-23)^2 = 1 + 2^-22 + 2^-46
      {"mul.rn.f32 %r10, %r1, %r1;", {0x3f800001}, 0x3f800002},
      {"mul.rp.f32 %r10, %r1, %r1;", {0x3f800001}, 0x3f800003},
      {"mul.rz.f32 %r10, %r1, %r1;", {0x3f800001}, 0x3f800002},
      {"fma.rn.f32 %r10, %r1, %r1, %r2;", {0x3f800001, 0xbf800002}, 0x28800000},
      {"fma.rp.f32 %r10, %r1, %r1, %r2;", {0x3f800000, 0x33800000}, 0x3f800001},
      {"fma.rz.f32 %r10, %r1, %r1, %r2;", {0x3f800000, 0xb3000000}, 0x3f7fffff},
      {"fma.rn.ftz.f32 %r10, %r1, %r2, %r3;", {0x00400000, 0x40000000, 0}, 0},
      {"fma.rn.sat.f32 %r10, %r1, %r2, %r3;",
       {0x40000000, 0x40000000, 0},
       0x3f800000},
      {"fma.rn.f32 %r10, %r1, %r2, %r3;",
       {0x7f800000, 0, 0x3f800000},
       0x7fffffff},
      {"mul.f32 %r10, %r1, %r2;", {0x00800000, 0x3f000000}, 0x00400000},
      {"mul.ftz.f32 %r10, %r1, %r2;", {0x80800000, 0x3f000000}, 0x80000000},
      {"mul.ftz.f32 %r10, %r1, %r2;", {0x00400000, 0x40000000}, 0},
      {"mul.f32 %r10, %r1, %r2;", {0x3f800000, 0x80000000}, 0x80000000},
  });
}

TEST_F(CudaDriver, DividesF32) {
  checkRows({
      {"div.rn.f32 %r10, %r1, %r2;", {0x3f800000, 0x40400000}, 0x3eaaaaab},
      {"div.rz.f32 %r10, %r1, %r2;", {0x3f800000, 0x40400000}, 0x3eaaaaaa},
      {"div.rp.f32 %r10, %r1, %r2;", {0x3f800000, 0xc0400000}, 0xbeaaaaaa},
      {"div.rm.f32 %r10, %r1, %r2;", {0x3f800000, 0xc0400000}, 0xbeaaaaab},
      {"div.rn.f32 %r10, %r1, %r2;", {0x3f800000, 0}, 0x7f800000},
      {"div.rn.f32 %r10, %r1, %r2;", {0, 0}, 0x7fffffff},
      {"rcp.rn.f32 %r10, %r1;", {0x40400000}, 0x3eaaaaab},
      {"rcp.rz.f32 %r10, %r1;", {0x40400000}, 0x3eaaaaaa},
      {"sqrt.rn.f32 %r10, %r1;", {0x40000000}, 0x3fb504f3},
      {"sqrt.rp.f32 %r10, %r1;", {0x40000000}, 0x3fb504f4},
      {"sqrt.rn.f32 %r10, %r1;", {0xbf800000}, 0x7fffffff},
      {"sqrt.rn.f32 %r10, %r1;", {0x80000000}, 0x80000000},
  });
}

TEST_F(CudaDriver, ChoosesF32MinAndMax) {
  checkRows({
      {"min.f32 %r10, %r1, %r2;", {0x7fc00000, 0x3f800000}, 0x3f800000},
      {"max.f32 %r10, %r1, %r2;", {0x3f800000, 0x7fc00000}, 0x3f800000},
      {"max.NaN.f32 %r10, %r1, %r2;", {0x7fc00000, 0x3f800000}, 0x7fffffff},
      {"min.f32 %r10, %r1, %r2;", {0x7fc00000, 0xffc00000}, 0x7fffffff},
      {"min.f32 %r10, %r1, %r2;", {0x80000000, 0}, 0x80000000},
      {"min.f32 %r10, %r1, %r2;", {0, 0x80000000}, 0x80000000},
      {"max.f32 %r10, %r1, %r2;", {0x80000000, 0}, 0},
      {"max.f32 %r10, %r1, %r2;", {0xbf800000, 0xc0000000}, 0xbf800000},
      {"max.ftz.f32 %r10, %r1, %r2;", {0x00400000, 0xbf800000}, 0},
      {"abs.f32 %r10, %r1;", {0xbf800000}, 0x3f800000},
      {"neg.f32 %r10, %r1;", {0}, 0x80000000},
      {"neg.f32 %r10, %r1;", {0x3f800000}, 0xbf800000},
      {"copysign.f32 %r10, %r1, %r2;", {0xbf800000, 0x40000000}, 0xc0000000},
  });
}

TEST_F(CudaDriver, ComputesF64) {
  // High words: 1 3ff00000, 1.5 3ff80000, 2 40000000, 0.25 3fd00000.
  checkRows({
      {"add.rn.f64 %d10, %d4, %d5;",
       {0, 0x3ff00000, 0, 0x40000000},
       0x4008000000000000},
      {"add.f64 %d10, %d4, 0d3FF0000000000000;",
       {0, 0x3ff00000},
       0x4000000000000000},
      {"sub.f64 %d10, %d4, %d5;",
       {0, 0x40000000, 0, 0x3ff00000},
       0x3ff0000000000000},
      {"mul.rn.f64 %d10, %d4, %d5;",
       {0, 0x3ff80000, 0, 0x40000000},
       0x4008000000000000},
      {"fma.rn.f64 %d10, %d4, %d4, %d5;",
       {0, 0x3ff80000, 0, 0x3fd00000},
       0x4004000000000000},
      {"div.rn.f64 %d10, %d4, %d5;",
       {0, 0x3ff00000, 0, 0x40000000},
       0x3fe0000000000000},
      {"sqrt.rn.f64 %d10, %d4;", {0, 0x40100000}, 0x4000000000000000},
      {"rcp.rn.f64 %d10, %d4;", {0, 0x40000000}, 0x3fe0000000000000},
      {"max.f64 %d10, %d4, %d5;",
       {0, 0x3ff00000, 0, 0x40000000},
       0x4000000000000000},
      {"neg.f64 %d10, %d4;", {0, 0x3ff00000}, 0xbff0000000000000},
      {"abs.f64 %d10, %d4;", {0, 0xbff00000}, 0x3ff0000000000000},
  });
}

TEST_F(CudaDriver, ApproximatesExactlyWhereResultsAreExact) {
  checkRows({
      {"ex2.approx.ftz.f32 %r10, %r1;", {0x40400000}, 0x41000000},
      {"ex2.approx.f32 %r10, %r1;", {0xff800000}, 0},
      {"ex2.approx.f32 %r10, %r1;", {0xc3020000}, 0x00080000}, // 2^-130
      {"ex2.approx.ftz.f32 %r10, %r1;", {0xc3020000}, 0},
      {"lg2.approx.f32 %r10, %r1;", {0x41000000}, 0x40400000},
      {"lg2.approx.f32 %r10, %r1;", {0}, 0xff800000},
      {"lg2.approx.f32 %r10, %r1;", {0xbf800000}, 0x7fffffff},
      {"rcp.approx.ftz.f32 %r10, %r1;", {0x40800000}, 0x3e800000},
      {"rcp.approx.ftz.f32 %r10, %r1;", {0x80400000}, 0xff800000},
      {"rsqrt.approx.f32 %r10, %r1;", {0x40800000}, 0x3f000000},
      {"rsqrt.approx.f32 %r10, %r1;", {0}, 0x7f800000},
      {"sqrt.approx.f32 %r10, %r1;", {0x40800000}, 0x40000000},
      {"sin.approx.f32 %r10, %r1;", {0x80000000}, 0x80000000},
      {"cos.approx.f32 %r10, %r1;", {0}, 0x3f800000},
      {"tanh.approx.f32 %r10, %r1;", {0x7f800000}, 0x3f800000},
      {"tanh.approx.f32 %r10, %r1;", {0}, 0},
      {"div.approx.f32 %r10, %r1, %r2;", {0x3f800000, 0x40800000}, 0x3e800000},
      {"div.full.f32 %r10, %r1, %r2;", {0x40400000, 0x40000000}, 0x3fc00000},
      {"sin.approx.f32 %r10, %r1;", {0x3fc90fdb}, 0x3f800000},
  });
  checkRows(
      {
          {"ex2.approx.f16 %h10, %h1;", {0x4000}, 0x4400},
          {"ex2.approx.f16x2 %r10, %r1;", {0x40003c00}, 0x44004000},
          {"tanh.approx.f16x2 %r10, %r1;", {0x7c000000}, 0x3c000000},
          {"tanh.approx.bf16 %h10, %h1;", {0x7f80}, 0x3f80},
      },
      90);
}

/// With the options low and high, results stay inside the documented error and
/// do move.
TEST_F(CudaDriver, MovesApproximationsInsideTheirError) {
  struct Function {
    const char *code;
    double (*exact)(double);
    double bound;
  };
  const Function functions[] = {
      {"ex2.approx.f32", [](double x) { return std::exp2(x); },
       0x1p-22 + 0x1p-24},
      {"rsqrt.approx.f32", [](double x) { return 1 / std::sqrt(x); },
       0x1p-22 + 0x1p-24},
      {"tanh.approx.f32", [](double x) { return std::tanh(x); },
       0x1p-11 + 0x1p-24},
      {"rcp.approx.ftz.f32", [](double x) { return 1 / x; },
       0x1p-23 + 0x1p-23}};
  for (const Function &function : functions) {
    std::string ptx =
        makeKernel("ld.global.b32 %r1, [%d0];\n" + std::string(function.code) +
                   " %r2, %r1;\nst.global.b32 [%d1], %r2;");
    std::array<float, 3> results;
    const char *modes[] = {"low", "exact", "high"};
    for (int i = 0; i != 3; ++i) {
      ASSERT_TRUE(quernTestCudaSetOption("APPROX", modes[i]));
      results[i] = std::bit_cast<float>(
          run(ptx, {std::bit_cast<uint32_t>(0.7f)}, 1, 1)[0]);
      double exact = function.exact(double(0.7f));
      EXPECT_LE(std::fabs(results[i] - exact), exact * function.bound)
          << function.code << " " << modes[i];
    }
    EXPECT_LT(results[0], results[1]) << function.code;
    EXPECT_LT(results[1], results[2]) << function.code;
  }
}
