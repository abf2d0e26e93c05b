//===- InspectTest.cpp - quern inspect, from outside ----------------------===//

#include "runtime/base/Json.h"
#include "test/runtime/bundle/BundleTest.h"

#include <cstdio>
#include <cstring>
#include <sys/wait.h>

using namespace quern;
using namespace quern::test;

namespace {

struct Output {
  int code = -1;
  std::string out;
  std::string err;
};

class InspectTest : public BundleTest {
protected:
  void SetUp() override {
    BundleTest::SetUp();
    ASSERT_TRUE(makeTinyBundle().write(path).isOk());
  }

  static std::string readText(const std::string &name) {
    Result<std::string> text = readWholeFile(name, uint64_t(64) << 20);
    return text.isOk() ? *text : "";
  }

  /// Runs `quern <arguments>` in a shell.
  Output run(const std::string &arguments, const std::string &before = "") {
    std::string command = before + "'" QUERN_COMMAND "' " + arguments + " >'" +
                          folder + "/out' 2>'" + folder + "/err'";
    int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            readText(folder + "/out"), readText(folder + "/err")};
  }

  Output inspect(const std::string &options) {
    return run("inspect '" + path + "' " + options);
  }
};

} // namespace

static bool contains(const std::string &text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(InspectTest, ExitCodes) {
  EXPECT_EQ(run("--help").code, 0);
  EXPECT_EQ(run("--version").code, 0);
  for (const char *arguments :
       {"", "nonsense", "inspect", "inspect a --nonsense",
        "inspect a --json --ir", "inspect a --raw", "inspect a --arch sm_80",
        "inspect a --ptx k --sass k"}) {
    Output output = run(arguments);
    EXPECT_EQ(output.code, 2) << arguments;
    EXPECT_TRUE(output.err.starts_with("quern: error: ")) << output.err;
    EXPECT_EQ(output.out, "");
  }
  Output output = run("inspect " + folder + "/absent");
  EXPECT_EQ(output.code, 1);
  EXPECT_EQ(output.err, "quern: error: " + folder +
                            "/absent: cannot open: No such file or "
                            "directory\n");
  EXPECT_EQ(output.out, "");
}

TEST_F(InspectTest, StatesPerSlot) {
  ASSERT_TRUE(makeTinyHybrid().write(path).isOk());
  Output output = inspect("");
  EXPECT_EQ(output.code, 0) << output.err;
  for (const char *part :
       {"per slot: 1.81 KiB of recurrent states, whatever its length",
        "Recurrent     2x4x4x3 F32", "Sequences    2x8 I32"})
    EXPECT_TRUE(contains(output.out, part)) << part << "\n" << output.out;
}

TEST_F(InspectTest, Text) {
  Output output = inspect("");
  EXPECT_EQ(output.code, 0) << output.err;
  for (const char *part :
       {"bundle of format 1.0", "num_key_value_heads  1",
        "layers.0.self_attn.k_cache  KeyCache    8x1x16x4 F32",
        ("key-value cache: 32 B per token, 2.00 KiB for a context of 64 "
         "tokens, room for 128"),
        "model.embed_tokens.weight  32x8 F32", "decode.lm_head",
        "[2, tokens/4*2, 1]", "PageTable    2x4 I32", "dispatches of head"})
    EXPECT_TRUE(contains(output.out, part)) << part << "\n" << output.out;
}

TEST_F(InspectTest, NamesCannotControlTheTerminal) {
  TinyBundle tiny = makeTinyBundle();
  tiny.manifest.weights[0]->name = "\x1b[2Jevil";
  tiny.target().target->name = "\x1b]0;evil";
  ASSERT_TRUE(tiny.write(path).isOk());
  Output output = inspect("");
  EXPECT_EQ(output.code, 0) << output.err;
  EXPECT_FALSE(contains(output.out, "\x1b"));
  EXPECT_TRUE(contains(output.out, "\\x1b[2Jevil"));
}

TEST_F(InspectTest, Json) {
  Output output = inspect("--json");
  EXPECT_EQ(output.code, 0) << output.err;
  Result<JsonDocument> json = parseJson(output.out);
  ASSERT_TRUE(json.isOk()) << json.getStatus().getMessage();
  JsonValue root = json->root();
  EXPECT_EQ(root.find("sections")->size(), 6u);
  JsonValue manifest = *root.find("manifest");
  EXPECT_EQ(*manifest.find("model")->find("vocab_size")->asInt64(), 32);
  JsonValue target = manifest.find("targets")->at(0);
  JsonValue prefill = target.find("programs")->at(2);
  EXPECT_EQ(*prefill.find("kind")->asString(), "Prefill");
  EXPECT_TRUE(prefill.find("logits_offset")->isNull());
  JsonValue binding = prefill.find("dispatches")->at(0).find("bindings")->at(2);
  EXPECT_EQ(*binding.find("space")->asString(), "Arena");
  EXPECT_TRUE(*binding.find("written")->asBool());
}

TEST_F(InspectTest, IR) {
  Output output = inspect("--ir");
  EXPECT_EQ(output.code, 0) << output.err;
  EXPECT_EQ(output.out, "module {}\n");
  TinyBundle tiny = makeTinyBundle();
  tiny.ir.clear();
  ASSERT_TRUE(tiny.write(path).isOk());
  output = inspect("--ir");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "the bundle holds no IR")) << output.err;
}

