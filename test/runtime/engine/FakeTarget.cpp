//===- FakeTarget.cpp - Programs and states of the fake model -------------===//

#include "test/runtime/engine/FakeTarget.h"

#include "runtime/engine/StepBlock.h"

#include <algorithm>

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
  uint32_t index = 0; ///< Of the state.
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
    draftHidden = arena.take(kFakeHiddenSize * 4);
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
    if (options.hasDrafts)
      addDrafts(*target);
    target->arena_size = arena.end;
    target->step_size = step.end;
    return target;
  }

private:
  void addStepBuffer(TargetProgramsT &target, StepRole role,
                     const std::vector<uint64_t> &shape) {
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
    if (options.isHybrid)
      addStepBuffer(target, StepRole::Sequences,
                    {std::min(maxTokens, options.numSlots), 8});
  }

  void addDispatch(TargetProgramsT &target, ProgramT &program,
                   const std::string &name, bundle::GridCount count,
                   uint32_t full, const std::vector<Range> &ranges) {
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
      binding->index = range.index;
      binding->offset = range.offset;
      binding->size = range.size;
      binding->written = range.written;
      dispatch->bindings.push_back(std::move(binding));
    }
    target.kernels.push_back(std::move(kernel));
    program.dispatches.push_back(std::move(dispatch));
  }

  Range role(StepRole role) const { return roles[size_t(role)]; }
  Range state(uint32_t index, bool written) const {
    return {Space::State, 0, states[index]->size, written, index};
  }
  Range draftHiddenRange(bool written) const {
    return {Space::Arena, draftHidden, kFakeHiddenSize * 4, written};
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
    bool isDraft = kind >= ProgramKind::DraftPrefill;
    bool hasHidden = kind == ProgramKind::Prefill ||
                     kind == ProgramKind::Head ||
                     (options.hasDrafts && kind != ProgramKind::DraftDecode);
    program->hidden_offset = hasHidden ? hidden : kAbsentOffset;
    program->draft_hidden_offset = isDraft ? draftHidden : kAbsentOffset;
    target.programs.push_back(std::move(program));
    return *target.programs.back();
  }

  void addBody(TargetProgramsT &target, ProgramT &program) {
    addDispatch(target, program, "append", bundle::GridCount::Tokens,
                program.max_tokens,
                {role(StepRole::TokenIds), role(StepRole::Positions),
                 role(StepRole::Slots), role(StepRole::PageTable),
                 state(kFakeCache, true)});
    addDispatch(
        target, program, "attend", bundle::GridCount::Tokens,
        program.max_tokens,
        {role(StepRole::Positions),
         role(StepRole::Slots),
         role(StepRole::PageTable),
         state(kFakeCache, false),
         {Space::Weights, (options.numWeights - 1) * uint64_t(256), 256},
         hiddenRange(true)});
    if (options.isHybrid)
      addDispatch(target, program, "recur", bundle::GridCount::None, 1,
                  {role(StepRole::TokenIds), role(StepRole::Sequences),
                   role(StepRole::PageTable), state(kFakeCache, false),
                   state(kFakeRecurrent, true), state(kFakeConvolution, true),
                   state(kFakeDeltaKeys, true), hiddenRange(true)});
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

  /// The draft layer appends the tokens that follow to its own cache and finds
  /// the logits of what follows them.
  void addDraft(TargetProgramsT &target, ProgramKind kind, std::string name,
                uint32_t tokens) {
    ProgramT &program = addProgram(target, kind, std::move(name), tokens, 1);
    bool isChained = kind == ProgramKind::DraftDecode;
    addDispatch(target, program, "draft", bundle::GridCount::Tokens, tokens,
                {role(StepRole::TokenIds), role(StepRole::Positions),
                 role(StepRole::Slots), role(StepRole::PageTable),
                 state(kFakeCache, false),
                 state(uint32_t(states.size()) - 2, true)});
    addDispatch(target, program, isChained ? "chain" : "propose",
                bundle::GridCount::Rows, 1,
                {isChained ? draftHiddenRange(false) : hiddenRange(false),
                 role(StepRole::TokenIds), role(StepRole::Rows),
                 draftHiddenRange(true), logitsRange(true)});
    addTail(target, program);
  }

  void addDrafts(TargetProgramsT &target) {
    addDraft(target, ProgramKind::DraftPrefill, "draft_prefill",
             options.prefillTokens);
    addDraft(target, ProgramKind::DraftVerify, "draft_verify",
             options.verifyTokens);
    addDraft(target, ProgramKind::DraftDecode, "draft_decode", 1);
  }

  const FakeModelOptions &options;
  std::vector<std::unique_ptr<StateT>> states = makeFakeStates(options);
  uint32_t maxTokens, maxRows;
  Allocator step, arena;
  uint64_t hidden, logits, draftHidden;
  std::array<Range, StepLayout::kNumRoles> roles;
};

} // namespace

std::unique_ptr<TargetProgramsT>
quern::test::makeFakeTarget(const FakeModelOptions &options,
                            uint32_t kernelsSection) {
  return FakeTarget(options).build(kernelsSection);
}

static std::unique_ptr<StateT> makeState(const char *name, StateKind kind,
                                         std::vector<uint64_t> shape) {
  auto state = std::make_unique<StateT>();
  state->name = name;
  state->kind = kind;
  state->dtype = DType::F32;
  state->size = 4;
  for (uint64_t dim : shape)
    state->size *= dim;
  state->shape = std::move(shape);
  return state;
}

std::vector<std::unique_ptr<StateT>>
quern::test::makeFakeStates(const FakeModelOptions &options) {
  std::vector<std::unique_ptr<StateT>> states;
  auto add = [&](const char *name, StateKind kind,
                 std::vector<uint64_t> shape) {
    states.push_back(makeState(name, kind, std::move(shape)));
  };
  const std::vector<uint64_t> cache = {options.numPages, 1, options.pageSize,
                                       kFakeHiddenSize};
  const uint64_t slots = options.numSlots, ring = options.ring;
  add("k_cache", StateKind::KeyCache, cache);
  add("v_cache", StateKind::ValueCache, cache);
  if (options.isHybrid) {
    add("recurrent", StateKind::Recurrent, {slots, 1, 1, 1});
    add("convolution", StateKind::Convolution,
        {slots, options.convolutionRing, 3});
    add("delta_keys", StateKind::DeltaKeys, {slots, ring, 1, 1});
    add("delta_updates", StateKind::DeltaUpdates, {slots, ring, 1, 1});
    add("delta_decays", StateKind::DeltaDecays, {slots, ring, 1});
  }
  if (options.hasDrafts) {
    add("mtp.k_cache", StateKind::KeyCache, cache);
    add("mtp.v_cache", StateKind::ValueCache, cache);
  }
  return states;
}
