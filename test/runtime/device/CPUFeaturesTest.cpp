//===- CPUFeaturesTest.cpp - What CPUs and systems say they have ----------===//

#include "runtime/device/cpu/CPUFeatures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

using namespace quern::cpu;

using Names = std::vector<std::string>;
using Leaf = std::pair<uint32_t, uint32_t>;

namespace {

/// A CPU that says what real ones say, only the bits that matter here.
struct FakeCPU {
  std::map<Leaf, CpuidRegisters> leaves;
  uint64_t xcr0 = 0;

  Names decode() const {
    X86Queries queries;
    queries.cpuid = [this](uint32_t leaf, uint32_t subleaf) {
      auto found = leaves.find({leaf, subleaf});
      // Intel answers with the last leaf for those it lacks: of ones here.
      return found != leaves.end() ? found->second
                                   : CpuidRegisters{~0u, ~0u, ~0u, ~0u};
    };
    queries.xgetbv = [this] { return xcr0; };
    return decodeX86Features(queries);
  }
};

} // namespace

/// Haswell, Zen to Zen 3.
static FakeCPU makeAvx2() {
  FakeCPU cpu;
  cpu.leaves[{0, 0}].eax = 0x10;
  cpu.leaves[{1, 0}].ecx = 0x7ed8320b | 1u << 12;
  cpu.leaves[{7, 0}].ebx = 0x219c91a9 & 0xffff;
  cpu.leaves[{0x80000000, 0}].eax = 0x80000008;
  cpu.leaves[{0x80000001, 0}].ecx = 0x21;
  cpu.xcr0 = 0x7;
  return cpu;
}

/// Ice Lake, Zen 4.
static FakeCPU makeAvx512() {
  FakeCPU cpu = makeAvx2();
  cpu.leaves[{7, 0}].ebx |=
      1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
  cpu.leaves[{7, 0}].ecx = 1u << 11;
  cpu.xcr0 = 0xe7;
  return cpu;
}

/// Alder Lake and later, without and with products of signed bytes.
static FakeCPU makeAvxVnni(bool int8) {
  FakeCPU cpu = makeAvx2();
  cpu.leaves[{7, 0}].eax = 1;
  cpu.leaves[{7, 1}].eax = 1u << 4;
  cpu.leaves[{7, 1}].edx = int8 ? 1u << 4 : 0;
  return cpu;
}

TEST(CPUFeatures, NamesWhatCPUsHave) {
  EXPECT_EQ(makeAvx2().decode(), Names{"x86-64-v3"});
  EXPECT_EQ(makeAvx512().decode(),
            (Names{"x86-64-v3", "x86-64-v4", "avx512vnni"}));
  EXPECT_EQ(makeAvxVnni(false).decode(), (Names{"x86-64-v3", "avxvnni"}));
  EXPECT_EQ(makeAvxVnni(true).decode(),
            (Names{"x86-64-v3", "avxvnni", "avxvnniint8"}));
  FakeCPU sapphireRapids = makeAvx512();
  sapphireRapids.leaves[{7, 0}].eax = 2;
  sapphireRapids.leaves[{7, 1}].eax = 1u << 4 | 1u << 5;
  EXPECT_EQ(
      sapphireRapids.decode(),
      (Names{"x86-64-v3", "x86-64-v4", "avx512vnni", "avx512bf16", "avxvnni"}));
}

/// Tiles need the system too, which keeps them for those that ask.
TEST(CPUFeatures, NamesTiles) {
  FakeCPU cpu = makeAvx512();
  cpu.leaves[{7, 0}].edx = 1u << 22 | 1u << 24 | 1u << 25;
  EXPECT_EQ(cpu.decode(), (Names{"x86-64-v3", "x86-64-v4", "avx512vnni"}));
  cpu.xcr0 = 0x600e7;
  EXPECT_EQ(cpu.decode(), (Names{"x86-64-v3", "x86-64-v4", "avx512vnni",
                                 "amx-tile", "amx-int8", "amx-bf16"}));
  cpu.leaves[{7, 0}].edx = 1u << 22 | 1u << 24;
  EXPECT_EQ(cpu.decode(), (Names{"x86-64-v3", "x86-64-v4", "avx512vnni",
                                 "amx-tile", "amx-bf16"}));
}

