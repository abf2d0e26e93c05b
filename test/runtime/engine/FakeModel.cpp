//===- FakeModel.cpp - A model whose logits are known ---------------------===//

#include "test/runtime/engine/FakeModel.h"

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

namespace {

/// Lays buffers out one after the other.
struct Allocator {
  uint64_t end = 0;
  uint64_t take(uint64_t bytes) {
    uint64_t offset = end;
    end += (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    return offset;
  }
};

struct Range {
  Space space;
  uint64_t offset;
  uint64_t size;
  bool written = false;
};

/// Builds the one target of the bundle.
class FakeTarget {
public:
  explicit FakeTarget(const FakeModelOptions &options) : options(options) {
    maxTokens = std::max({1u, options.verifyTokens, options.prefillTokens});
    maxRows = std::max({1u, options.verifyTokens,
                        options.prefillTokens ? options.headRows : 0});
    hidden = arena.take(uint64_t(maxTokens) * kFakeHiddenSize * 4);
    logits = arena.take(uint64_t(maxRows) * options.vocabSize * 4);
  }

  std::unique_ptr<TargetProgramsT> build(uint32_t section) {
    auto target = std::make_unique<TargetProgramsT>();
    target->target = std::make_unique<TargetT>();
    target->target->name = "fake";
    target->target->api = options.api;
    target->target->api_version = "1";
    target->target->required_features = options.requiredFeatures;
    target->target->subgroup_size = options.subgroupSize;
    target->kernels_section = section;
    addStepBuffers(*target);
    addDirectProgram(*target, ProgramKind::Decode, 1);
    if (options.verifyTokens)
      addDirectProgram(*target, ProgramKind::Verify, options.verifyTokens);
    if (options.prefillTokens)
      addPrefillAndHead(*target);
    target->arena_size = arena.end;
    target->step_size = step.end;
    return target;
  }

private:
  void addStepBuffer(TargetProgramsT &target, StepRole role,
                     std::vector<uint64_t> shape) {
    auto buffer = std::make_unique<StepBufferT>();
    buffer->role = role;
    buffer->dtype = role == StepRole::Sampling ? DType::F32 : DType::I32;
    uint64_t bytes = 4;
    for (uint64_t dim : shape)
      bytes *= dim;
    buffer->shape = shape;
    buffer->size = (bytes + 255) / 256 * 256;
    buffer->offset = step.take(bytes);
    roles[size_t(role)] = {Space::Step, buffer->offset, buffer->size,
                           role == StepRole::Tokens};
    target.step_buffers.push_back(std::move(buffer));
  }

  void addStepBuffers(TargetProgramsT &target) {
    uint64_t pagesPerSlot =
        (options.contextLength + options.pageSize - 1) / options.pageSize;
    uint64_t words = (options.vocabSize + 31) / 32;
    addStepBuffer(target, StepRole::PageTable,
                  {options.numSlots, pagesPerSlot});
    for (StepRole role :
         {StepRole::TokenIds, StepRole::Positions, StepRole::Slots})
      addStepBuffer(target, role, {maxTokens});
    addStepBuffer(target, StepRole::Rows, {maxRows});
    addStepBuffer(target, StepRole::Sampling, {maxRows, 8});
    addStepBuffer(target, StepRole::SeenTokens, {maxRows, words});
    addStepBuffer(target, StepRole::Tokens, {maxRows});
  }

  void addDispatch(TargetProgramsT &target, ProgramT &program,
                   const std::string &name, bundle::GridCount count,
                   uint32_t full, std::vector<Range> ranges) {
    auto kernel = std::make_unique<KernelT>();
    kernel->name = name + "_" + program.name;
    kernel->entry_point = "main";
    kernel->code_size = 4;
    kernel->workgroup_size = {1, 1, 1};
    kernel->grid = {full, 1, 1};
    kernel->grid_count = count;
    kernel->accesses.assign(ranges.size(), Access::StorageBuffer);
    auto dispatch = std::make_unique<DispatchT>();
    dispatch->kernel = uint32_t(target.kernels.size());
    dispatch->barrier_before = !program.dispatches.empty();
    dispatch->label = "fake." + name;
    dispatch->bytes = 1000;
    dispatch->flops = 2000;
    for (const Range &range : ranges) {
      auto binding = std::make_unique<BindingT>();
      binding->space = range.space;
      binding->offset = range.offset;
      binding->size = range.size;
      binding->written = range.written;
      dispatch->bindings.push_back(std::move(binding));
    }
    target.kernels.push_back(std::move(kernel));
    program.dispatches.push_back(std::move(dispatch));
  }