TEST_F(InspectTest, Spirv) {
  auto words = makeSpirv("main", {32, 1, 1});
  Output output = inspect("--spirv decode.sample --raw");
  EXPECT_EQ(output.code, 0) << output.err;
  EXPECT_EQ(output.out,
            std::string(reinterpret_cast<const char *>(words.data()),
                        words.size() * 4));
  output = inspect("--spirv absent");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "no kernel 'absent'")) << output.err;
  output = inspect("--spirv decode.sample --target absent");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "no target 'absent', it has 'test-vulkan'"))
      << output.err;
  // Without the tool: says which package has it.
  output =
      run("inspect '" + path + "' --spirv decode.sample", "PATH=/nowhere ");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "install the package spirv-tools"))
      << output.err;
}

TEST_F(InspectTest, Disassembly) {
  if (std::system("command -v spirv-dis >/dev/null") != 0)
    GTEST_SKIP() << "spirv-dis (package spirv-tools) is not installed";
  Output output = inspect("--spirv decode.sample");
  EXPECT_EQ(output.code, 0) << output.err;
  EXPECT_TRUE(contains(output.out, "OpEntryPoint GLCompute %1 \"main\""))
      << output.out;
}

/// A bundle for CUDA with one architecture: "code" stands for all of it.
/// With a text of 32 bytes as code, of which code for the architecture is the
/// first 8.
static TinyBundle makeBundleWithBinaries(const char *api, const char *name,
                                         std::vector<std::string> features) {
  TinyShape shape;
  shape.api = api;
  TinyBundle tiny = makeTinyBundle(shape);
  auto architecture = std::make_unique<bundle::ArchitectureT>();
  architecture->name = name;
  architecture->required_features = std::move(features);
  architecture->description =
      R"({"multiprocessor": {"count": 2, "registers": 65536,
      "shared_memory": 102400, "subgroups": 48, "workgroups": 16},
      "memory_bandwidth": 1000000000, "peak_flops": 1000000000000})";
  tiny.target().architectures.push_back(std::move(architecture));
  std::string text = ".version 8.0 // PTX";
  text.resize(32);
  std::memcpy(tiny.kernels.data(), text.data(), text.size());
  for (auto &kernel : tiny.target().kernels) {
    kernel->code_offset = 0;
    kernel->code_size = 32;
    auto binary = std::make_unique<bundle::BinaryT>();
    binary->code_size = 8;
    binary->registers = 40;
    binary->spill_stores = 12;
    kernel->binaries.push_back(std::move(binary));
  }
  return tiny;
}

static TinyBundle makeCudaBundle() {
  return makeBundleWithBinaries("cuda", "sm_80", {"cubin-sm_80"});
}

TEST_F(InspectTest, Ptx) {
  EXPECT_EQ(inspect("--ptx decode.sample").code, 1);
  ASSERT_TRUE(makeCudaBundle().write(path).isOk());
  Output output = inspect("--ptx decode.sample");
  EXPECT_EQ(output.code, 0) << output.err;
  EXPECT_EQ(output.out, ".version 8.0 // PTX");
  EXPECT_EQ(inspect("--ptx decode.sample --raw").out.size(), 32u);
  EXPECT_TRUE(contains(inspect("--ptx absent").err, "no kernel 'absent'"));
  // What it has for the architecture is no PTX.
  EXPECT_TRUE(contains(inspect("--ptx decode.sample --arch sm_80").err,
                       "no code for an architecture"));
  ASSERT_TRUE(
      makeBundleWithBinaries("cuda", "sm_90a", {"sm_90a"}).write(path).isOk());
  EXPECT_EQ(inspect("--ptx decode.sample --arch sm_90a").out, ".version");
  EXPECT_EQ(inspect("--sass decode.sample").code, 1);
  EXPECT_TRUE(contains(inspect("--resources").err, "a CUDA target"));
  EXPECT_TRUE(contains(inspect("--spirv decode.sample").err, "not SPIR-V"));
}

TEST_F(InspectTest, Sass) {
  Output output = inspect("--sass decode.sample");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "no code for an architecture"))
      << output.err;
  ASSERT_TRUE(makeCudaBundle().write(path).isOk());
  EXPECT_EQ(inspect("--sass decode.sample --raw").out, ".version");
  EXPECT_TRUE(contains(inspect("--sass decode.sample --arch sm_90a").err,
                       "no code for 'sm_90a', it has code for 'sm_80'"));
  output = run("inspect '" + path + "' --sass decode.sample",
               "QUERN_NVDISASM=/nowhere ");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "nvidia-cuda-nvdisasm")) << output.err;
  output = run("inspect '" + path + "' --sass decode.sample",
               "QUERN_NVDISASM=/bin/echo ");
  EXPECT_EQ(output.code, 0) << output.err;
  EXPECT_TRUE(contains(output.out, "--print-code")) << output.out;
  output = run("inspect '" + path + "' --sass decode.sample",
               "QUERN_NVDISASM=/bin/false ");
  EXPECT_TRUE(contains(output.err, "exit code 1")) << output.err;
}

