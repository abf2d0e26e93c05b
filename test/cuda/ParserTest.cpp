//===- ParserTest.cpp - PTX that is refused -------------------------------===//

#include "test/cuda/DriverTest.h"

#include <fstream>
#include <random>
#include <sstream>

using namespace quern::test;

TEST_F(CudaDriver, RefusesUnknownInstructionsAndModifiers) {
  struct Bad {
    const char *body, *message;
  };
  const Bad cases[] = {
      {"frobnicate.u32 %r1, %r2;", "unknown instruction 'frobnicate.u32'"},
      {"wgmma.fence.sync.aligned;", "unknown instruction"},
      {"tcgen05.wait::ld.sync.aligned;", "unknown instruction"},
      {"add.u32.foo %r1, %r2, %r3;", "unknown instruction"},
      {"add.foo.u32 %r1, %r2, %r3;", "does not take this type"},
      {"add.rn.sat.ftz.f32 %r1, %r2, %r3;", "does not take this type"},
      {"ld.global.zz.u32 %r1, [%d0];", "does not take this type"},
      {"ld.global.u32.v2 %r1, [%d0];", "unknown modifier '.v2'"},
      {"mul.u32 %r1, %r2, %r3;", "expected one of .lo, .hi, .wide"},
      {"mul.wide.u64 %d1, %d2, %d3;", "is not supported"},
      {"fma.f32 %r1, %r2, %r3, %r4;", "needs a rounding mode"},
      {"cvt.f32.s32 %r1, %r2;", "needs another rounding mode"},
      {"cvt.rn.s32.f32 %r1, %r2;", "needs another rounding mode"},
      {"cvt.rn.f64.f32 %d2, %r2;", "needs another rounding mode"},
      {"cvt.rn.tf32.f32 %r1, %r2;", "is not supported"},
      {"setp.lt.b32 %p1, %r1, %r2;", "not for this type"},
      {"setp.ltu.s32 %p1, %r1, %r2;", "not for this type"},
      {"shl.u32 %r1, %r2, 1;", "shl takes .b types"},
      {"cp.async.cg.shared.global [%r1], [%d0], 8;", "copies 4, 8 or 16"},
      {"cp.async.bulk.wait_group 0;", "expected one of"},
      {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%r1,%r2,%r3,%r4}, "
       "{%r1,%r2,%r3,%r4}, {%r1,%r2}, {%r1,%r2,%r3,%r4};",
       "is not supported"},
      {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%r1,%r2,%r3,%r4}, "
       "{%r1,%r2}, {%r1,%r2}, {%r1,%r2,%r3,%r4};",
       "wrong number of registers"},
      {"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2}, [%r3];",
       "one register for each matrix"},
      {"atom.global.min.f32 %r1, [%d0], %r2;", "is not supported"},
      {"bar.red.popc.u32 %r1, 0, %p1;", "expected one of"},
      {"call.uni foo;", "unknown instruction"},
      {"bar.sync 0, 33;", "a multiple of 32"},
      {"ret.foo;", "unknown modifier '.foo'"},
      {"tanh.approx.ftz.f32 %r1, %r2;", "is not supported"},
      {"shfl.bfly.b32 %r1, %r2, 1, 31;", "expected '.sync'"},
  };
  for (const Bad &bad : cases) {
    std::string text = loadError(makeKernel(bad.body));
    EXPECT_CONTAINS(text, bad.message);
    EXPECT_CONTAINS(text, "line 13"); // Behind the registers and the prologue.
  }
}

