//===- DriverTest.cpp - Running PTX on the test driver --------------------===//

#include "test/cuda/DriverTest.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace quern;
using namespace quern::test;

std::string test::makeHead(unsigned target) {
  return ".version 8.0\n.target sm_" + std::to_string(target) +
         "\n.address_size 64\n";
}

static const char *const registers = ".reg .pred %p<10>;\n"
                                     ".reg .b16 %h<20>;\n"
                                     ".reg .b32 %r<60>;\n"
                                     ".reg .b64 %d<30>;\n";

static std::string makeEntry(const std::string &name, const std::string &body) {
  return ".visible .entry " + name + "(.param .u64 in, .param .u64 out)\n{\n" +
         registers +
         "ld.param.u64 %d0, [in];\nld.param.u64 %d1, [out];\n"
         "mov.u32 %r0, %tid.x;\n" +
         body + "\nret;\n}\n";
}

std::string test::makeKernel(const std::string &body,
                             const std::string &declarations, unsigned target) {
  return makeHead(target) + declarations + makeEntry("k", body);
}

void CudaDriver::SetUp() {
  quernTestCudaReset();
  ASSERT_TRUE(quernTestCudaSetOption("QUIET", "1"));
  ASSERT_CU(cuInit(0));
  void *context = nullptr;
  ASSERT_CU(cuDevicePrimaryCtxRetain(&context, 0));
  ASSERT_CU(cuCtxSetCurrent(context));
}

void CudaDriver::TearDown() { quernTestCudaReset(); }

/// Where QUERN_TEST_PTX_DIR is set, modules that load are kept there, for
/// ptxas.py to assemble.
static void keep(const std::string &ptx) {
  static int number = 0;
  const char *folder = std::getenv("QUERN_TEST_PTX_DIR");
  if (!folder)
    return;
  auto *info = testing::UnitTest::GetInstance()->current_test_info();
  std::ofstream(std::string(folder) + "/" + info->name() + "." +
                std::to_string(number++) + ".ptx")
      << ptx;
}

void *CudaDriver::load(const std::string &ptx) {
  void *module = nullptr;
  EXPECT_CU(cuModuleLoadDataEx(&module, ptx.c_str(), 0, nullptr, nullptr))
      << quernTestCudaGetError() << "\n"
      << ptx;
  keep(ptx);
  return module;
}

