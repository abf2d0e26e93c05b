//===- TinyBundle.cpp - A small valid bundle for tests --------------------===//

#include "test/runtime/bundle/TinyBundle.h"

#include "runtime/bundle/BundleWriter.h"

#include <algorithm>
#include <cassert>
#include <cstring>

using namespace quern;
using namespace quern::test;
using namespace quern::bundle;

//===----------------------------------------------------------------------===//
// SPIR-V
//===----------------------------------------------------------------------===//

std::vector<uint32_t> test::makeSpirv(const std::string &entryPoint,
                                      const std::array<uint32_t, 3> &size) {
  // Ids: 1 the function, 2 void, 3 its type, 4 the block.
  std::vector<uint32_t> words = {0x07230203, 0x00010300, 0, 5, 0};
  auto add = [&](uint32_t opcode, const std::vector<uint32_t> &operands) {
    words.push_back(static_cast<uint32_t>(operands.size() + 1) << 16 | opcode);
    words.insert(words.end(), operands.begin(), operands.end());
  };
  std::vector<uint32_t> name(entryPoint.size() / 4 + 1);
  std::memcpy(name.data(), entryPoint.data(), entryPoint.size());
  std::vector<uint32_t> entry = {5, 1};
  entry.insert(entry.end(), name.begin(), name.end());
  add(17, {1});                                // OpCapability Shader
  add(14, {0, 1});                             // OpMemoryModel Logical GLSL450
  add(15, entry);                              // OpEntryPoint GLCompute
  add(16, {1, 17, size[0], size[1], size[2]}); // OpExecutionMode LocalSize
  add(19, {2});                                // OpTypeVoid
  add(33, {3, 2});                             // OpTypeFunction
  add(54, {2, 1, 0, 3});                       // OpFunction
  add(248, {4});                               // OpLabel
  add(253, {});                                // OpReturn
  add(56, {});                                 // OpFunctionEnd
  return words;
}

//===----------------------------------------------------------------------===//
// The manifest
//===----------------------------------------------------------------------===//