  Range role(StepRole role) const { return roles[size_t(role)]; }
  Range cache(bool written) const {
    return {Space::State, 0,
            uint64_t(options.numPages) * options.pageSize * kFakeHiddenSize * 4,
            written};
  }
  Range hiddenRange(bool written) const {
    return {Space::Arena, hidden, uint64_t(maxTokens) * kFakeHiddenSize * 4,
            written};
  }
  Range logitsRange(bool written) const {
    return {Space::Arena, logits, uint64_t(maxRows) * options.vocabSize * 4,
            written};
  }

  ProgramT &addProgram(TargetProgramsT &target, ProgramKind kind,
                       std::string name, uint32_t tokens, uint32_t rows) {
    auto program = std::make_unique<ProgramT>();
    program->kind = kind;
    program->name = std::move(name);
    program->max_tokens = tokens;
    program->max_rows = rows;
    program->logits_offset =
        kind == ProgramKind::Prefill ? kAbsentOffset : logits;
    program->hidden_offset =
        kind == ProgramKind::Prefill || kind == ProgramKind::Head
            ? hidden
            : kAbsentOffset;
    target.programs.push_back(std::move(program));
    return *target.programs.back();
  }

  void addBody(TargetProgramsT &target, ProgramT &program) {
    addDispatch(target, program, "append", bundle::GridCount::Tokens,
                program.max_tokens,
                {role(StepRole::TokenIds), role(StepRole::Positions),
                 role(StepRole::Slots), role(StepRole::PageTable),
                 cache(true)});
    addDispatch(
        target, program, "attend", bundle::GridCount::Tokens,
        program.max_tokens,
        {role(StepRole::Positions),
         role(StepRole::Slots),
         role(StepRole::PageTable),
         cache(false),
         {Space::Weights, (options.numWeights - 1) * uint64_t(256), 256},
         hiddenRange(true)});
  }

  void addTail(TargetProgramsT &target, ProgramT &program) {
    addDispatch(target, program, "sample", bundle::GridCount::Rows,
                program.max_rows,
                {logitsRange(false), role(StepRole::Sampling),
                 role(StepRole::SeenTokens), role(StepRole::Tokens)});
  }

  void addDirectProgram(TargetProgramsT &target, ProgramKind kind,
                        uint32_t tokens) {
    ProgramT &program = addProgram(
        target, kind, kind == ProgramKind::Decode ? "decode" : "verify", tokens,
        tokens);
    addBody(target, program);
    addDispatch(target, program, "project", bundle::GridCount::Tokens, tokens,
                {hiddenRange(false), logitsRange(true)});
    addTail(target, program);
  }

  void addPrefillAndHead(TargetProgramsT &target) {
    addBody(target, addProgram(target, ProgramKind::Prefill, "prefill",
                               options.prefillTokens, 0));
    ProgramT &head = addProgram(target, ProgramKind::Head, "head",
                                options.prefillTokens, options.headRows);
    addDispatch(target, head, "select", bundle::GridCount::Rows,
                options.headRows,
                {hiddenRange(false), role(StepRole::Rows), logitsRange(true)});
    addTail(target, head);
  }

  const FakeModelOptions &options;
  uint32_t maxTokens, maxRows;
  Allocator step, arena;
  uint64_t hidden, logits;
  std::array<Range, StepLayout::kNumRoles> roles;
};

} // namespace

static std::unique_ptr<StateT> makeCache(const FakeModelOptions &options,
                                         const char *name, StateKind kind) {
  auto state = std::make_unique<StateT>();
  state->name = name;
  state->kind = kind;
  state->dtype = DType::F32;
  state->shape = {options.numPages, options.pageSize, 1, kFakeHiddenSize};
  state->size =
      uint64_t(options.numPages) * options.pageSize * kFakeHiddenSize * 4;
  return state;
}

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
  manifest.states.push_back(makeCache(options, "k_cache", StateKind::KeyCache));
  manifest.states.push_back(
      makeCache(options, "v_cache", StateKind::ValueCache));
  for (uint32_t i = 0; i != options.numWeights; ++i) {
    auto weight = std::make_unique<WeightT>();
    weight->name = "weight" + std::to_string(i);
    weight->shape = {64};
    weight->size = 256;
    weight->offset = i * uint64_t(256);
    manifest.weights.push_back(std::move(weight));
  }
  manifest.targets.push_back(FakeTarget(options).build(kernels));
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
