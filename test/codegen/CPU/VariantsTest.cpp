//===- VariantsTest.cpp - What code of each variant consists of -----------===//
//
// The images of a kernel of integer products, disassembled: a machine that runs
// them is not needed.
//
//===----------------------------------------------------------------------===//
#include "codegen/KernelCompiler.h"
#include "runtime/base/Process.h"

#include <gtest/gtest.h>

#include <cstring>
#include <elf.h>
#include <fstream>
#include <map>
#include <set>

using namespace quern;

using Names = std::set<std::string>;

static KernelRequest makeIntegerLinear(Encoding encoding,
                                       int64_t panelRows = 8) {
  constexpr int64_t tokens = 8, inputs = 256, outputs = 64;
  return {"integer_linear",
          "integer_linear",
          {{ArgumentEffect::Read, DataType::I32, {tokens, inputs / 4}},
           {ArgumentEffect::Read, DataType::F32, {tokens, inputs / 32, 2}},
           {ArgumentEffect::Read, DataType::F32, {outputs, inputs}, encoding},
           {ArgumentEffect::Write, DataType::F32, {tokens, outputs}}},
          {{"epilogue", std::string("none")},
           {"count", std::string("tokens")},
           {"weight_panels", panelRows}}};
}

namespace {

/// Mnemonics and registers of an image.
struct Listing {
  std::string text;
  uint16_t machine = 0;

  /// Whether an instruction or a register begins so.
  bool has(std::string_view word) const {
    for (const char *before : {"\t", " ", "%", "{", "("})
      if (text.find(before + std::string(word)) != std::string::npos)
        return true;
    return false;
  }
};

} // namespace

static Listing disassemble(std::string_view image) {
  Listing listing;
  Elf64_Ehdr header;
  EXPECT_GE(image.size(), sizeof(header));
  std::memcpy(&header, image.data(), sizeof(header));
  listing.machine = header.e_machine;
  Result<TemporaryFolder> folder = TemporaryFolder::create();
  EXPECT_TRUE(folder.isOk());
  std::string path = folder->getPath() + "/kernel.elf";
  std::ofstream(path, std::ios::binary) << image;
  std::string arguments[] = {"--disassemble", "--no-show-raw-insn",
                             "--mattr=+all", path};
  // x86-64 needs no list of features and has none called so.
  if (listing.machine == EM_X86_64)
    arguments[2] = "--no-leading-addr";
  Result<ProgramOutput> output = runProgram(QUERN_OBJDUMP, arguments);
  EXPECT_TRUE(output.isOk()) << output.getStatus().getMessage();
  EXPECT_EQ(output->exitCode, 0) << output->text;
  EXPECT_EQ(output->text.find("<unknown>"), std::string::npos);
  listing.text = std::move(output->text);
  return listing;
}

