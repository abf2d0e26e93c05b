//===- MatrixTest.cpp - ldmatrix, mma.sync, cp.async ----------------------===//
//
// Operands of small whole numbers, so that products and sums are exact in
// every format; the fragments are placed by hand, from the figures of the PTX
// ISA.
//
//===----------------------------------------------------------------------===//

#include "test/cuda/DriverTest.h"

#include <bit>
#include <cstdlib>

using namespace quern::test;

/// Small and different: rows and columns can't be confused.
static int getA(int row, int k) { return (row * 3 + k * 5) % 7 - 3; }
static int getB(int k, int column) { return (k * 2 + column * 11) % 5 - 2; }
static int getC(int row, int column) { return row - 2 * column; }
static int getProduct(int row, int column, int depth) {
  int sum = getC(row, column);
  for (int k = 0; k != depth; ++k)
    sum += getA(row, k) * getB(k, column);
  return sum;
}

/// f16 of -4 ... 4 and bf16 of the same.
static uint32_t toF16(int value) {
  const uint32_t magnitudes[] = {0, 0x3c00, 0x4000, 0x4200, 0x4400};
  return magnitudes[std::abs(value)] | (value < 0 ? 0x8000 : 0);
}
static uint32_t toBF16(int value) {
  const uint32_t magnitudes[] = {0, 0x3f80, 0x4000, 0x4040, 0x4080};
  return magnitudes[std::abs(value)] | (value < 0 ? 0x8000 : 0);
}
static uint32_t toS8(int value) { return static_cast<uint8_t>(value); }
static uint32_t toF32(int value) {
  return std::bit_cast<uint32_t>(static_cast<float>(value));
}

namespace {
/// Words of each lane: A, B, C, as many as the instruction takes.
struct Fragments {
  std::vector<Words> lanes = std::vector<Words>(32);
};
} // namespace

/// Elements of 16 bits: pairs of columns 2t, 2t + 1; of 8: fours of 4t.
static Fragments makeFragments(int depth, uint32_t (*convert)(int), int width,
                               uint32_t (*convertC)(int)) {
  Fragments fragments;
  int perWord = 32 / width, step = 4 * perWord;
  for (int lane = 0; lane != 32; ++lane) {
    Words &words = fragments.lanes[lane];
    int group = lane / 4, t = lane % 4;
    auto pack = [&](auto element) {
      uint32_t word = 0;
      for (int e = 0; e != perWord; ++e)
        word |= convert(element(e)) << e * width;
      words.push_back(word);
    };
    for (int k = 0; k != depth; k += step)
      for (int row : {group, group + 8})
        pack([&](int e) { return getA(row, k + t * perWord + e); });
    for (int k = 0; k != depth; k += step)
      pack([&](int e) { return getB(k + t * perWord + e, group); });
    for (int row : {group, group + 8})
      for (int column : {2 * t, 2 * t + 1})
        words.push_back(convertC(getC(row, column)));
  }
  return fragments;
}

static std::string makeMultiply(const std::string &instruction, int wordsA) {
  int wordsB = wordsA / 2, words = wordsA + wordsB + 4;
  std::string code = "mov.u32 %r1, " + std::to_string(words * 4) +
                     "; mul.wide.u32 %d2, %r0, %r1;\n"
                     "add.s64 %d0, %d0, %d2; mul.wide.u32 %d2, %r0, 16;\n"
                     "add.s64 %d1, %d1, %d2;\n";
  auto list = [](int first, int count) {
    std::string text;
    for (int i = first; i != first + count; ++i)
      text += (i == first ? "{%r" : ", %r") + std::to_string(i);
    return text + "}";
  };
  for (int i = 0; i != words; ++i)
    code += "ld.global.b32 %r" + std::to_string(10 + i) + ", [%d0+" +
            std::to_string(4 * i) + "];\n";
  return makeKernel(code + instruction + " {%r2, %r3, %r4, %r5}, " +
                    list(10, wordsA) + ", " + list(10 + wordsA, wordsB) + ", " +
                    list(10 + wordsA + wordsB, 4) + ";\n" +
                    "st.global.v4.b32 [%d1], {%r2, %r3, %r4, %r5};");
}