TEST_F(CudaDriver, RefusesWrongOperands) {
  struct Bad {
    const char *body, *message;
  };
  const Bad cases[] = {
      {"add.u32 %r1, %r2;", "too few operands"},
      {"add.u32 %r1, %r2, %r3, %r4;", "too many operands"},
      {"add.u32 %r1, %r2, %r99;", "'%r99' is not a register"},
      {"add.u32 %r1, %d2, %r3;", "has 64 bits"},
      {"add.u32 %d1, %r2, %r3;", "needs 32"},
      {"add.u32 %r1, %r2, 0x100000000;", "is not a number of this type"},
      {"add.u16 %h1, %h2, 70000;", "is not a number of this type"},
      {"add.f32 %r1, %r2, 1;", "is not a number of this type"},
      {"add.f32 %r1, %r2, 0f3F80;", "is not a number of this type"},
      {"mov.u32 %r1, 09;", "is not a number of this type"},
      {"mov.u32 %r1, %tid.w;", "'%tid.w' is not a register"},
      {"mov.u32 %r1, %clock;", "'%clock' is not a register"},
      {"mov.u32 5, %r1;", "expected a register"},
      {"mov.b64 %d1, {%r1};", "the parts do not fill the whole"},
      {"ld.global.v2.u32 %r1, [%d0];", "number of registers"},
      {"ld.global.v4.u64 {%d1, %d2, %d3, %d4}, [%d0];", "too wide"},
      {"ld.global.u32 %r1, [%r2];", "has 64 bits"},
      {"ld.global.u32 %r1, %d0;", "expected an address"},
      {"ld.global.u32 %r1, [64];", "a number is an address of .local"},
      {"ld.global.u32 %r1, [nowhere];", "'nowhere' is not declared"},
      {"ld.param.u64 %d1, [in+8]; ld.param.u64 %d1, [out+8];", "end before"},
      {"ld.param.u32 %r1, [in+2];", "misaligned access to a parameter"},
      {"ld.param.u32 %r1, [%d0];", "reads a parameter by its name"},
      {"ld.global.u32 %r1, [in];", "parameters are read by ld.param"},
      {"@%r1 add.u32 %r1, %r2, %r3;", "is not a predicate"},
      {"selp.b32 %r1, %r2, %r3, %r4;", "needs 0"},
      {"bra $nowhere;", "there is no label '$nowhere'"},
      {"$twice: $twice: ret;", "defined twice"},
      {".reg .b32 %r1;\n.reg .b32 %r1;", "declared twice"},
      {".reg .b32 %many<70000>;", "is more than"},
      {".shared .b8 huge[2000000];", "is larger than"},
      {".branchtargets $a;", "unknown directive '.branchtargets'"},
      {"add.u32 %r1, %r2, %r3", "expected ';'"},
      {"add.u32 %r1, {%r1, {%r2}}, %r3;", "at most 8 elements"},
  };
  for (const Bad &bad : cases)
    EXPECT_CONTAINS(loadError(makeKernel(bad.body)), bad.message);
}

TEST_F(CudaDriver, RefusesWrongModules) {
  struct Bad {
    std::string text;
    const char *message;
  };
  const Bad cases[] = {
      {"", "expected '.version'"},
      {"// nothing\n/* open", "a comment has no end"},
      {".version 8.0", "expected '.target'"},
      {".version eight\n", "expected a version"},
      {".version 8.10\n", "expected a version"},
      {".version 8.0x\n", "expected a version"},
      {".version 8.0 .target gfx90", "expected a target"},
      {".version 8.0 .target sm_80 .address_size 32", "64 bits"},
      {".version 8.0 .target sm_80, debug", "unknown option of .target"},
      {makeHead() + ".func foo() { ret; }", "calls have to be inlined"},
      {makeHead() + ".extern .func foo();", "calls have to be inlined"},
      {makeHead() + ".visible .entry k()", "expected"},
      {makeHead() + ".visible .entry k() {", "has no end"},
      {makeHead() + ".entry k(.param .u32) { ret; }", "expected a name"},
      {makeHead() + ".entry k(.param .pred p) { ret; }", "has a size"},
      {makeHead() + ".entry k() .foo 3 { ret; }", "unknown directive '.foo'"},
      {makeHead() + ".entry k() {ret;} .entry k() {ret;}", "defined twice"},
      {makeHead() + ".section .debug { }", "unknown directive '.section'"},
      {makeHead() + ".global .u32 a[2] = {1, 2, 3};", "too many numbers"},
      {makeHead() + ".global .u8 a = 300;", "expected a number of the type"},
      {makeHead() + ".const .align 3 .b8 a[4];", "a power of 2"},
      {makeHead() + ".global .u32 a[99999999999];", "is more than"},
      {makeHead() + ".extern .shared .b8 a[4];", "without a size"},
      {makeHead() + "\x01", "unexpected character with code 1"},
      {makeHead() + ".file 1 \"open\n", "a string has no end"},
      {makeHead(90) + ".entry k() {ret;}", "does not run on sm_80"},
  };
  for (const Bad &bad : cases)
    EXPECT_CONTAINS(loadError(bad.text), bad.message);
}

