//===- CommandTest.cpp - The quern command as a user runs it --------------===//
#include "runtime/base/File.h"
#include "runtime/base/Json.h"
#include "runtime/device/DeviceRegistry.h"
#include "test/e2e/EndToEnd.h"
#include "test/support/Golden.h"
#include "test/support/TempDir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <thread>

using namespace quern;
using namespace quern::test;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

namespace {

const std::string kSource = QUERN_SOURCE_DIR;
const std::string kSample = kSource + "/test/data/samples/qwen3-sample";
const std::string kTiny =
    kSource + "/test/data/checkpoints/qwen3-dense-tied-bf16";
const std::string kHybrid =
    kSource + "/test/data/checkpoints/qwen3_5-dense-tied-bf16";

struct Outcome {
  int exitCode = -1;
  std::string output; ///< stdout and stderr.
};

} // namespace

/// Runs build/bin/quern through the shell.
static Outcome quernCommand(const std::string &arguments,
                            const std::string &prefix = "") {
  std::string command = prefix + QUERN_BINARY_DIR "/bin/quern " + arguments;
  Outcome outcome;
  FILE *pipe = popen(("( " + command + " ) 2>&1").c_str(), "r");
  if (!pipe)
    return outcome;
  std::array<char, 4096> buffer;
  while (size_t count = fread(buffer.data(), 1, buffer.size(), pipe))
    outcome.output.append(buffer.data(), count);
  int status = pclose(pipe);
  outcome.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

static std::string readAll(const std::string &path) {
  auto text = readWholeFile(path, uint64_t(64) << 20);
  return text.isOk() ? *text : std::string();
}

static size_t countEntries(const std::string &folder) {
  return std::distance(fs::directory_iterator(folder),
                       fs::directory_iterator());
}

TEST(CommandTest, TwoCompilationsGiveTheSameBytes) {
  TempDir folder;
  std::string a = folder.str() + "/a.quern", b = folder.str() + "/b.quern";
  for (const std::string target : testTargets) {
    std::string compile = "compile " + kSample + " -q --target " + target;
    Outcome one = quernCommand(compile + " --threads 1 -o " + a);
    Outcome two = quernCommand(compile + " --threads 4 -o " + b);
    ASSERT_EQ(one.exitCode, 0) << one.output;
    ASSERT_EQ(two.exitCode, 0) << two.output;
    ASSERT_FALSE(readAll(a).empty());
    EXPECT_EQ(readAll(a), readAll(b));
    EXPECT_EQ(quernCommand("inspect --verify " + a).exitCode, 0);
  }
}

TEST(CommandTest, CompilesForTheBestDevice) {
  bool hasGpu =
      std::ranges::any_of(listDevices().devices, [](const DeviceInfo &device) {
        return device.api != "cpu" && !device.isSoftware;
      });
  if (hasGpu)
    GTEST_SKIP() << "this machine has a GPU";
  TempDir folder;
  std::string bundle = folder.str() + "/t.quern";
  ASSERT_EQ(quernCommand("compile " + kTiny + " -q -o " + bundle).exitCode, 0);
  Outcome inspected = quernCommand("inspect " + bundle);
  EXPECT_NE(inspected.output.find("target cpu-"), std::string::npos)
      << inspected.output;
}

TEST(CommandTest, QuantizedBytesDoNotDependOnThreads) {
  TempDir folder;
  std::string a = folder.str() + "/a.quern", b = folder.str() + "/b.quern";
  std::string compile = "compile " + kTiny + " --quantize q4 --threads ";
  Outcome one = quernCommand(compile + "1 -o " + a);
  Outcome two = quernCommand(compile + "3 -q -o " + b);
  ASSERT_EQ(one.exitCode, 0) << one.output;
  ASSERT_EQ(two.exitCode, 0) << two.output;
  EXPECT_EQ(readAll(a), readAll(b));
  // The table of what was rounded, by layer.
  for (const char *text : {"signal to noise", "layers.1  ", " dB", "bits each"})
    EXPECT_NE(one.output.find(text), std::string::npos) << one.output;
  Outcome inspected = quernCommand("inspect --verify " + a);
  EXPECT_EQ(inspected.exitCode, 0) << inspected.output;
  EXPECT_NE(inspected.output.find("512x64 int8"), std::string::npos);
  EXPECT_NE(inspected.output.find("x64 q4 "), std::string::npos);
  Outcome unknown = quernCommand("compile " + kTiny + " --quantize q3 -o " + a);
  EXPECT_EQ(unknown.exitCode, 2) << unknown.output;
}

TEST(CommandTest, CompareTellsHowFarBundlesAreApart) {
  QUERN_REQUIRE_VULKAN();
  TempDir folder;
  std::string plain = folder.str() + "/plain.quern",
              rounded = folder.str() + "/int8.quern",
              text = folder.str() + "/text", page = folder.str() + "/page.html";
  std::ofstream(text) << "37+85=122 sort 428947 244789 reverse abc cba";
  std::string compile = "compile " + kSample + " -q --context 256 ";
  ASSERT_EQ(quernCommand(compile + "-o " + plain).exitCode, 0);
  ASSERT_EQ(quernCommand(compile + "--quantize int8 -o " + rounded).exitCode,
            0);
  std::string compare = "compare " + plain + " ";
  Outcome same = quernCommand(compare + plain + " --text " + text);
  ASSERT_EQ(same.exitCode, 0) << same.output;
  EXPECT_NE(same.output.find("0.000000 nats"), std::string::npos);
  EXPECT_NE(same.output.find("100.00 %"), std::string::npos) << same.output;
  Outcome other =
      quernCommand(compare + rounded + " --text " + text + " --html " + page);
  ASSERT_EQ(other.exitCode, 0) << other.output;
  size_t mean = other.output.find("divergence, mean");
  ASSERT_NE(mean, std::string::npos) << other.output;
  double divergence = std::strtod(
      other.output.c_str() + other.output.find_first_of("0123456789", mean),
      nullptr);
  EXPECT_GT(divergence, 0) << other.output;
  EXPECT_LT(divergence, 0.05) << other.output;
  EXPECT_NE(readAll(page).find("same top token"), std::string::npos);
  EXPECT_EQ(quernCommand(compare + rounded).exitCode, 1);
  EXPECT_EQ(quernCommand(compare + rounded + " --ids 1,999999").exitCode, 1);
}

TEST(CommandTest, RunAnswersAndReportsJson) {
  QUERN_REQUIRE_VULKAN();
  TempDir folder;
  std::string bundle = folder.str() + "/s.quern";
  ASSERT_EQ(quernCommand("compile " + kSample + " -q -o " + bundle).exitCode,
            0);
  Outcome text =
      quernCommand("run " + bundle + " -p 37+85= --greedy --think --quiet");
  EXPECT_EQ(text.exitCode, 0);
  EXPECT_NE(text.output.find("122"), std::string::npos) << text.output;

  Outcome json = quernCommand("run " + bundle +
                              " -p 37+85= --greedy --think --quiet --json");
  ASSERT_EQ(json.exitCode, 0) << json.output;
  auto document = parseJson(json.output);
  ASSERT_TRUE(document.isOk()) << document.getStatus().getMessage() << "\n"
                               << json.output;
  EXPECT_EQ(*document->root().get("finish_reason")->asString(), "stop");
  EXPECT_GT(document->root().get("ids")->size(), 4u);
  EXPECT_TRUE(document->root().find("timings").has_value());

  // The same seed gives the same text; another one may not.
  std::string sampled = "run " + bundle +
                        " -p 'sort 428947' --quiet --think "
                        "--temperature 1.5 --seed 7";
  EXPECT_EQ(quernCommand(sampled).output, quernCommand(sampled).output);
}

TEST(CommandTest, RunAndChatTellAboutDrafts) {
  QUERN_REQUIRE_VULKAN();
  TempDir folder;
  std::string bundle = folder.str() + "/m.quern";
  ASSERT_EQ(
      quernCommand("compile " + kHybrid + " -q --context 256 -o " + bundle)
          .exitCode,
      0);
  std::string options = bundle + " --greedy --max-tokens 12 --speculate ";
  std::string run = "run --prompt-ids 5,7,9 --ignore-eos " + options;
  Outcome text = quernCommand(run + "2");
  EXPECT_EQ(text.exitCode, 0) << text.output;
  EXPECT_THAT(text.output, ContainsRegex("drafts [0-9]+ of [0-9]+ right \\(by "
                                         "depth .*\\), [0-9.]+ drafts and "
                                         "[0-9.]+ tokens per check; length"));
  EXPECT_THAT(quernCommand(run + "off").output, Not(HasSubstr("drafts")));
  Outcome json = quernCommand(run + "2 --json");
  auto document = parseJson(json.output);
  ASSERT_TRUE(document.isOk()) << json.output;
  auto drafts = document->root().get("speculation");
  ASSERT_TRUE(drafts.isOk()) << json.output;
  double depth = *drafts->get("drafts_per_verify_step")->asDouble();
  EXPECT_GT(depth, 1);
  EXPECT_LE(depth, 2);
  EXPECT_GT(*drafts->get("verify_steps")->asInt64(), 1);
  EXPECT_GE(*drafts->get("tokens_per_verify_step")->asDouble(), 1);

  Outcome chat = quernCommand("chat " + options + "2", "echo hello | ");
  EXPECT_EQ(chat.exitCode, 0) << chat.output;
  EXPECT_THAT(chat.output, ContainsRegex("tokens/s; drafts .* tokens per "
                                         "check; [a-z]+\\]"));
}

TEST(CommandTest, DumpLogitsGivesEveryPromptPosition) {
  QUERN_REQUIRE_VULKAN();
  TempDir folder;
  std::string bundle = folder.str() + "/t.quern",
              logits = folder.str() + "/logits.safetensors";
  ASSERT_EQ(quernCommand("compile " + kTiny +
                         " -q --context 256 --compute f32 -o " + bundle)
                .exitCode,
            0);
  Golden golden("qwen3-dense-tied-bf16");
  std::string ids;
  for (int32_t id : golden.integers("t41.input_ids"))
    ids += (ids.empty() ? "" : ",") + std::to_string(id);
  for (std::string chunk : {"", " --chunk 1", " --chunk 7"}) {
    Outcome run = quernCommand("run " + bundle + " --prompt-ids " + ids +
                               " --max-tokens 1 --greedy --quiet"
                               " --dump-logits " +
                               logits + chunk);
    ASSERT_EQ(run.exitCode, 0) << run.output;
    std::vector<float> expected = golden.floats("t41.logits");
    std::string file = readAll(logits);
    ASSERT_GT(file.size(), expected.size() * sizeof(float));
    EXPECT_NE(file.find("\"logits\""), std::string::npos);
    std::vector<float> found(expected.size());
    std::memcpy(found.data(),
                file.data() + file.size() - found.size() * sizeof(float),
                found.size() * sizeof(float));
    EXPECT_LE(maxAbsDifference(found.data(), expected.data(), found.size()),
              1e-3)
        << chunk;
  }
}

TEST(CommandTest, EveryPhasePrintsIRThatParses) {
  TempDir folder;
  for (std::string phase :
       {"import", "graph", "shape", "quantize", "lower", "memory"}) {
    std::string file = folder.str() + "/" + phase + ".mlir";
    Outcome compile = quernCommand("compile " + kTiny +
                                   " -q --compile-to=" + phase + " -o " + file);
    ASSERT_EQ(compile.exitCode, 0) << compile.output;
    std::string parse = QUERN_BINARY_DIR "/bin/quern-opt " + file + " -o " +
                        folder.str() + "/out.mlir";
    EXPECT_EQ(std::system(parse.c_str()), 0) << phase;
  }
}

TEST(CommandTest, DumpsIRAndKernels) {
  TempDir folder;
  std::string ir = folder.str() + "/ir", kernels = folder.str() + "/kernels";
  Outcome compile = quernCommand(
      "compile " + kTiny + " -q --target vulkan --dump-ir-dir " + ir +
      " --emit-kernels " + kernels + " -o " + folder.str() + "/t.quern");
  ASSERT_EQ(compile.exitCode, 0) << compile.output;
  bool sawLayer = false, sawKernel = false;
  for (const auto &entry : fs::recursive_directory_iterator(ir))
    sawLayer |= entry.path().filename() == "layers.2.mlir";
  for (const auto &entry : fs::directory_iterator(kernels))
    sawKernel |= entry.path().extension() == ".spv";
  EXPECT_TRUE(sawLayer);
  EXPECT_TRUE(sawKernel);
}

//===----------------------------------------------------------------------===//
// Bad input and faults
//===----------------------------------------------------------------------===//

/// One line "quern: error: ..." that contains `expected`, exit code 1 or 2.
static void expectError(const std::string &arguments,
                        const std::string &expected,
                        const std::string &prefix = "") {
  Outcome outcome = quernCommand(arguments, prefix);
  EXPECT_TRUE(outcome.exitCode == 1 || outcome.exitCode == 2)
      << arguments << " exited with " << outcome.exitCode << "\n"
      << outcome.output;
  EXPECT_NE(outcome.output.find("quern: error: "), std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find(expected), std::string::npos)
      << arguments << "\n"
      << outcome.output;
}

TEST(CommandTest, CompileRefusesBadRequests) {
  TempDir folder;
  std::string out = " -q -o " + folder.str() + "/x.quern";
  expectError("compile /nonexistent" + out, "/nonexistent");
  expectError("compile " + folder.str() + out, "");
  expectError("compile " + kTiny + " -q", "no output");
  expectError("compile " + kTiny + " -q --compile-to=nowhere", "nowhere");
  expectError("compile " + kTiny + out + " --target nothing", "nothing");
  expectError("compile " + kTiny + out + " --compute f64", "f64");
  expectError("compile " + kTiny + out + " --context 0", "context");
  expectError("compile " + kTiny + " -q -o " + kTiny + "/x.quern", "x.quern");
  expectError("compile " + kTiny + " -q -o " + kTiny + "/model.safetensors",
              "model.safetensors");
  expectError("compile " + kTiny + " -q -o /nonexistent/x.quern",
              "/nonexistent");
  // Only the folder itself is left: nothing was half written.
  EXPECT_EQ(countEntries(folder.str()), 0u);
}

TEST(CommandTest, F1FullDiskLeavesTheOldBundle) {
  TempDir folder;
  std::string bundle = folder.str() + "/t.quern";
  ASSERT_EQ(quernCommand("compile " + kTiny + " -q -o " + bundle).exitCode, 0);
  std::string before = readAll(bundle);
  expectError("compile " + kTiny + " -q -o " + bundle, "t.quern",
              "ulimit -f 64; ");
  EXPECT_EQ(readAll(bundle), before);
  EXPECT_EQ(countEntries(folder.str()), 1u);
  expectError("compile " + kTiny + " -q -o /dev/full", "/dev/full");
}

TEST(CommandTest, F5ParallelCompilersDoNotMix) {
  TempDir folder;
  std::string bundle = folder.str() + "/t.quern";
  std::vector<std::thread> threads;
  std::array<int, 4> codes;
  for (int &code : codes)
    threads.emplace_back([&] {
      code = quernCommand("compile " + kTiny + " -q --threads 1 -o " + bundle)
                 .exitCode;
    });
  for (std::thread &thread : threads)
    thread.join();
  for (int code : codes)
    EXPECT_EQ(code, 0);
  EXPECT_EQ(quernCommand("inspect --verify " + bundle).exitCode, 0);
  EXPECT_EQ(countEntries(folder.str()), 1u);
}

TEST(CommandTest, RunRefusesBadRequests) {
  QUERN_REQUIRE_VULKAN();
  TempDir folder;
  std::string bundle = folder.str() + "/t.quern";
  ASSERT_EQ(quernCommand("compile " + kTiny + " -q --context 64 -o " + bundle)
                .exitCode,
            0);
  expectError("run /nonexistent.quern -p x", "/nonexistent.quern");
  expectError("run " + kTiny + "/config.json -p x", "config.json");
  expectError("run " + bundle + " --prompt-ids 5,100000", "100000");
  expectError("run " + bundle + " -p x --temperature nan", "temperature");
  expectError("bench " + bundle + " --no-profile --trace t.json", "--trace");
  expectError("run " + bundle + " -p x --top-p 2", "top");
  expectError("run " + bundle + " -p x --device nothing-like-it",
              "nothing-like-it");
  std::string longPrompt;
  for (int i = 0; i < 65; ++i)
    longPrompt += (i ? ",5" : "5");
  expectError("run " + bundle + " --prompt-ids " + longPrompt, "64");
}

TEST(CommandTest, NoBundleForAMachineThatCannotRunIt) {
  QUERN_REQUIRE_VULKAN();
  TempDir folder;
  std::string target = folder.str() + "/far.json";
  std::string text = readAll(kSource + "/codegen/Targets/vulkan-generic.json");
  size_t at = text.find("\"required_features\": [");
  ASSERT_NE(at, std::string::npos);
  text.insert(at + std::string("\"required_features\": [").size(),
              "\"cooperative-matrix\", ");
  std::ofstream(target) << text;
  std::string bundle = folder.str() + "/t.quern";
  Outcome compile = quernCommand("compile " + kTiny + " -q --target " + target +
                                 " -o " + bundle);
  ASSERT_EQ(compile.exitCode, 0) << compile.output;
  expectError("run " + bundle + " -p x", "cooperative-matrix");
}
