//===- TinyHybrid.cpp - Recurrent states and drafts for a tiny bundle -----===//

#include "test/runtime/bundle/TinyBundle.h"

using namespace quern;
using namespace quern::test;
using namespace quern::bundle;

static void addState(TinyBundle &tiny, const char *name, StateKind kind,
                     std::vector<uint64_t> shape) {
  auto state = std::make_unique<StateT>();
  state->name = name;
  state->kind = kind;
  state->dtype = DType::F32;
  state->size = sizeof(float);
  for (uint64_t dim : shape)
    state->size *= dim;
  state->shape = std::move(shape);
  tiny.manifest.states.push_back(std::move(state));
}

TinyBundle test::makeTinyHybrid(const TinyShape &shape) {
  TinyBundle tiny = makeTinyBundle(shape);
  const uint64_t slots = shape.numSlots, ring = 2 * shape.verifyTokens;
  // Two key heads of 4 features, four value heads of 3.
  addState(tiny, "recurrent", StateKind::Recurrent, {slots, 4, 4, 3});
  addState(tiny, "convolution", StateKind::Convolution, {slots, ring, 28});
  addState(tiny, "keys", StateKind::DeltaKeys, {slots, ring, 2, 4});
  addState(tiny, "updates", StateKind::DeltaUpdates, {slots, ring, 4, 3});
  addState(tiny, "decays", StateKind::DeltaDecays, {slots, ring, 4});
  auto buffer = std::make_unique<StepBufferT>();
  buffer->role = StepRole::Sequences;
  buffer->dtype = DType::I32;
  buffer->shape = {slots, 8};
  buffer->size = slots * 8 * sizeof(int32_t);
  buffer->offset = tiny.target().step_size;
  tiny.target().step_size += 256;
  tiny.target().step_buffers.push_back(std::move(buffer));
  return tiny;
}

TinyBundle test::makeTinyDrafts(const TinyShape &shape) {
  TinyBundle tiny = makeTinyBundle(shape);
  TargetProgramsT &target = tiny.target();
  for (const char *name : {"mtp.k_cache", "mtp.v_cache"}) {
    auto cache = std::make_unique<StateT>(*tiny.manifest.states[0]);
    cache->name = name;
    cache->kind = name[4] == 'k' ? StateKind::KeyCache : StateKind::ValueCache;
    tiny.manifest.states.push_back(std::move(cache));
  }
  const uint64_t hidden = tiny.program(ProgramKind::Prefill).hidden_offset;
  tiny.program(ProgramKind::Decode).hidden_offset = hidden;
  tiny.program(ProgramKind::Verify).hidden_offset = hidden;
  const uint64_t draftHidden = target.arena_size;
  target.arena_size += 256;
  for (auto [kind, tokens] :
       {std::pair(ProgramKind::DraftPrefill, shape.prefillTokens),
        std::pair(ProgramKind::DraftVerify, shape.verifyTokens),
        std::pair(ProgramKind::DraftDecode, 1u)}) {
    // The last dispatch of a head has a grid of its own size.
    const ProgramT &head = tiny.program(ProgramKind::Head);
    auto program = std::make_unique<ProgramT>();
    program->kind = kind;
    program->name = EnumNameProgramKind(kind);
    program->max_tokens = tokens;
    program->max_rows = 1;
    program->logits_offset = head.logits_offset;
    program->hidden_offset =
        kind == ProgramKind::DraftDecode ? kAbsentOffset : hidden;
    program->draft_hidden_offset = draftHidden;
    program->dispatches.push_back(
        std::make_unique<DispatchT>(*head.dispatches.back()));
    target.programs.push_back(std::move(program));
  }
  return tiny;
}