/// The target's own code, as "", and that of each of its variants.
static std::map<std::string, Listing> compileAll(const char *spec,
                                                 Encoding encoding) {
  std::map<std::string, Listing> listings;
  TargetDescription target = *findTarget(spec);
  Result<CompiledKernel> kernel = KernelCompiler().compile(
      makeIntegerLinear(encoding, target.getPanelRows()), target,
      {.dumpDir = "", .variants = true});
  EXPECT_TRUE(kernel.isOk()) << kernel.getStatus().getMessage();
  if (!kernel.isOk())
    return listings;
  EXPECT_EQ(kernel->variants.size(), target.variants.size());
  auto bytes = std::as_bytes(std::span(kernel->code));
  listings[""] =
      disassemble({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  for (size_t i = 0; i != kernel->variants.size(); ++i)
    listings[target.variants[i].name] = disassemble(kernel->variants[i]);
  return listings;
}

static void expectWords(const Listing &listing, const Names &wanted,
                        const Names &unwanted) {
  for (const std::string &word : wanted)
    EXPECT_TRUE(listing.has(word)) << word;
  for (const std::string &word : unwanted)
    EXPECT_FALSE(listing.has(word)) << word;
}

TEST(Variants, X86ProductsOfBytesWithoutSign) {
  auto listings = compileAll("cpu-x86-64-v3:all", Encoding::Q4);
  ASSERT_EQ(listings.size(), 5u);
  const Names avx512 = {"zmm", "ymm16", "ymm31", "k1"};
  Names none = avx512;
  none.insert({"vpdpbusd", "vpdpbssd"});
  expectWords(listings[""], {"vpmaddubsw", "vpmaddwd", "ymm15"}, none);
  Names vnni = avx512;
  vnni.insert({"vpmaddubsw", "vpdpbssd"});
  expectWords(listings["avxvnni"], {"vpdpbusd", "vex}"}, vnni);
  expectWords(listings["avxvnniint8"], {"vpdpbusd"}, vnni);
  expectWords(listings["avx512vnni"], {"vpdpbusd"},
              {"vpmaddubsw", "vpdpbssd", "zmm", "vex}"});
  expectWords(listings["avx512"], {"vpmaddubsw"}, {"vpdpbusd", "zmm"});
  for (auto &[name, listing] : listings)
    EXPECT_EQ(listing.machine, EM_X86_64) << name;
}

TEST(Variants, X86ProductsOfBytesWithSign) {
  auto listings = compileAll("cpu-x86-64-v3:all", Encoding::Int8);
  ASSERT_EQ(listings.size(), 5u);
  expectWords(listings[""], {"vpmaddubsw", "vpsignb"}, {"vpdpbusd"});
  expectWords(listings["avxvnni"], {"vpdpbusd", "vpxor"},
              {"vpmaddubsw", "vpsignb", "vpdpbssd"});
  expectWords(listings["avxvnniint8"], {"vpdpbssd"},
              {"vpmaddubsw", "vpdpbusd", "vpsignb"});
  expectWords(listings["avx512vnni"], {"vpdpbusd"},
              {"vpmaddubsw", "vpsignb", "zmm"});
}

TEST(Variants, X86ProductsInWideRegisters) {
  for (Encoding encoding : {Encoding::Q4, Encoding::Int8}) {
    auto listings = compileAll("cpu-x86-64-v4", encoding);
    ASSERT_EQ(listings.size(), 1u);
    expectWords(listings[""], {"vpdpbusd", "zmm"}, {"vpmaddubsw", "vpsignb"});
  }
}

TEST(Variants, ArmProducts) {
  for (Encoding encoding : {Encoding::Q4, Encoding::Int8}) {
    auto listings = compileAll("cpu-aarch64:all", encoding);
    ASSERT_EQ(listings.size(), 2u);
    expectWords(listings[""], {"smull", "addp"}, {"sdot"});
    expectWords(listings["dotprod"], {"sdot"}, {"smull", "smlal"});
    for (auto &[name, listing] : listings)
      EXPECT_EQ(listing.machine, EM_AARCH64) << name;
  }
}

/// Only who asks for them waits for them.
TEST(Variants, AreLeftOutByDefault) {
  Result<CompiledKernel> kernel = KernelCompiler().compile(
      makeIntegerLinear(Encoding::Q4), *findTarget("cpu:all"));
  ASSERT_TRUE(kernel.isOk()) << kernel.getStatus().getMessage();
  EXPECT_TRUE(kernel->variants.empty());
}

/// LLVM would end the process.
TEST(Variants, RefuseInstructionsThatTheCPULacks) {
  auto errorOf = [](const char *spec, const char *cpu, ByteDot kind,
                    bool hasTiles = false) {
    TargetDescription target = *findTarget(spec);
    target.cpu = cpu;
    target.byteDot = kind;
    target.tileTokens = hasTiles ? 64 : 0;
    Status status = KernelCompiler()
                        .compile(makeIntegerLinear(Encoding::Q4), target)
                        .getStatus();
    EXPECT_EQ(status.getCode(), StatusCode::Unsupported);
    return status.getMessage();
  };
  EXPECT_EQ(errorOf("cpu-x86-64-v3", "x86-64-v4", ByteDot::Vnni),
            "the code needs avxvnni or avx512vnni and avx512vl, which CPU "
            "'x86-64-v4' with its features lacks");
  errorOf("cpu-x86-64-v3", "x86-64-v2", ByteDot::Avx2);
  errorOf("cpu-x86-64-v3", "x86-64-v3", ByteDot::VnniInt8);
  errorOf("cpu-x86-64-v3", "x86-64-v4", ByteDot::Vnni512);
  errorOf("cpu-x86-64-v3", "x86-64-v3", ByteDot::NeonDot);
  errorOf("cpu-aarch64", "generic", ByteDot::NeonDot);
  errorOf("cpu-aarch64", "generic", ByteDot::Avx2);
  EXPECT_EQ(
      errorOf("cpu-x86-64-v3", "x86-64-v3", ByteDot::Avx2, /*hasTiles=*/true),
      "the code needs avx2 and amx-int8 and amx-bf16, which CPU 'x86-64-v3' "
      "with its features lacks");
  EXPECT_EQ(
      errorOf("cpu-x86-64-v3", "x86-64-v3", ByteDot::None, /*hasTiles=*/true),
      "the code needs amx-int8 and amx-bf16, which CPU 'x86-64-v3' with its "
      "features lacks");
}

TEST(Variants, RefuseUnknownFeatures) {
  TargetDescription target = *findTarget("cpu:avx512vnni");
  target.variants.front().features = {"avx1024"};
  Status status = KernelCompiler()
                      .compile(makeIntegerLinear(Encoding::Q4), target,
                               {.dumpDir = "", .variants = true})
                      .getStatus();
  EXPECT_EQ(status.getCode(), StatusCode::Unsupported);
  EXPECT_EQ(status.getMessage(),
            "variant 'avx512vnni': LLVM knows no feature 'avx1024' of "
            "architecture 'x86_64'");
}