TEST_F(CudaDriver, TakesWhatCompilersAddAround) {
  std::string ptx =
      "//\n// Generated\n//\n.version 8.0\n.target sm_80\n"
      ".address_size 64\n.file 1 \"kernel.mlir\"\n"
      "\t// .globl\tk\n.visible .entry k(\n"
      "\t.param .u64 .ptr .global .align 1 k_param_0,\n"
      "\t.param .u64 k_param_1\n)\n.reqntid 32, 1, 1\n.minnctapersm 2\n"
      ".maxnreg 64\n{\n\t.reg .pred \t%p<2>;\n\t.reg .b32 %r<3>, %x;\n"
      "\t.reg .b64 \t%rd<2>;\n\t.loc 1 3 5\n\t.pragma \"nounroll\";\n"
      "\tld.param.b64 \t%rd1, [k_param_1];\n"
      "\t{\n\t.reg .b32 %r1;\n\tmov.b32 %r1, 5; mov.b32 %x, %r1;\n\t}\n"
      "$L__BB0_1:                              // %exit\n"
      "\tst.global.b32 \t[%rd1], %x;\n\tret;\n\t// -- End function\n}\n";
  EXPECT_EQ(run(ptx, {}, 1)[0], 5u);
}

/// Everything that a compiler has made of kernels of ours must be taken.
static std::string readCorpus(const std::string &name) {
  std::ifstream file(QUERN_SOURCE_DIR "/test/cuda/corpus/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Cut, changed and mixed text either loads or gives an error with a line.
TEST_F(CudaDriver, SurvivesBrokenText) {
  std::vector<std::string> seeds = {readCorpus("reduce.ptx"),
                                    readCorpus("matrix.ptx")};
  std::mt19937 random(1);
  auto check = [&](const std::string &text) {
    void *module = nullptr;
    CuResult result =
        cuModuleLoadDataEx(&module, text.c_str(), 0, nullptr, nullptr);
    if (result == quern::ptx::Success) {
      EXPECT_CU(cuModuleUnload(module));
      return;
    }
    EXPECT_TRUE(result == quern::ptx::InvalidPtx ||
                result == quern::ptx::UnsupportedPtxVersion);
    EXPECT_NE(std::string(quernTestCudaGetError()), "");
  };
  for (const std::string &seed : seeds) {
    ASSERT_GT(seed.size(), 500u);
    load(seed);
    for (size_t cut = 0; cut < seed.size(); cut += 7)
      check(seed.substr(0, cut));
    for (int round = 0; round != 1500; ++round) {
      std::string text = seed;
      for (unsigned change = random() % 4 + 1; change != 0; --change) {
        size_t at = random() % text.size(), other = random() % seed.size();
        size_t length = std::min<size_t>(random() % 24, seed.size() - other);
        switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random() % 127 + 1);
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, seed, other, length);
          break;
        default:
          text.replace(at, length, seed, other, length);
        }
        if (text.empty())
          break;
      }
      check(text);
    }
  }
}