TEST_F(InspectTest, Variants) {
  EXPECT_TRUE(contains(inspect("--asm decode.sample").err, "not of a CPU"));
  TinyBundle tiny =
      makeBundleWithBinaries("cpu", "avx512vnni", {"x86-64-v4", "avx512vnni"});
  ASSERT_TRUE(tiny.write(path).isOk());
  EXPECT_TRUE(contains(inspect("").out,
                       "code for avx512vnni, needs x86-64-v4, avx512vnni\n"));
  EXPECT_EQ(inspect("--asm decode.sample --raw").out.size(), 32u);
  EXPECT_EQ(inspect("--asm decode.sample --arch avx512vnni --raw").out,
            ".version");
  EXPECT_TRUE(contains(inspect("--asm decode.sample --arch avx2").err,
                       "no code for 'avx2', it has code for 'avx512vnni'"));
  std::string command = "inspect '" + path + "' --asm decode.sample";
  Output output = run(command, "QUERN_OBJDUMP=/bin/echo ");
  EXPECT_EQ(output.code, 0) << output.err;
  EXPECT_TRUE(contains(output.out, "-d --no-show-raw-insn /")) << output.out;
  EXPECT_TRUE(contains(run(command, "QUERN_OBJDUMP=/bin/false ").err,
                       "failed with exit code 1"));
  EXPECT_TRUE(contains(run(command, "QUERN_OBJDUMP=/nowhere ").err,
                       "or write the image with --raw"));
  EXPECT_TRUE(contains(inspect("--resources").err, "a CUDA target"));
}

TEST_F(InspectTest, Resources) {
  Output output = inspect("--resources");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "no code for an architecture"))
      << output.err;
  ASSERT_TRUE(makeCudaBundle().write(path).isOk());
  output = inspect("--resources");
  EXPECT_EQ(output.code, 0) << output.err;
  for (const char *part : {"sm_80: 1 GB/s, 1.0 TFLOP/s", "decode.sample",
                           "40     12/0", "33 %", "workgroups"})
    EXPECT_TRUE(contains(output.out, part)) << part << "\n" << output.out;
}

TEST_F(InspectTest, VerifyChecksTheWeights) {
  Output output = inspect("--verify");
  EXPECT_EQ(output.code, 0) << output.err;
  EXPECT_TRUE(contains(output.out, "all checksums are right"));
  Bytes bytes = readBytes(path);
  bytes[HeaderPage(bytes).find(SectionKind::Weights).offset] ^= std::byte(1);
  writeBytes(path, bytes);
  EXPECT_EQ(inspect("").code, 0);
  output = inspect("--verify");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "weights section: checksum is "));
}

TEST_F(InspectTest, Html) {
  TinyBundle tiny = makeTinyBundle();
  tiny.manifest.model->name = "</script><img src=x onerror=alert(1)>&amp;";
  ASSERT_TRUE(tiny.write(path).isOk());
  std::string page = folder + "/page.html";
  Output output = inspect("--html '" + page + "'");
  EXPECT_EQ(output.code, 0) << output.err;
  std::string text = readText(page);
  EXPECT_TRUE(text.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(text.ends_with("</html>\n"));
  EXPECT_FALSE(contains(text, "<img"));
  EXPECT_TRUE(contains(text, "\\u003cimg src=x"));
  // Self-contained: the only address is the name space of SVG.
  for (const char *reference : {"https://", "src=\"", "href=", "@import"})
    EXPECT_FALSE(contains(text, reference)) << reference;
  size_t first = text.find("http://");
  EXPECT_EQ(text.substr(first, 26), "http://www.w3.org/2000/svg");
  EXPECT_EQ(text.find("http://", first + 1), std::string::npos);

  // The embedded data is the JSON of --json.
  size_t begin = text.find("id=\"data\">") + 10;
  std::string data = text.substr(begin, text.find("</script>", begin) - begin);
  Result<JsonDocument> json = parseJson(data);
  ASSERT_TRUE(json.isOk()) << json.getStatus().getMessage();
  EXPECT_EQ(
      *json->root().find("manifest")->find("model")->find("name")->asString(),
      tiny.manifest.model->name);
}

// F1.
TEST_F(InspectTest, OutputThatGoesNowhere) {
  std::string command = "'" QUERN_COMMAND "' inspect '" + path +
                        "' >/dev/full 2>'" + folder + "/err'";
  int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_TRUE(contains(readText(folder + "/err"),
                       "cannot write to the standard output"));
  Output output = inspect("--html /dev/full");
  EXPECT_EQ(output.code, 1);
  EXPECT_TRUE(contains(output.err, "/dev/full")) << output.err;
}
