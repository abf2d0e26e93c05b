//===- ProgramDrafter.cpp - Drafts of the bundle's draft programs ---------===//

#include "runtime/engine/ProgramDrafter.h"

#include <cassert>

using namespace quern;
using bundle::ProgramKind;

std::unique_ptr<Drafter> quern::makeDrafter(Engine &engine) {
  // Verified: all draft programs or none.
  if (!engine.getModel().getProgram(ProgramKind::DraftPrefill))
    return nullptr;
  return std::make_unique<ProgramDrafter>(engine);
}

ProgramDrafter::ProgramDrafter(Engine &engine) : engine(engine) {
  followers.reserve(engine.getGeometry().maxStepTokens);
}

/// A verify step takes the token before the drafts as well.
uint32_t ProgramDrafter::getMaxDepth() const {
  return engine.getGeometry().maxSmallTokens - 1;
}

Status ProgramDrafter::observe(Sequence &observed, uint32_t count,
                               int32_t follower,
                               const SamplingParameters &sampling) {
  firstDraft = -1;
  std::span<const int32_t> tokens = observed.getTokens();
  assert(count != 0 && count <= tokens.size());
  std::span<const int32_t> last = tokens.last(count);
  followers.assign(last.begin() + 1, last.end());
  followers.push_back(follower);
  DraftStep step;
  step.kind = count <= engine.getGeometry().maxSmallTokens
                  ? ProgramKind::DraftVerify
                  : ProgramKind::DraftPrefill;
  step.sequence = &observed;
  step.followers = followers;
  step.position = observed.getLength() - count;
  step.sampling = &sampling;
  QUERN_ASSIGN_OR_RETURN(firstDraft, engine.runDraft(step));
  observed.addDrafted(count, follower);
  sequence = &observed;
  length = observed.getLength();
  next = follower;
  return Status::ok();
}

Result<uint32_t> ProgramDrafter::propose(Sequence &wanted, int32_t follower,
                                         const SamplingParameters &sampling,
                                         std::span<int32_t> drafts) {
  bool isKnown = firstDraft >= 0 && sequence == &wanted &&
                 length == wanted.getLength() && next == follower;
  if (!isKnown || drafts.empty())
    return 0u;
  drafts[0] = firstDraft;
  uint32_t count = 1;
  for (; count != drafts.size(); ++count) {
    DraftStep step;
    step.kind = ProgramKind::DraftDecode;
    step.sequence = &wanted;
    step.followers = std::span(&drafts[count - 1], 1);
    step.position = length + count - 1;
    step.sampling = &sampling;
    QUERN_ASSIGN_OR_RETURN(drafts[count], engine.runDraft(step));
    if (drafts[count] < 0)
      break;
  }
  return count;
}
