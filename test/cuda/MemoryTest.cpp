//===- MemoryTest.cpp - Loads, stores, atomics, state spaces --------------===//

#include "test/cuda/DriverTest.h"

#include <algorithm>

using namespace quern::test;

TEST_F(CudaDriver, LoadsAndStoresAllWidths) {
  // Bytes 80 81 82 ... of two rows of 16.
  Words in = {0x83828180, 0x87868584, 0x8b8a8988, 0x8f8e8d8c,
              0x93929190, 0x97969594, 0x9b9a9998, 0x9f9e9d9c};
  struct Access {
    const char *code;
    uint32_t out;
  };
  const Access accesses[] = {
      {"ld.global.u8 %r1, [%d0+3];", 0x83},
      {"ld.global.s8 %r1, [%d0+3];", 0xffffff83},
      {"ld.global.b16 %h1, [%d0+2]; cvt.u32.u16 %r1, %h1;", 0x8382},
      {"ld.global.s16 %r1, [%d0+2];", 0xffff8382},
      {"ld.global.u16 %r1, [%d0+2];", 0x8382},
      {"ld.b32 %r1, [%d0+4];", 0x87868584},
      {"add.s64 %d2, %d0, 8; ld.global.cg.b32 %r1, [%d2+-4];", 0x87868584},
      {"ld.global.b64 %d2, [%d0+8]; shr.u64 %d2, %d2, 32;"
       "cvt.u32.u64 %r1, %d2;",
       0x8f8e8d8c},
      {"ld.global.v2.b32 {%r2, %r1}, [%d0+8];", 0x8f8e8d8c},
      {"ld.global.nc.v4.b32 {%r2, %r3, %r4, %r1}, [%d0+16];", 0x9f9e9d9c},
      {"ld.global.nc.L1::no_allocate.L2::128B.v2.b64 {%d2, %d3}, [%d0+16];"
       "cvt.u32.u64 %r1, %d3;",
       0x9b9a9998},
      {"ld.global.v4.b16 {%h1, %h2, %h3, %h4}, [%d0+8]; cvt.u32.u16 %r1, %h4;",
       0x8f8e},
      {"ld.global.v4.u8 {%r2, %r3, %r4, %r1}, [%d0+8];", 0x8b},
      {"ld.volatile.global.u32 %r1, [%d0];", 0x83828180},
      {"ld.relaxed.gpu.global.u32 %r1, [%d0];", 0x83828180},
      {"ld.acquire.sys.global.u32 %r1, [%d0];", 0x83828180},
  };
  for (const Access &access : accesses)
    EXPECT_EQ(
        run(makeKernel(std::string(access.code) + "st.global.b32 [%d1], %r1;"),
            in, 1, 1)[0],
        access.out)
        << access.code;
  std::string stores = makeKernel("ld.global.v4.b32 {%r1,%r2,%r3,%r4}, [%d0];"
                                  "st.global.u8 [%d1+1], %r1;"
                                  "cvt.u16.u32 %h1, %r1;"
                                  "st.global.b16 [%d1+2], %h1;"
                                  "st.global.wb.v2.b32 [%d1+8], {%r2, %r3};"
                                  "st.volatile.global.u32 [%d1+16], %r4;"
                                  "st.release.gpu.global.u32 [%d1+20], 7;");
  EXPECT_EQ(run(stores, in, 6, 1),
            (Words{0x81808000, 0, 0x87868584, 0x8b8a8988, 0x8f8e8d8c, 7}));
}

TEST_F(CudaDriver, ReadsParameters) {
  std::string ptx =
      makeHead() +
      ".visible .entry k(.param .u64 .ptr .global .align 4 in,\n"
      ".param .u64 out, .param .f32 x, .param .u8 small,\n"
      ".param .align 16 .b8 block[24])\n{\n.reg .b32 %r<8>; .reg .b64 %d<8>;\n"
      "ld.param.b64 %d1, [out];\nld.param.b32 %r1, [x];\n"
      "ld.param.s8 %r2, [small];\nld.param.v2.b32 {%r3, %r4}, [block+8];\n"
      "ld.param.b64 %d2, [block+16]; cvt.u32.u64 %r5, %d2;\n"
      "st.global.v4.b32 [%d1], {%r1, %r2, %r3, %r4};\n"
      "st.global.b32 [%d1+16], %r5;\nret;\n}\n";
  void *function = getFunction(load(ptx));
  CuPointer in = 0, out = allocate(20);
  float x = 1;
  int8_t small = -2;
  alignas(16) uint32_t block[6] = {10, 11, 12, 13, 14, 15};
  void *parameters[] = {&in, &out, &x, &small, block};
  ASSERT_CU(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, nullptr, parameters,
                           nullptr));
  x = 5; // Parameters were copied.
  EXPECT_CU(cuStreamSynchronize(nullptr));
  EXPECT_EQ(download(out, 5), (Words{0x3f800000, 0xfffffffe, 12, 13, 14}));
}

