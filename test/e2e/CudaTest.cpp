//===- CudaTest.cpp - Steps and failures of CUDA, end to end --------------===//
//
// On the test driver: it counts what a step asks of the driver, and plays
// drivers and GPUs that do not fit.
//
//===----------------------------------------------------------------------===//
#include "runtime/engine/OpenDevice.h"
#include "test/cuda/driver/TestDriver.h"
#include "test/e2e/EndToEnd.h"
#include "test/support/TempDir.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sys/wait.h>
#include <tuple>

using namespace quern;
using namespace quern::test;

namespace {

struct LastToken : StepResults {
  void onResult(size_t, size_t, int32_t token,
                std::span<const float> logits) override {
    last = token;
    EXPECT_TRUE(logits.empty());
  }
  int32_t last = -1;
};

struct CudaTest : testing::Test {
  void SetUp() override {
    if (!usesTestDriver())
      GTEST_SKIP() << "asks the test driver";
    quernTestCudaReset();
    quernTestCudaSetOption("QUIET", "1");
  }
  void TearDown() override { quernTestCudaReset(); }
};

/// A tiny checkpoint of the repository.
struct CudaStepTest : CudaTest, testing::WithParamInterface<const char *> {};

} // namespace

static std::string compileTiny(const std::string &model,
                               const std::string &compute = "f32") {
  CompileOptions options = testOptions(std::string(QUERN_SOURCE_DIR) +
                                           "/test/data/checkpoints/" + model,
                                       compute);
  options.target = "cuda";
  auto path = compileForTest(options);
  EXPECT_TRUE(path.isOk()) << path.getStatus().getMessage();
  return path.isOk() ? *path : "";
}

static Status step(Engine &engine, Sequence &sequence, LastToken &token) {
  std::array<int32_t, 1> ids = {token.last};
  StepEntry entry{&sequence, ids, ResultRows::Last, nullptr};
  return engine.run({&entry, 1}, token);
}

