//===- FakeModel.cpp - A model whose logits are known ---------------------===//

#include "test/runtime/engine/FakeTarget.h"

#include "runtime/bundle/BundleWriter.h"
#include "runtime/tokenizer/Tokenizer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <unistd.h>

using namespace quern;
using namespace quern::bundle;
using namespace quern::test;

static std::string readData(const std::string &name) {
  std::ifstream file(std::string(QUERN_SOURCE_DIR) + "/test/data/" + name,
                     std::ios::binary);
  EXPECT_TRUE(file) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A template that Qwen's resemble, small enough to see what it gives.
static constexpr std::string_view kTemplate =
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + "
    "message.content + '<|im_end|>' + '\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}";

void quern::test::writeFakeBundle(const FakeModelOptions &options,
                                  const std::string &path) {
  Result<BundleWriter> writer = BundleWriter::create(path);
  ASSERT_TRUE(writer.isOk()) << writer.getStatus().getMessage();
  auto add = [&](SectionKind kind, std::string_view text) {
    Result<uint32_t> section = writer->addSection(kind, text);
    EXPECT_TRUE(section.isOk()) << section.getStatus().getMessage();
    return section.isOk() ? *section : 0;
  };
  uint32_t kernels = add(SectionKind::Kernels, "code");

  ManifestT manifest;
  manifest.model = std::make_unique<ModelT>();
  ModelT &model = *manifest.model;
  model.family = "qwen3";
  model.name = "fake";
  model.parameters = 64;
  model.hidden_size = kFakeHiddenSize;
  model.num_hidden_layers = 1;
  model.num_attention_heads = 1;
  model.num_key_value_heads = 1;
  model.head_dim = kFakeHiddenSize;
  model.vocab_size = options.vocabSize;
  model.context_length = options.contextLength;
  model.num_slots = options.numSlots;
  model.page_size = options.pageSize;
  model.num_pages = options.numPages;
  model.eos_token_ids = options.endTokens;
  manifest.sampling = std::make_unique<SamplingDefaultsT>();
  manifest.sampling->do_sample = true;
  manifest.sampling->temperature = 0.75f;
  manifest.sampling->top_k = 20;
  manifest.states = makeFakeStates(options);
  for (uint32_t i = 0; i != options.numWeights; ++i) {
    auto weight = std::make_unique<WeightT>();
    weight->name = "weight" + std::to_string(i);
    weight->shape = {64};
    weight->size = 256;
    weight->offset = i * uint64_t(256);
    manifest.weights.push_back(std::move(weight));
  }
  manifest.targets.push_back(makeFakeTarget(options, kernels));
  std::vector<std::byte> bytes = serializeManifest(manifest);
  ASSERT_TRUE(writer->addSection(SectionKind::Manifest, bytes).isOk());

  if (options.hasTokenizer) {
    Result<Tokenizer> tokenizer = Tokenizer::fromJson(
        readData("checkpoints/qwen3-dense-tied-bf16/tokenizer.json"));
    ASSERT_TRUE(tokenizer.isOk()) << tokenizer.getStatus().getMessage();
    ASSERT_TRUE(
        writer->addSection(SectionKind::Tokenizer, tokenizer->serialize())
            .isOk());
    add(SectionKind::ChatTemplate, kTemplate);
  }
  std::vector<float> weights(size_t(64) * options.numWeights);
  std::fill(weights.end() - 64, weights.end(), float(kFakeSalt));
  ASSERT_TRUE(
      writer
          ->addSection(SectionKind::Weights, std::as_bytes(std::span(weights)))
          .isOk());
  Status status = writer->commit();
  ASSERT_TRUE(status.isOk()) << status.getMessage();
}

std::string quern::test::makeTemporaryPath(const std::string &suffix) {
  static std::atomic<int> counter = 0;
  return testing::TempDir() + "quern-" + std::to_string(getpid()) + "-" +
         std::to_string(counter++) + suffix;
}

std::shared_ptr<const Bundle>
quern::test::openFakeBundle(const FakeModelOptions &options) {
  std::string path = makeTemporaryPath(".quern");
  writeFakeBundle(options, path);
  Result<Bundle> bundle = Bundle::open(path);
  std::remove(path.c_str());
  if (!bundle.isOk()) {
    ADD_FAILURE() << bundle.getStatus().getMessage();
    std::abort();
  }
  return std::make_shared<const Bundle>(std::move(*bundle));
}

std::unique_ptr<Engine>
quern::test::makeFakeEngine(const FakeModelOptions &options,
                            NullDeviceOptions device,
                            EngineOptions engineOptions) {
  Result<std::unique_ptr<LoadedModel>> model = LoadedModel::load(
      openFakeBundle(options), makeFakeDevice(options, std::move(device)));
  if (!model.isOk()) {
    ADD_FAILURE() << model.getStatus().getMessage();
    std::abort();
  }
  return std::make_unique<Engine>(std::move(*model), engineOptions);
}