TEST_F(CudaDriver, HasSharedLocalAndConstantMemory) {
  std::string ptx =
      makeKernel(".local .align 8 .b8 stack[16];\n"
                 "mov.u64 %d2, table; ld.const.u32 %r1, [%d2+4];\n"
                 "ld.global.u32 %r2, [counter];\n"
                 "mov.u64 %d3, stack; cvta.local.u64 %d4, %d3;\n"
                 "st.local.u32 [%d3+8], %r1; ld.u32 %r3, [%d4+8];\n"
                 "st.shared.u32 [buffer+4], %r2; mov.u32 %r5, buffer;\n"
                 "ld.shared.u32 %r4, [%r5+4];\n"
                 "cvta.shared.u64 %d5, 64; cvta.to.shared.u64 %d6, %d5;\n"
                 "cvt.u32.u64 %r6, %d6;\n"
                 "st.global.v4.b32 [%d1], {%r1, %r3, %r4, %r6};",
                 ".const .align 4 .u32 table[3] = {1, 0x22, 3};\n"
                 ".visible .global .align 4 .u32 counter = 77;\n"
                 ".shared .align 4 .b8 buffer[32];\n");
  EXPECT_EQ(run(ptx, {}, 4, 1), (Words{0x22, 0x22, 77, 64}));
  CuPointer address = 0;
  size_t bytes = 0;
  void *module = load(ptx);
  ASSERT_CU(cuModuleGetGlobal_v2(&address, &bytes, module, "counter"));
  EXPECT_EQ(bytes, 4u);
  EXPECT_EQ(download(address, 1)[0], 77u);
}

TEST_F(CudaDriver, HasDynamicSharedMemory) {
  // Each thread writes its number; thread 0 reads that of the last.
  std::string ptx = makeKernel(
      "mov.u64 %d2, dynamic; mul.wide.u32 %d3, %r0, 4;\n"
      "add.s64 %d4, %d2, %d3; st.shared.u32 [%d4], %r0; bar.sync 0;\n"
      "setp.ne.u32 %p1, %r0, 0; @%p1 bra $done;\n"
      "ld.shared.u32 %r1, [dynamic+252]; mov.u32 %r2, %dynamic_smem_size;\n"
      "st.global.v2.u32 [%d1], {%r1, %r2};\n$done:\n",
      ".shared .align 4 .b8 fixed[4];\n"
      ".extern .shared .align 128 .b8 dynamic[];\n");
  EXPECT_EQ(run(ptx, {}, 2, Shape{{1, 1, 1}, {64, 1, 1}, 256}),
            (Words{63, 256}));
}

TEST_F(CudaDriver, HasAtomics) {
  struct Atomic {
    const char *code;
    uint32_t start, end;
  };
  // 64 threads; %r2 is the thread, %r3 its float.
  const Atomic atomics[] = {
      {"red.global.add.u32 [%d1], 2;", 5, 133},
      {"atom.global.add.u32 %r5, [%d1], %r0;", 0, 2016},
      {"atom.relaxed.gpu.global.add.s32 %r5, [%d1], -1;", 64, 0},
      {"red.gpu.global.max.s32 [%d1], %r4;", 0xffffff00, 0},
      {"atom.global.min.u32 %r5, [%d1], %r0;", 50, 0},
      {"red.global.min.s32 [%d1], %r4;", 0, 0xffffffc1},
      {"red.global.and.b32 [%d1], 0xf0;", 0xff, 0xf0},
      {"red.global.or.b32 [%d1], %r0;", 0x100, 0x13f},
      {"red.global.xor.b32 [%d1], %r0;", 7, 7},
      {"atom.global.exch.b32 %r5, [%d1], 9;", 3, 9},
      {"atom.global.cas.b32 %r5, [%d1], 5, 9;", 5, 9},
      {"atom.global.cas.b32 %r5, [%d1], 5, 9;", 6, 6},
      {"atom.global.inc.u32 %r5, [%d1], 9;", 0, 4},
      {"atom.global.dec.u32 %r5, [%d1], 9;", 0, 6},
      {"red.global.add.f32 [%d1], %r3;", 0x3f800000, 0x44fc2000},
      {"red.add.f32 [%d1], 0f3F800000;", 0, 0x42800000},
      {"red.global.add.f32 [%d1], 0f00000001;", 0, 0},
  };
  for (const Atomic &atomic : atomics) {
    std::string ptx =
        makeKernel("ld.global.u32 %r1, [%d0]; setp.eq.u32 %p1, %r0, 0;\n"
                   "@%p1 st.global.u32 [%d1], %r1; bar.sync 0;\n"
                   "cvt.rn.f32.u32 %r3, %r0; neg.s32 %r4, %r0;\n" +
                   std::string(atomic.code));
    EXPECT_EQ(run(ptx, {atomic.start}, 1, 64)[0], atomic.end) << atomic.code;
  }
  // The old values of one counter are all different.
  std::string ptx = makeKernel("atom.global.add.u32 %r1, [%d1], 1;\n"
                               "mul.wide.u32 %d2, %r1, 4;\n"
                               "add.s64 %d2, %d2, %d1;\n"
                               "st.global.u32 [%d2+4], %r0;");
  Words found = run(ptx, {}, 65, 64);
  EXPECT_EQ(found[0], 64u);
  std::sort(found.begin() + 1, found.end());
  for (uint32_t i = 0; i != 64; ++i)
    EXPECT_EQ(found[1 + i], i);
}

TEST_F(CudaDriver, HasAtomicsOnSharedMemory) {
  std::string ptx = makeKernel(
      "setp.eq.u32 %p1, %r0, 0; @%p1 st.shared.b64 [sum], 0; bar.sync 0;\n"
      "red.shared.add.u32 [sum], %r0; atom.shared.max.u32 %r1, [sum+4], %r0;\n"
      "bar.sync 0; ld.shared.v2.u32 {%r2, %r3}, [sum];\n"
      "@%p1 st.global.v2.u32 [%d1], {%r2, %r3};",
      ".shared .align 8 .b8 sum[8];\n");
  EXPECT_EQ(run(ptx, {}, 2, 128), (Words{8128, 127}));
}
