//===- AssemblePtxTest.cpp - Running ptxas --------------------------------===//
#include "codegen/CUDA/AssemblePtx.h"

#include <gtest/gtest.h>

using namespace quern;

static const std::string fakePath =
    QUERN_SOURCE_DIR "/test/support/fake-ptxas.sh";

static const char *const text = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry copy(.param .u64 in)
{
  ret;
}
)";

TEST(AssemblePtx, ReadsWhatPtxasSays) {
  Cubin cubin;
  Status status = readPtxasReport(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'k' for 'sm_80'\n"
      "ptxas info    : Function properties for k\n"
      "    152 bytes stack frame, 148 bytes spill stores, 44 bytes spill "
      "loads\n"
      "ptxas info    : Used 255 registers, used 1 barriers, 152 bytes "
      "cumulative stack size, 4096 bytes smem, 376 bytes cmem[0]\n",
      "k", cubin);
  ASSERT_TRUE(status.isOk()) << status.getMessage();
  EXPECT_EQ(cubin.resources.registers, 255u);
  EXPECT_EQ(cubin.resources.localMemory, 152u);
  EXPECT_EQ(cubin.resources.spillStores, 148u);
  EXPECT_EQ(cubin.resources.spillLoads, 44u);
  EXPECT_EQ(cubin.resources.workgroupMemory, 4096u);
  EXPECT_TRUE(cubin.warnings.empty());
  for (const char *bad :
       {"", "ptxas info : Used 24 registers\n", "Function properties for k\n",
        "Used registers", "Function properties for other\n0 bytes stack frame"})
    EXPECT_FALSE(readPtxasReport(bad, "k", cubin).isOk()) << bad;
}

TEST(AssemblePtx, RunsTheProgramThatIsNamed) {
  Result<PtxAssembler> fake = PtxAssembler::find(fakePath);
  ASSERT_TRUE(fake.isOk()) << fake.getStatus().getMessage();
  EXPECT_EQ(fake->getMajorVersion(), 13u);
  EXPECT_TRUE(fake->knows("sm_90a"));
  EXPECT_FALSE(fake->knows("sm_90"));
  EXPECT_FALSE(fake->knows("sm_120a"));
  Result<Cubin> cubin = fake->assemble(text, "copy", "sm_90a");
  ASSERT_TRUE(cubin.isOk()) << cubin.getStatus().getMessage();
  EXPECT_EQ(cubin->code, "cubin sm_90a of sm_80 copy");
  EXPECT_EQ(cubin->resources.registers, 40u);
  EXPECT_EQ(cubin->resources.spillStores, 12u);
  Status refused = fake->assemble(".target sm_90", "k", "sm_80").getStatus();
  EXPECT_EQ(refused.getCode(), StatusCode::Internal);
  EXPECT_NE(refused.getMessage().find("for sm_80"), std::string::npos);

  EXPECT_EQ(PtxAssembler::find("/nonexistent").getStatus().getCode(),
            StatusCode::IoError);
  Status other = PtxAssembler::find("/bin/true").getStatus();
  EXPECT_EQ(other.getCode(), StatusCode::InvalidArgument);
  EXPECT_NE(other.getMessage().find("is no ptxas"), std::string::npos);
}

TEST(AssemblePtx, AssemblesWithTheRealOne) {
  Result<PtxAssembler> ptxas = PtxAssembler::find("");
  if (!ptxas.isOk())
    GTEST_SKIP() << ptxas.getStatus().getMessage();
  Result<Cubin> cubin = ptxas->assemble(text, "copy", "sm_80");
  ASSERT_TRUE(cubin.isOk()) << cubin.getStatus().getMessage();
  EXPECT_TRUE(cubin->code.starts_with("\x7f"
                                      "ELF"));
  EXPECT_GT(cubin->resources.registers, 0u);
  EXPECT_EQ(cubin->resources.localMemory, 0u);
  EXPECT_EQ(cubin->code, ptxas->assemble(text, "copy", "sm_80")->code);
  EXPECT_NE(ptxas->assemble("nonsense", "copy", "sm_80")
                .getStatus()
                .getMessage()
                .find("ptxas refuses"),
            std::string::npos);
}