/// One decode step is one graph launch and one wait; nothing is allocated or
/// copied, and the host reads the token where the device wrote it.
TEST_P(CudaStepTest, DecodesWithOneGraphLaunch) {
  auto engine = loadForTest(compileTiny(GetParam()));
  ASSERT_TRUE(engine.isOk()) << engine.getStatus().getMessage();
  auto sequence = (*engine)->createSequence();
  ASSERT_TRUE(sequence.isOk());
  LastToken token;
  std::vector<int32_t> prompt = {1, 5, 7};
  StepEntry entry{sequence->get(), prompt, ResultRows::Last, nullptr};
  ASSERT_TRUE((*engine)->run({&entry, 1}, token).isOk());
  for (int i = 0; i != 2; ++i)
    ASSERT_TRUE(step(**engine, **sequence, token).isOk());
  quernTestCudaResetCounters();
  // Over the border of a page, and of the rings of a gated delta net.
  constexpr uint64_t steps = 40;
  for (uint64_t i = 0; i != steps; ++i)
    ASSERT_TRUE(step(**engine, **sequence, token).isOk());
  QuernTestCudaCounters counters;
  quernTestCudaGetCounters(&counters);
  EXPECT_EQ(counters.graphLaunches, steps);
  EXPECT_EQ(counters.synchronisations, steps);
  EXPECT_GT(counters.kernelsRun, steps);
  EXPECT_EQ(counters.kernelLaunches, 0u);
  EXPECT_EQ(counters.graphUpdates, 0u);
  EXPECT_EQ(counters.deviceAllocations + counters.hostAllocations, 0u);
  EXPECT_EQ(counters.modulesLoaded, 0u);
  EXPECT_EQ(counters.deviceToHostBytes + counters.hostToDeviceBytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Models, CudaStepTest,
                         testing::Values("qwen3-dense-tied-bf16",
                                         "qwen3-moe-bf16-sharded",
                                         "qwen3_6-moe-bf16"),
                         [](const auto &info) {
                           return toTestName(info.param);
                         });

namespace {
/// Tiny checkpoints whose programs of 64 tokens have matrix units for these
/// families.
struct MatrixModel {
  const char *name;
  std::vector<std::string> families;
};

struct CudaMatrixTest : CudaTest, testing::WithParamInterface<MatrixModel> {};
} // namespace

/// How many kernels of a family, for 64 tokens, multiply on matrix units.
static size_t countMatrixKernels(const Bundle &bundle,
                                 const std::string &family) {
  size_t count = 0;
  const auto &kernels = *bundle.getTarget(0).kernels();
  for (uint32_t i = 0; i != kernels.size(); ++i) {
    auto bytes = bundle.getKernelCode(0, i);
    std::string_view ptx(reinterpret_cast<const char *>(bytes.data()),
                         bytes.size());
    count += toView(kernels.Get(i)->name()).starts_with(family + "_t64_") &&
             ptx.find("mma.sync") != std::string_view::npos;
  }
  return count;
}

/// Activations of 16 bits may have twice the error that transformers has in
/// bf16, as on other devices (GoldenTest.cpp); those of f32 are not rounded.
TEST_P(CudaMatrixTest, SixteenBitPrefill) {
  Golden golden(GetParam().name);
  for (const char *compute : {"f32", "f16", "bf16"}) {
    auto engine = loadForTest(compileTiny(GetParam().name, compute));
    ASSERT_TRUE(engine.isOk()) << engine.getStatus().getMessage();
    bool rounds = compute != std::string("f32");
    for (const std::string &family : GetParam().families)
      EXPECT_EQ(countMatrixKernels((*engine)->getModel().getBundle(), family) !=
                    0,
                rounds)
          << compute << " " << family;
    if (!rounds)
      continue;
    auto error = relativeError(**engine, golden, {"t41"});
    ASSERT_TRUE(error.isOk()) << error.getStatus().getMessage();
    EXPECT_LE(*error, 2 * golden.bf16RelativeError()) << compute;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, CudaMatrixTest,
    testing::Values(
        MatrixModel{"qwen3-dense-tied-bf16", {"linear"}},
        MatrixModel{"qwen3-moe-bf16-sharded", {"linear", "expert_tiles"}},
        MatrixModel{"qwen3_6-moe-bf16", {"linear", "expert_tiles"}}),
    [](const auto &info) { return toTestName(info.param.name); });

/// The engine says that the device is lost, and goes on saying it; a model that
/// is loaded anew is well.
TEST_F(CudaTest, LosesTheDeviceInTheMiddle) {
  std::string path = compileTiny("qwen3-dense-tied-bf16");
  LastToken token;
  token.last = 5;
  {
    auto engine = loadForTest(path);
    ASSERT_TRUE(engine.isOk()) << engine.getStatus().getMessage();
    auto sequence = (*engine)->createSequence();
    ASSERT_TRUE(step(**engine, **sequence, token).isOk());
    constexpr int launchFailed = 719;
    quernTestCudaFail("cuStreamQuery", launchFailed, 0);
    Status status = step(**engine, **sequence, token);
    quernTestCudaFail("", 0, 0);
    EXPECT_EQ(status.getCode(), StatusCode::DeviceLost);
    for (const char *part : {"is lost", "CUDA_ERROR_LAUNCH_FAILED",
                             "load the model anew", "dmesg"})
      EXPECT_NE(status.getMessage().find(part), std::string::npos)
          << status.getMessage();
    EXPECT_EQ(step(**engine, **sequence, token).getCode(),
              StatusCode::DeviceLost);
    EXPECT_EQ((*engine)->getFailure().getCode(), StatusCode::DeviceLost);
  }
  auto engine = loadForTest(path);
  ASSERT_TRUE(engine.isOk()) << engine.getStatus().getMessage();
  auto sequence = (*engine)->createSequence();
  token.last = 5;
  EXPECT_TRUE(step(**engine, **sequence, token).isOk());
}

namespace {

struct BadMachine {
  const char *name;
  const char *environment;
  std::vector<const char *> says;
};

struct CudaCommandTest : CudaTest, testing::WithParamInterface<BadMachine> {};

} // namespace

/// What a command prints on both outputs, and its exit code.
static std::pair<int, std::string> runShell(const std::string &command) {
  TempDir folder;
  std::string out = folder.file("out");
  int status = std::system(("( " + command + " ) >" + out + " 2>&1").c_str());
  std::ifstream file(out);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          std::string(std::istreambuf_iterator<char>(file), {})};
}

/// A GPU for which there is PTX of its own takes that, any other that of all
/// since Ampere; both run.
TEST_F(CudaTest, TakesThePtxOfItsArchitecture) {
  std::string path = compileTiny("qwen3-dense-tied-bf16");
  int32_t first = -1;
  for (auto [architecture, name] :
       {std::pair("89", ""), {"90", "sm_90a"}, {"100", ""}}) {
    quernTestCudaReset();
    ASSERT_TRUE(quernTestCudaSetOption("ARCH", architecture));
    auto engine = loadForTest(path);
    ASSERT_TRUE(engine.isOk()) << engine.getStatus().getMessage();
    const bundle::Architecture *own = (*engine)->getModel().getArchitecture();
    EXPECT_EQ(own ? toView(own->name()) : "", name) << architecture;
    auto sequence = (*engine)->createSequence();
    LastToken token;
    token.last = 5;
    ASSERT_TRUE(step(**engine, **sequence, token).isOk());
    if (first < 0)
      first = token.last;
    EXPECT_EQ(token.last, first) << architecture;
  }
}

static const std::string quernCommand = QUERN_BINARY_DIR "/bin/quern ";

/// With a stand-in for ptxas, which gives "cubin ARCHITECTURE ENTRY".
TEST(CudaCompileTest, StoresCodeBesideThePtx) {
  TempDir folder;
  const std::string checkpoint =
      QUERN_SOURCE_DIR "/test/data/checkpoints/qwen3-dense-tied-bf16 ";
  const std::string compile =
      quernCommand + "compile " + checkpoint +
      "--context 256 --prefill 64 --target cuda:sm_80,sm_90a,sm_120a "
      "--ptxas " QUERN_SOURCE_DIR "/test/support/fake-ptxas.sh ";
  std::string path = folder.file("a.quern"), other = folder.file("b.quern");
  auto [code, text] = runShell(compile + "--threads 1 -o " + path);
  ASSERT_EQ(code, 0) << text;
  for (const char *part :
       {"fake warning for sm_90a", "no code for sm_120a",
        "Registers spilled to memory", "sm_90a: 41 of 41 kernels, at most 12"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
  auto inspect = [&](const std::string &options) {
    return runShell(quernCommand + "inspect " + path + " " + options).second;
  };
  EXPECT_EQ(inspect("--sass linear_t1_64x512 --raw --arch sm_90a"),
            "cubin sm_90a of sm_90a linear");
  EXPECT_EQ(inspect("--sass rms_norm_t1_64 --raw"),
            "cubin sm_80 of sm_80 rms_norm");
  EXPECT_NE(inspect("--ptx rms_norm_t1_64").find(".visible .entry rms_norm"),
            std::string::npos);
  text = inspect("--resources");
  EXPECT_NE(text.find("sm_90a: 3350 GB/s"), std::string::npos) << text;
  // The bytes do not depend on threads.
  std::tie(code, text) = runShell(compile + "--threads 3 -o " + other +
                                  " && cmp " + path + " " + other);
  EXPECT_EQ(code, 0) << text;

  // A ptxas that was asked for has to be there.
  std::tie(code, text) =
      runShell("QUERN_PTXAS=/nowhere " + quernCommand + "compile " +
               checkpoint + "--target cuda:sm_80 -q -o " + other);
  EXPECT_EQ(code, 1) << text;
  EXPECT_NE(text.find("QUERN_PTXAS names '/nowhere'"), std::string::npos)
      << text;
}

/// What `quern run` says, and that it says what to do.
TEST_P(CudaCommandTest, SaysWhatToDo) {
  auto [code, text] =
      runShell("QUERN_CUDA_LIBRARY=" QUERN_TEST_CUDA_LIBRARY
               " QUERN_TEST_CUDA_QUIET=1 " +
               std::string(GetParam().environment) + " " + quernCommand +
               "run " + compileTiny("qwen3-dense-tied-bf16") +
               " --api cuda --prompt-ids 1,5 --max-tokens 2");
  bool works = GetParam().says.empty();
  EXPECT_EQ(code, works ? 0 : 1) << text;
  for (const char *part : GetParam().says)
    EXPECT_NE(text.find(part), std::string::npos)
        << text << "\nwithout " << part;
  if (!works) {
    EXPECT_NE(text.find("quern: error: "), std::string::npos) << text;
  }
}

static const BadMachine machines[] = {
    {"none", "", {}},
    {"noDriver",
     "QUERN_CUDA_LIBRARY=/nonexistent/libcuda.so.1",
     {"no NVIDIA driver", "install the driver"}},
    {"oldDriver",
     "QUERN_TEST_CUDA_VERSION=11040",
     {"too old", "CUDA 11.4", "update the driver"}},
    {"noGpu",
     "QUERN_TEST_CUDA_DEVICES=0",
     {"finds no GPU", "nvidia-smi", "CUDA_VISIBLE_DEVICES"}},
    {"oldGpu",
     "QUERN_TEST_CUDA_ARCH=75",
     {"needs the feature 'sm_80'", "quern compile"}},
    {"smallGpu",
     "QUERN_TEST_CUDA_MEMORY=100000",
     {"the model needs", "the device has", "--context"}},
    {"hangingGpu",
     "QUERN_TEST_CUDA_MAX_INSTRUCTIONS=20",
     {"is lost", "CUDA_ERROR_LAUNCH_TIMEOUT", "load the model anew"}}};

INSTANTIATE_TEST_SUITE_P(Machines, CudaCommandTest, testing::ValuesIn(machines),
                         [](const auto &info) { return info.param.name; });