std::string CudaDriver::loadError(const std::string &ptx) {
  void *module = nullptr;
  std::array<char, 512> log = {};
  int options[] = {quern::ptx::JitErrorLogBuffer,
                   quern::ptx::JitErrorLogBufferBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  CuResult result =
      cuModuleLoadDataEx(&module, ptx.c_str(), 2, options, values);
  EXPECT_EQ(result, quern::ptx::InvalidPtx) << ptx;
  return log.data();
}

void *CudaDriver::getFunction(void *module, const char *name) {
  void *function = nullptr;
  EXPECT_CU(cuModuleGetFunction(&function, module, name));
  return function;
}

CuPointer CudaDriver::allocate(size_t bytes) {
  CuPointer address = 0;
  EXPECT_CU(cuMemAlloc_v2(&address, bytes));
  return address;
}

CuPointer CudaDriver::upload(const Words &words) {
  CuPointer address = allocate(std::max<size_t>(words.size(), 1) * 4);
  EXPECT_CU(cuMemcpyHtoD_v2(address, words.data(), words.size() * 4));
  return address;
}

Words CudaDriver::download(CuPointer from, size_t count) {
  Words words(count);
  EXPECT_CU(cuMemcpyDtoH_v2(words.data(), from, count * 4));
  return words;
}

CuResult CudaDriver::launch(void *function, CuPointer in, CuPointer out,
                            Shape shape) {
  void *parameters[] = {&in, &out};
  CuResult result =
      cuLaunchKernel(function, shape.grid[0], shape.grid[1], shape.grid[2],
                     shape.block[0], shape.block[1], shape.block[2],
                     shape.sharedBytes, nullptr, parameters, nullptr);
  return result == quern::ptx::Success ? cuStreamSynchronize(nullptr) : result;
}

Words CudaDriver::run(const std::string &ptx, const Words &in, size_t count,
                      Shape shape) {
  void *function = getFunction(load(ptx));
  CuPointer input = upload(in), output = allocate(count * 4);
  EXPECT_CU(cuMemsetD8_v2(output, 0, count * 4));
  EXPECT_CU(launch(function, input, output, shape)) << quernTestCudaGetError();
  return download(output, count);
}

std::string CudaDriver::runFault(const std::string &ptx, const Words &in,
                                 size_t count, CuResult code, Shape shape) {
  void *function = getFunction(load(ptx));
  CuPointer input = upload(in), output = allocate(count * 4);
  EXPECT_EQ(launch(function, input, output, shape), code)
      << quernTestCudaGetError() << "\n"
      << ptx;
  std::string text = quernTestCudaGetError();
  // A fault stays until the context is gone.
  EXPECT_EQ(cuStreamSynchronize(nullptr), code);
  TearDown();
  SetUp();
  return text;
}

QuernTestCudaCounters CudaDriver::getCounters() {
  QuernTestCudaCounters counters;
  quernTestCudaGetCounters(&counters);
  return counters;
}

void CudaDriver::checkRows(const std::vector<Row> &rows, unsigned target) {
  static const std::string before =
      "ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%d0];\n"
      "mov.b64 %d4, {%r1, %r2};\nmov.b64 %d5, {%r3, %r4};\n"
      "cvt.u16.u32 %h1, %r1;\ncvt.u16.u32 %h2, %r2;\n"
      "cvt.u16.u32 %h3, %r3;\ncvt.u16.u32 %h4, %r4;\n"
      "setp.ne.b32 %p1, %r1, 0;\nsetp.ne.b32 %p2, %r2, 0;\n"
      "setp.ne.b32 %p3, %r3, 0;\nsetp.ne.b32 %p4, %r4, 0;\n"
      "mov.b32 %r10, 0;\nmov.b32 %r11, 0;\nmov.b64 %d10, 0;\n"
      "mov.b16 %h10, 0;\n";
  static const std::string after =
      "\nst.global.b64 [%d1], %d10;\nst.global.b32 [%d1+8], %r10;\n"
      "st.global.b32 [%d1+12], %r11;\nst.global.b16 [%d1+16], %h10;\n";
  std::string ptx = makeHead(target);
  for (size_t i = 0; i != rows.size(); ++i)
    ptx += makeEntry("k" + std::to_string(i), before + rows[i].code + after);
  ASSERT_TRUE(quernTestCudaSetOption("ARCH", std::to_string(target).c_str()));
  void *module = load(ptx);
  for (size_t i = 0; module && i != rows.size(); ++i) {
    const Row &row = rows[i];
    void *function = getFunction(module, ("k" + std::to_string(i)).c_str());
    CuPointer in = upload({row.in.begin(), row.in.end()}), out = allocate(20);
    EXPECT_CU(cuMemsetD8_v2(out, 0, 20));
    ASSERT_CU(launch(function, in, out, {{1, 1, 1}, {1, 1, 1}, 0}))
        << quernTestCudaGetError();
    Words words = download(out, 5);
    std::string code = row.code;
    uint64_t found = words[2];
    if (code.find("%d10") != std::string::npos)
      found = words[0] | uint64_t(words[1]) << 32;
    else if (code.find("%h10") != std::string::npos)
      found = words[4];
    EXPECT_EQ(found, row.out)
        << std::hex << "0x" << found << " instead of 0x" << row.out << " for "
        << code << " of 0x" << row.in[0] << ", 0x" << row.in[1] << ", 0x"
        << row.in[2] << ", 0x" << row.in[3];
    EXPECT_EQ(words[3], row.second) << code;
  }
}