TEST_F(CudaDriver, MultipliesMatrices) {
  struct Multiply {
    const char *instruction;
    int depth, width;
    uint32_t (*convert)(int), (*convertC)(int);
  };
  const auto identity = [](int value) { return static_cast<uint32_t>(value); };
  const Multiply multiplies[] = {
      {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", 16, 16, toF16,
       toF32},
      {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", 16, 16, toBF16,
       toF32},
      {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", 8, 16, toF16, toF32},
      {"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", 8, 16, toBF16,
       toF32},
      {"mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", 32, 8, toS8,
       identity},
      {"mma.sync.aligned.m16n8k32.row.col.satfinite.s32.s8.s8.s32", 32, 8, toS8,
       identity},
      {"mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32", 16, 8, toS8,
       identity},
  };
  for (const Multiply &multiply : multiplies) {
    Fragments fragments = makeFragments(multiply.depth, multiply.convert,
                                        multiply.width, multiply.convertC);
    Words in, expected;
    for (const Words &words : fragments.lanes)
      in.insert(in.end(), words.begin(), words.end());
    for (int lane = 0; lane != 32; ++lane)
      for (int row : {lane / 4, lane / 4 + 8})
        for (int column : {lane % 4 * 2, lane % 4 * 2 + 1})
          expected.push_back(
              multiply.convertC(getProduct(row, column, multiply.depth)));
    int wordsA = multiply.depth * multiply.width / 64;
    EXPECT_EQ(run(makeMultiply(multiply.instruction, wordsA), in, 128),
              expected)
        << multiply.instruction;
  }
}

TEST_F(CudaDriver, AccumulatesInHalves) {
  // A and B are ones, C is (0.5, 2048) in each pair: 16.5, and 2064.
  std::string ptx = makeKernel(
      "mov.b32 %r1, 0x3c003c00; mov.b32 %r2, 0x68003800;\n"
      "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%r3, %r4},\n"
      "{%r1, %r1, %r1, %r1}, {%r1, %r1}, {%r2, %r2};\n"
      "mul.wide.u32 %d2, %r0, 8; add.s64 %d1, %d1, %d2;\n"
      "st.global.v2.b32 [%d1], {%r3, %r4};");
  EXPECT_EQ(run(ptx, {}, 64), Words(64, 0x68084c20));
}

TEST_F(CudaDriver, MultipliesUnsignedBytes) {
  // 32 times 255 * -1, plus 1.
  std::string ptx = makeKernel(
      "mov.b32 %r1, -1; mov.b32 %r2, 1;\n"
      "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%r3, %r4, %r5, %r6},\n"
      "{%r1, %r1, %r1, %r1}, {%r1, %r1}, {%r2, %r2, %r2, %r2};\n"
      "mul.wide.u32 %d2, %r0, 4; add.s64 %d1, %d1, %d2;\n"
      "st.global.b32 [%d1], %r6;");
  EXPECT_EQ(run(ptx, {}, 32), Words(32, 0xffffe021));
}

TEST_F(CudaDriver, SaturatesIntegerSums) {
  for (bool saturates : {false, true}) {
    std::string ptx =
        makeKernel("mov.b32 %r1, 0x01010101; mov.b32 %r2, 0x7fffffff;\n"
                   "mma.sync.aligned.m16n8k32.row.col" +
                   std::string(saturates ? ".satfinite" : "") +
                   ".s32.s8.s8.s32 {%r3, %r4, %r5, %r6},\n"
                   "{%r1, %r1, %r1, %r1}, {%r1, %r1}, {%r2, %r2, %r2, %r2};\n"
                   "mul.wide.u32 %d2, %r0, 4; add.s64 %d1, %d1, %d2;\n"
                   "st.global.b32 [%d1], %r3;");
    EXPECT_EQ(run(ptx, {}, 32), Words(32, saturates ? 0x7fffffff : 0x8000001f));
  }
}

/// Four matrices of 8 x 8 words of 16 bits lie one after the other; element
/// (r, c) of matrix m is 256 m + 8 r + c.
TEST_F(CudaDriver, LoadsMatrices) {
  Words in(128);
  auto element = [](uint32_t m, uint32_t r, uint32_t c) {
    return 256 * m + 8 * r + c;
  };
  for (uint32_t i = 0; i != 128; ++i) {
    uint32_t m = i / 32, r = i % 32 / 4, c = i % 4 * 2;
    in[i] = element(m, r, c) | element(m, r, c + 1) << 16;
  }
  for (bool transposed : {false, true})
    for (uint32_t count : {1, 2, 4}) {
      const char *registers[] = {"", "{%r10}", "{%r10, %r11}", "",
                                 "{%r10, %r11, %r12, %r13}"};
      std::string ptx = makeKernel(
          "mul.wide.u32 %d2, %r0, 16; add.s64 %d0, %d0, %d2;\n"
          "add.s64 %d1, %d1, %d2; cvt.u32.u64 %r9, %d2;\n"
          "ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%d0];\n"
          "mov.u32 %r5, tile; add.u32 %r5, %r5, %r9;\n"
          "st.shared.v4.b32 [%r5], {%r1, %r2, %r3, %r4}; bar.sync 0;\n"
          "mov.b32 %r11, 0; mov.b32 %r12, 0; mov.b32 %r13, 0;\n"
          "ldmatrix.sync.aligned.m8n8.x" +
              std::to_string(count) + (transposed ? ".trans" : "") +
              ".shared.b16 " + registers[count] + ", [%r5];\n" +
              "st.global.v4.b32 [%d1], {%r10, %r11, %r12, %r13};",
          ".shared .align 16 .b8 tile[512];\n");
      Words expected;
      for (uint32_t lane = 0; lane != 32; ++lane)
        for (uint32_t m = 0; m != 4; ++m) {
          uint32_t r = lane / 4, c = lane % 4 * 2;
          uint32_t low = transposed ? element(m, c, r) : element(m, r, c);
          uint32_t high =
              transposed ? element(m, c + 1, r) : element(m, r, c + 1);
          expected.push_back(m < count ? low | high << 16 : 0);
        }
      EXPECT_EQ(run(ptx, in, 128), expected) << count << transposed;
    }
}

TEST_F(CudaDriver, RefusesPartsOfWarpsInMatrixInstructions) {
  std::string ptx = makeKernel(
      "mov.b32 %r1, 0;\n"
      "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%r3, %r4},\n"
      "{%r1, %r1, %r1, %r1}, {%r1, %r1}, {%r1, %r1};");
  EXPECT_CONTAINS(runFault(ptx, {}, 1, quern::ptx::LaunchFailed, 16),
                  "all 32 lanes");
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

static const char *const buffer = ".shared .align 16 .b8 buffer[1024];\n";
static const std::string address =
    "mul.wide.u32 %d2, %r0, 16; add.s64 %d0, %d0, %d2;\n"
    "add.s64 %d1, %d1, %d2; cvt.u32.u64 %r9, %d2;\n"
    "mov.u32 %r5, buffer; add.u32 %r5, %r5, %r9;\n";
static const std::string store =
    "ld.shared.v4.b32 {%r10, %r11, %r12, %r13}, [%r5];\n"
    "st.global.v4.b32 [%d1], {%r10, %r11, %r12, %r13};";

TEST_F(CudaDriver, CopiesAsynchronously) {
  Words in(256);
  for (uint32_t i = 0; i != in.size(); ++i)
    in[i] = i;
  Words first(in.begin(), in.begin() + 128);
  EXPECT_EQ(run(makeKernel(address +
                               "cp.async.cg.shared.global [%r5], [%d0], 16;\n"
                               "cp.async.commit_group;\n"
                               "cp.async.wait_group 0;\n" +
                               store,
                           buffer),
                in, 128),
            first);
  // Sizes 4 and 8, zeros behind what is read, wait_all without a group.
  Words parts = run(
      makeKernel(address +
                     "cp.async.ca.shared.global [%r5], [%d0], 4;\n"
                     "cp.async.ca.shared.global.L2::128B [%r5+8], [%d0+8], 8, "
                     "4;\n"
                     "st.shared.b32 [%r5+4], 77; cp.async.wait_all;\n" +
                     store,
                 buffer),
      in, 128);
  for (uint32_t i = 0; i != 32; ++i) {
    EXPECT_EQ(parts[4 * i], 4 * i);
    EXPECT_EQ(parts[4 * i + 1], 77u);
    EXPECT_EQ(parts[4 * i + 2], 4 * i + 2);
    EXPECT_EQ(parts[4 * i + 3], 0u);
  }
  // Two groups: the first has arrived when one may be left.
  EXPECT_EQ(run(makeKernel(address +
                               "cp.async.cg.shared.global [%r5], [%d0], 16;\n"
                               "cp.async.commit_group;\n"
                               "cp.async.cg.shared.global [%r5+512], "
                               "[%d0+512], 16;\n"
                               "cp.async.commit_group;\n"
                               "cp.async.wait_group 1;\n" +
                               store,
                           buffer),
                in, 128),
            first);
}

TEST_F(CudaDriver, FindsCopiesThatNobodyWaitedFor) {
  Words in(256);
  const std::string copy = "cp.async.cg.shared.global [%r5], [%d0], 16;\n"
                           "cp.async.commit_group;\n";
  EXPECT_CONTAINS(runFault(makeKernel(address + copy + store, buffer), in, 128),
                  "cp.async.wait_group is missing");
  EXPECT_CONTAINS(runFault(makeKernel(address + copy + copy +
                                          "cp.async.wait_group 1;\n" + store,
                                      buffer),
                           in, 128),
                  "has not delivered");
  // Other threads also need a barrier.
  const std::string neighbour = "cp.async.wait_group 0;\n"
                                "xor.b32 %r9, %r9, 16; mov.u32 %r5, buffer;\n"
                                "add.u32 %r5, %r5, %r9;\n";
  EXPECT_CONTAINS(
      runFault(makeKernel(address + copy + neighbour + store, buffer), in, 128),
      "data race");
  EXPECT_CONTAINS(runFault(makeKernel(address + "cp.async.cg.shared.global "
                                                "[%r5+4], [%d0], 16;",
                                      buffer),
                           in, 128, quern::ptx::MisalignedAddress),
                  "misaligned");
}