TEST(CPUFeatures, NeedsEveryBit) {
  FakeCPU cpu = makeAvx512();
  cpu.leaves[{7, 0}].ebx &= ~(1u << 17); // AVX512DQ
  EXPECT_EQ(cpu.decode(), (Names{"x86-64-v3", "avx512vnni"}));
  for (unsigned bit : {0, 9, 12, 13, 19, 20, 22, 23, 28, 29}) {
    FakeCPU lesser = makeAvx2();
    lesser.leaves[{1, 0}].ecx &= ~(1u << bit);
    EXPECT_EQ(lesser.decode(), Names{}) << bit;
  }
  cpu = makeAvx2();
  cpu.leaves[{0x80000001, 0}].ecx = 1; // LZCNT
  EXPECT_EQ(cpu.decode(), Names{});
}

/// Registers that the system does not keep can't be used.
TEST(CPUFeatures, NeedsTheSystem) {
  FakeCPU cpu = makeAvx512();
  for (uint64_t missing : {0x20, 0x40, 0x80}) {
    cpu.xcr0 = 0xe7 & ~missing;
    EXPECT_EQ(cpu.decode(), Names{"x86-64-v3"}) << missing;
  }
  cpu.xcr0 = 0xe7 & ~0x4; // YMM
  EXPECT_EQ(cpu.decode(), Names{});
  // Without OSXSAVE xgetbv is no instruction.
  cpu.xcr0 = 0xe7;
  cpu.leaves[{1, 0}].ecx &= ~(1u << 27);
  EXPECT_EQ(cpu.decode(), Names{});
}

/// Old CPUs answer for leaves they lack with bits of another one.
TEST(CPUFeatures, ReadsNoLeafThatIsNotThere) {
  FakeCPU cpu = makeAvx2();
  cpu.leaves[{0, 0}].eax = 6;
  EXPECT_EQ(cpu.decode(), Names{});
  cpu = makeAvx2();
  cpu.leaves[{0x80000000, 0}].eax = 0x80000000;
  EXPECT_EQ(cpu.decode(), Names{});
  EXPECT_EQ(makeAvx2().decode(), Names{"x86-64-v3"}); // Leaf 7.1 is of ones.
}

TEST(CPUFeatures, NamesWhatArmCPUsHave) {
  EXPECT_EQ(decodeArmFeatures(0, 0), Names{});
  EXPECT_EQ(decodeArmFeatures(0xff, 0), Names{"neon"}); // Cortex-A72
  EXPECT_EQ(decodeArmFeatures(0x119fff, 0),
            (Names{"neon", "fullfp16", "dotprod"})); // Neoverse N1
  EXPECT_EQ(decodeArmFeatures(0x119fff, 0x6000),
            (Names{"neon", "fullfp16", "dotprod", "i8mm", "bf16"}));
}

TEST(CPUFeatures, KeepsWhatIsNamed) {
  Names all = {"x86-64-v3", "x86-64-v4", "avx512vnni"};
  EXPECT_EQ(keepFeatures(all, ""), Names{});
  EXPECT_EQ(keepFeatures(all, "x86-64-v3"), Names{"x86-64-v3"});
  EXPECT_EQ(keepFeatures(all, "avx512vnni,avxvnni,x86-64-v3"),
            (Names{"x86-64-v3", "avx512vnni"}));
  EXPECT_EQ(keepFeatures(all, ",x86-64,"), Names{});
}

TEST(CPUFeatures, CanBeHiddenFromTheRuntime) {
  Names all = detectFeatures();
  ::setenv("QUERN_CPU_FEATURES", "", 1);
  EXPECT_EQ(detectFeatures(), Names{});
  ::setenv("QUERN_CPU_FEATURES", "x86-64-v3,neon,no-such-thing", 1);
  for (const std::string &feature : detectFeatures())
    EXPECT_TRUE(feature == "x86-64-v3" || feature == "neon") << feature;
  ::unsetenv("QUERN_CPU_FEATURES");
  EXPECT_EQ(detectFeatures(), all);
#ifdef __x86_64__
  // The compiler's own test.
  __builtin_cpu_init();
  for (const char *level : {"x86-64-v3", "x86-64-v4"})
    EXPECT_EQ(std::ranges::count(all, level),
              std::string_view(level) == "x86-64-v3"
                  ? __builtin_cpu_supports("x86-64-v3") != 0
                  : __builtin_cpu_supports("x86-64-v4") != 0)
        << level;
#endif
}
