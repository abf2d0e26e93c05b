//===- DriverTest.h - Running PTX on the test driver -------------*- C++
//-*-===//
//
// Expected values are written out in the tests: none is computed by code that
// the driver shares.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_CUDA_DRIVERTEST_H
#define QUERN_TEST_CUDA_DRIVERTEST_H

#include "test/cuda/DriverFunctions.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace quern::test {

using Words = std::vector<uint32_t>;

/// ".version 8.0", target and address size.
std::string makeHead(unsigned target = 80);
/// A kernel `k` with the 64-bit parameters `in` and `out`, whose addresses are
/// in %d0 and %d1; %r0 is the thread of the block. Registers: %p0-%p9 .pred,
/// %h0-%h19 .b16, %r0-%r59 .b32, %d0-%d29 .b64. `declarations` go in front.
std::string makeKernel(const std::string &body,
                       const std::string &declarations = "",
                       unsigned target = 80);

class CudaDriver : public testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;

  /// Loads a module; fails the test if that fails.
  void *load(const std::string &ptx);
  /// The text with which a module is refused; fails the test if it isn't.
  std::string loadError(const std::string &ptx);
  void *getFunction(void *module, const char *name = "k");

  CuPointer upload(const Words &words);
  CuPointer allocate(size_t bytes);
  Words download(CuPointer from, size_t count);

  struct Shape {
    std::array<unsigned, 3> grid = {1, 1, 1}, block = {32, 1, 1};
    unsigned sharedBytes = 0;
  };
  /// Runs kernel `k`(in, out) and returns `count` words of out, which was
  /// filled with zeros.
  Words run(const std::string &ptx, const Words &in, size_t count, Shape shape);
  Words run(const std::string &ptx, const Words &in, size_t count,
            unsigned threads = 32) {
    return run(ptx, in, count, Shape{{1, 1, 1}, {threads, 1, 1}, 0});
  }
  /// Runs kernel `k` and returns the text of its fault; fails the test when it
  /// succeeds or the code is another. Afterwards the context is a fresh one.
  std::string runFault(const std::string &ptx, const Words &in, size_t count,
                       CuResult code, Shape shape);
  std::string runFault(const std::string &ptx, const Words &in, size_t count,
                       CuResult code = quern::ptx::LaunchFailed,
                       unsigned threads = 32) {
    return runFault(ptx, in, count, code, Shape{{1, 1, 1}, {threads, 1, 1}, 0});
  }
  CuResult launch(void *function, CuPointer in, CuPointer out, Shape shape);

  /// One instruction or a few, run by one thread. The words of `in` are in
  /// %r1-%r4, their pairs in %d4 and %d5, their low halves in %h1-%h4, and
  /// %p1-%p4 say which are not 0. `out` is what %d10, %h10 or else %r10 holds
  /// in the end, `second` what %r11 does.
  struct Row {
    const char *code;
    std::array<uint32_t, 4> in;
    uint64_t out;
    uint32_t second = 0;
  };
  void checkRows(const std::vector<Row> &rows, unsigned target = 80);

  QuernTestCudaCounters getCounters();
};

#define ASSERT_CU(expression) ASSERT_EQ((expression), quern::ptx::Success)
#define EXPECT_CU(expression) EXPECT_EQ((expression), quern::ptx::Success)
#define EXPECT_CONTAINS(text, part)                                            \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

} // namespace quern::test

#endif // QUERN_TEST_CUDA_DRIVERTEST_H