static uint64_t align(uint64_t size) {
  return (size + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

namespace {

/// Builds the parts in the order of their dependences.
class Builder {
public:
  explicit Builder(const TinyShape &shape) : shape(shape) {}
  TinyBundle build();

private:
  void addModel();
  void addStates();
  void addWeight(const std::string &name, std::vector<uint64_t> dims);
  void addStepBuffer(StepRole role, DType dtype, std::vector<uint64_t> dims);
  void addStepBlock();
  void addKernel(const std::string &name, uint32_t bindings, GridCount count,
                 uint32_t total);
  ProgramT &addProgram(ProgramKind kind, const std::string &name,
                       uint32_t tokens, uint32_t rows);
  void addDispatch(ProgramT &program, const std::string &label, GridCount count,
                   const std::vector<BindingT> &bindings);
  void addAppend(ProgramT &program);
  void addHead(ProgramT &program);
  void addPrograms();

  BindingT bindStep(StepRole role, bool written = false) const;
  BindingT bindArena(uint64_t offset, uint64_t size, bool written) const;
  BindingT bindWeight(uint32_t index) const;
  BindingT bindCache(uint32_t index) const;

  const TinyShape &shape;
  TinyBundle out;
  uint64_t logitsOffset = 0;
};

} // namespace

void Builder::addModel() {
  auto model = std::make_unique<ModelT>();
  model->family = "qwen3";
  model->name = "tiny";
  model->parameters = shape.vocabSize * shape.hiddenSize + shape.hiddenSize;
  model->hidden_size = shape.hiddenSize;
  model->num_hidden_layers = 1;
  model->num_attention_heads = 2;
  model->num_key_value_heads = 1;
  model->head_dim = 4;
  model->vocab_size = shape.vocabSize;
  model->context_length = shape.contextLength;
  model->num_slots = shape.numSlots;
  model->page_size = shape.pageSize;
  model->num_pages = shape.numPages;
  model->compute = DType::F32;
  model->bos_token_id = 0;
  model->eos_token_ids = {1, 2};
  out.manifest.model = std::move(model);
  out.manifest.compiler_version = "test";
  out.manifest.sampling = std::make_unique<SamplingDefaultsT>();
  out.manifest.layer_names = {"layers.0"};
}

void Builder::addStates() {
  for (auto [name, kind] : {std::pair("k_cache", StateKind::KeyCache),
                            std::pair("v_cache", StateKind::ValueCache)}) {
    auto state = std::make_unique<StateT>();
    state->name = std::string("layers.0.self_attn.") + name;
    state->kind = kind;
    state->dtype = DType::F32;
    state->shape = {shape.numPages, 1, shape.pageSize, 4};
    state->size = uint64_t(shape.numPages) * shape.pageSize * 4 * 4;
    out.manifest.states.push_back(std::move(state));
  }
}

void Builder::addWeight(const std::string &name, std::vector<uint64_t> dims) {
  auto weight = std::make_unique<WeightT>();
  weight->name = name;
  weight->dtype = DType::F32;
  weight->size = sizeof(float);
  for (uint64_t dim : dims)
    weight->size *= dim;
  weight->shape = std::move(dims);
  weight->offset = out.weights.size();
  weight->sources = {name};
  weight->packing = "plain";
  uint64_t end = weight->offset + weight->size;
  for (uint64_t i = weight->offset; i < end; ++i)
    out.weights.push_back(std::byte(i * 37 % 251));
  out.weights.resize(align(end));
  out.manifest.weights.push_back(std::move(weight));
}

void Builder::addStepBuffer(StepRole role, DType dtype,
                            std::vector<uint64_t> dims) {
  auto buffer = std::make_unique<StepBufferT>();
  buffer->role = role;
  buffer->dtype = dtype;
  buffer->size = 4;
  for (uint64_t dim : dims)
    buffer->size *= dim;
  buffer->shape = std::move(dims);
  buffer->offset = out.target().step_size;
  out.target().step_size += align(buffer->size);
  out.target().step_buffers.push_back(std::move(buffer));
}

void Builder::addStepBlock() {
  uint64_t tokens = shape.prefillTokens, rows = shape.verifyTokens;
  uint64_t pages = (shape.contextLength + shape.pageSize - 1) / shape.pageSize;
  addStepBuffer(StepRole::TokenIds, DType::I32, {tokens});
  addStepBuffer(StepRole::Positions, DType::I32, {tokens});
  addStepBuffer(StepRole::Slots, DType::I32, {tokens});
  addStepBuffer(StepRole::Rows, DType::I32, {rows});
  addStepBuffer(StepRole::PageTable, DType::I32, {shape.numSlots, pages});
  addStepBuffer(StepRole::Sampling, DType::F32, {rows, 8});
  addStepBuffer(StepRole::SeenTokens, DType::I32,
                {rows, (shape.vocabSize + 31u) / 32u});
  addStepBuffer(StepRole::Tokens, DType::I32, {rows});
}

void Builder::addKernel(const std::string &name, uint32_t bindings,
                        GridCount count, uint32_t total) {
  auto kernel = std::make_unique<KernelT>();
  kernel->name = name;
  kernel->entry_point = "main";
  kernel->request = "test " + name;
  kernel->workgroup_size = {32, 1, 1};
  kernel->grid = {2, 1, 1};
  kernel->grid_count = count;
  kernel->grid_axis = 1;
  kernel->grid_tile = 4;
  kernel->grid_scale = 2;
  if (count != GridCount::None)
    kernel->grid[1] = (total + 3) / 4 * 2;
  kernel->accesses.assign(bindings, Access::StorageBuffer);
  auto code = makeSpirv("main", {32, 1, 1});
  auto bytes = std::as_bytes(std::span(code));
  kernel->code_offset = out.kernels.size();
  kernel->code_size = bytes.size();
  out.kernels.insert(out.kernels.end(), bytes.begin(), bytes.end());
  out.target().kernels.push_back(std::move(kernel));
}

BindingT Builder::bindStep(StepRole role, bool written) const {
  BindingT binding;
  for (const auto &buffer : out.manifest.targets[0]->step_buffers)
    if (buffer->role == role) {
      binding.offset = buffer->offset;
      binding.size = buffer->size;
    }
  binding.space = Space::Step;
  binding.written = written;
  return binding;
}

BindingT Builder::bindArena(uint64_t offset, uint64_t size,
                            bool written) const {
  BindingT binding;
  binding.space = Space::Arena;
  binding.offset = offset;
  binding.size = size;
  binding.written = written;
  return binding;
}

BindingT Builder::bindWeight(uint32_t index) const {
  BindingT binding;
  binding.space = Space::Weights;
  binding.offset = out.manifest.weights[index]->offset;
  binding.size = out.manifest.weights[index]->size;
  return binding;
}

BindingT Builder::bindCache(uint32_t index) const {
  BindingT binding;
  binding.space = Space::State;
  binding.index = index;
  binding.size = out.manifest.states[index]->size;
  binding.written = true;
  return binding;
}

ProgramT &Builder::addProgram(ProgramKind kind, const std::string &name,
                              uint32_t tokens, uint32_t rows) {
  auto program = std::make_unique<ProgramT>();
  program->kind = kind;
  program->name = name;
  program->max_tokens = tokens;
  program->max_rows = rows;
  program->logits_offset =
      kind == ProgramKind::Prefill ? kAbsentOffset : logitsOffset;
  program->hidden_offset =
      kind == ProgramKind::Prefill || kind == ProgramKind::Head ? 0
                                                                : kAbsentOffset;
  program->arena_peak = out.target().arena_size;
  out.target().programs.push_back(std::move(program));
  return *out.target().programs.back();
}

/// Each dispatch has a kernel of its own, called "<program>.<label>".
void Builder::addDispatch(ProgramT &program, const std::string &label,
                          GridCount count,
                          const std::vector<BindingT> &bindings) {
  addKernel(program.name + "." + label, static_cast<uint32_t>(bindings.size()),
            count,
            count == GridCount::Rows ? program.max_rows : program.max_tokens);
  auto dispatch = std::make_unique<DispatchT>();
  dispatch->kernel = static_cast<uint32_t>(out.target().kernels.size() - 1);
  for (const BindingT &binding : bindings)
    dispatch->bindings.push_back(std::make_unique<BindingT>(binding));
  dispatch->barrier_before = !program.dispatches.empty();
  dispatch->label = label;
  dispatch->bytes = 4096;
  dispatch->flops = 2048;
  program.dispatches.push_back(std::move(dispatch));
}

/// Embedding, then keys and values into the caches.
void Builder::addAppend(ProgramT &program) {
  uint64_t size = uint64_t(4) * program.max_tokens * shape.hiddenSize;
  addDispatch(
      program, "embed_tokens", GridCount::Tokens,
      {bindStep(StepRole::TokenIds), bindWeight(0), bindArena(0, size, true)});
  addDispatch(program, "layers.0.self_attn", GridCount::Tokens,
              {bindArena(0, size, false), bindStep(StepRole::Slots),
               bindStep(StepRole::Positions), bindStep(StepRole::PageTable),
               bindCache(0), bindCache(1)});
}

/// Logits of the rows, then a token for each.
void Builder::addHead(ProgramT &program) {
  uint64_t hidden = uint64_t(4) * shape.prefillTokens * shape.hiddenSize;
  uint64_t logits = uint64_t(4) * program.max_rows * shape.vocabSize;
  std::vector<BindingT> bindings = {bindArena(0, hidden, false), bindWeight(1),
                                    bindArena(logitsOffset, logits, true)};
  if (program.kind == ProgramKind::Head)
    bindings.push_back(bindStep(StepRole::Rows));
  addDispatch(program, "lm_head", GridCount::Rows, bindings);
  addDispatch(program, "sample", GridCount::None,
              {bindArena(logitsOffset, logits, false),
               bindStep(StepRole::Sampling), bindStep(StepRole::SeenTokens),
               bindStep(StepRole::Tokens, true)});
}

void Builder::addPrograms() {
  uint64_t hidden = uint64_t(4) * shape.prefillTokens * shape.hiddenSize;
  uint64_t logits = uint64_t(4) * shape.verifyTokens * shape.vocabSize;
  logitsOffset = align(hidden);
  TargetProgramsT &target = out.target();
  target.arena_size = logitsOffset + align(logits);
  uint32_t verify = shape.verifyTokens;
  for (auto [kind, name, tokens, rows] :
       {std::tuple(ProgramKind::Decode, "decode", 1u, 1u),
        std::tuple(ProgramKind::Verify, "verify", verify, verify),
        std::tuple(ProgramKind::Prefill, "prefill", shape.prefillTokens, 0u),
        std::tuple(ProgramKind::Head, "head", shape.prefillTokens, verify)}) {
    ProgramT &program = addProgram(kind, name, tokens, rows);
    if (kind != ProgramKind::Head)
      addAppend(program);
    if (kind != ProgramKind::Prefill)
      addHead(program);
    auto last = static_cast<uint32_t>(program.dispatches.size() - 1);
    auto index = static_cast<uint32_t>(target.programs.size() - 1);
    auto addBuffer = [&](const char *buffer, uint64_t offset, uint64_t size) {
      target.arena_buffers.push_back(std::make_unique<ArenaBufferT>(
          ArenaBufferT{{}, index, buffer, offset, size, 0, last}));
    };
    addBuffer("hidden", 0, hidden);
    if (kind != ProgramKind::Prefill)
      addBuffer("logits", logitsOffset, logits);
  }
}

TinyBundle Builder::build() {
  addModel();
  addStates();
  addWeight("model.embed_tokens.weight", {shape.vocabSize, shape.hiddenSize});
  addWeight("model.norm.weight", {shape.hiddenSize});
  auto target = std::make_unique<TargetProgramsT>();
  target->target = std::make_unique<TargetT>();
  target->target->name = "test-" + shape.api;
  target->target->api = shape.api;
  target->target->api_version = "1.1";
  target->target->description = "{}";
  out.manifest.targets.push_back(std::move(target));
  addStepBlock();
  addPrograms();
  out.tokenizer.assign(16, std::byte('t'));
  out.chatTemplate = "{{ messages[0].content }}";
  out.ir = "module {}\n";
  return std::move(out);
}

TinyBundle test::makeTinyBundle(const TinyShape &shape) {
  return Builder(shape).build();
}

ProgramT &TinyBundle::program(ProgramKind kind) {
  auto &programs = target().programs;
  auto found = std::ranges::find_if(
      programs, [&](const auto &program) { return program->kind == kind; });
  assert(found != programs.end() && "no program of this kind");
  return **found;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

Status TinyBundle::write(const std::string &path) {
  QUERN_ASSIGN_OR_RETURN(BundleWriter writer, BundleWriter::create(path));
  auto add = [&](SectionKind kind, std::span<const std::byte> bytes) -> Status {
    if (bytes.empty())
      return Status::ok();
    Result<uint32_t> index = writer.addSection(kind, bytes);
    return index.isOk() ? Status::ok() : index.getStatus();
  };
  QUERN_RETURN_IF_ERROR(add(SectionKind::Kernels, kernels));
  QUERN_RETURN_IF_ERROR(
      add(SectionKind::Manifest, serializeManifest(manifest)));
  QUERN_RETURN_IF_ERROR(add(SectionKind::Tokenizer, tokenizer));
  QUERN_RETURN_IF_ERROR(
      add(SectionKind::ChatTemplate, std::as_bytes(std::span(chatTemplate))));
  QUERN_RETURN_IF_ERROR(add(SectionKind::IR, std::as_bytes(std::span(ir))));
  QUERN_RETURN_IF_ERROR(add(SectionKind::Weights, weights));
  return writer.commit();
}
