//===- KernelCompilerTest.cpp - Requests that can and can't be answered ---===//
#include "codegen/KernelCompiler.h"

#include "codegen/CPU/LinkImage.h"

#include <gtest/gtest.h>

#include <thread>

using namespace quern;

static KernelRequest makeLinear(int64_t inputs, int64_t outputs,
                                DataType output) {
  return {"linear_1",
          "linear",
          {{ArgumentEffect::Read, DataType::F32, {1, inputs}},
           {ArgumentEffect::Read, DataType::BF16, {outputs, inputs}},
           {ArgumentEffect::Write, output, {1, outputs}}},
          {{"epilogue", std::string("none")}}};
}

static TargetDescription getTarget() { return *findTarget("vulkan-lavapipe"); }

static std::string errorOf(const KernelRequest &request,
                           const TargetDescription &target) {
  Result<CompiledKernel> kernel = KernelCompiler().compile(request, target);
  EXPECT_FALSE(kernel.isOk());
  return kernel.isOk() ? "" : kernel.getStatus().getMessage();
}

void expectSameCode(const TargetDescription &target) {
  KernelRequest request = makeLinear(1024, 311, DataType::F32);
  std::vector<std::vector<uint32_t>> codes(4);
  std::vector<std::thread> threads;
  for (auto &code : codes)
    threads.emplace_back([&request, &target, &code] {
      KernelCompiler compiler;
      for (int turn = 0; turn != 2; ++turn)
        code = compiler.compile(request, target)->code;
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const auto &code : codes)
    EXPECT_EQ(code, codes.front());
  EXPECT_FALSE(codes.front().empty());
}

TEST(KernelCompiler, IsDeterministicAcrossThreads) {
  expectSameCode(getTarget());
  expectSameCode(*findTarget("cpu"));
}

TEST(KernelCompiler, MakesImagesForCPUs) {
  Result<CompiledKernel> kernel = KernelCompiler().compile(
      makeLinear(1024, 3072, DataType::F32), *findTarget("cpu"));
  ASSERT_TRUE(kernel.isOk()) << kernel.getStatus().getMessage();
  EXPECT_EQ(kernel->code.front(), 0x464c457fu); // "\x7fELF"
  EXPECT_EQ(kernel->launch.workgroupSize[0], 8u);
  EXPECT_EQ(kernel->accesses.size(), 3u);
}

TEST(KernelCompiler, RefusesWhatCPUsLack) {
  TargetDescription target = *findTarget("cpu");
  target.subgroupsPerWorkgroup = 2;
  EXPECT_NE(errorOf(makeLinear(1024, 3072, DataType::F32), target)
                .find("a workgroup is one subgroup"),
            std::string::npos);
  target = *findTarget("cpu");
  target.cpu = "abacus";
  EXPECT_EQ(errorOf(makeLinear(1024, 3072, DataType::F32), target),
            "LLVM knows no CPU 'abacus' of architecture 'x86_64'");
  target.architecture = "pdp11";
  EXPECT_NE(errorOf(makeLinear(1024, 3072, DataType::F32), target)
                .find("architecture 'pdp11'"),
            std::string::npos);
}

TEST(LinkImage, RefusesWhatIsNoObject) {
  for (std::string object :
       {std::string(), std::string("no object code"), std::string(64, '\0')})
    EXPECT_EQ(linkImage(object, "f").getStatus().getCode(),
              StatusCode::Internal);
}

TEST(KernelCompiler, DescribesTheLaunch) {
  Result<CompiledKernel> kernel = KernelCompiler().compile(
      makeLinear(1024, 3072, DataType::F32), getTarget());
  ASSERT_TRUE(kernel.isOk()) << kernel.getStatus().getMessage();
  EXPECT_EQ(kernel->entryPoint, "linear");
  EXPECT_EQ(kernel->launch.subgroupSize, 8u);
  EXPECT_EQ(kernel->launch.workgroupSize[0] % 8, 0u);
  EXPECT_EQ(kernel->launch.count, KernelGridCount::Tokens);
  EXPECT_EQ(kernel->flops, 2u * 1024 * 3072);
  EXPECT_EQ(kernel->idealBytes, 1024u * 4 + 1024u * 3072 * 2 + 3072 * 4);
  std::vector<KernelAccess> accesses = {KernelAccess::TexelFloat4,
                                        KernelAccess::TexelUint4,
                                        KernelAccess::StorageBuffer};
  EXPECT_EQ(kernel->accesses, accesses);
}

TEST(KernelCompiler, RefusesWithReasons) {
  TargetDescription target = getTarget();
  KernelRequest request = makeLinear(1020, 311, DataType::F32);
  EXPECT_EQ(errorOf(request, target),
            "dimension K = 1020 is not a multiple of 8");
  request = makeLinear(1024, 311, DataType::F16);
  EXPECT_EQ(errorOf(request, target),
            "dimension N = 311 is not a multiple of 8");
  request = makeLinear(1024, 64, DataType::F32);
  request.arguments[1].shape = {64, 512};
  EXPECT_EQ(errorOf(request, target),
            "argument 1: expected in weight e[W,K], found in bf16[64,512]: K "
            "is 1024 in earlier arguments");
  request = makeLinear(1024, 64, DataType::I32);
  EXPECT_NE(errorOf(request, target).find("element type"), std::string::npos);
  request = makeLinear(1024, 64, DataType::F32);
  request.family = "conv";
  EXPECT_EQ(errorOf(request, target), "unknown kernel family 'conv'");
  request = makeLinear(1024, 64, DataType::F32);
  request.arguments.pop_back();
  EXPECT_NE(errorOf(request, target).find("expected 3 arguments"),
            std::string::npos);
  request = makeLinear(1024, 64, DataType::F32);
  request.config["epilogue"] = int64_t(3);
  EXPECT_EQ(errorOf(request, target), "config member epilogue is not a string");
}

TEST(KernelCompiler, RefusesWhatTheTargetCanNotBind) {
  TargetDescription target = getTarget();
  target.maxTexelElements = 1000;
  target.maxStorageBufferBytes = 1 << 20;
  std::string error = errorOf(makeLinear(1024, 1024, DataType::F32), target);
  EXPECT_NE(error.find("exceeds the target's storage buffers"),
            std::string::npos)
      << error;
  target = getTarget();
  target.maxGrid = {4, 4, 4};
  EXPECT_NE(errorOf(makeLinear(1024, 3072, DataType::F32), target)
                .find("grid dimension 0"),
            std::string::npos);
}
