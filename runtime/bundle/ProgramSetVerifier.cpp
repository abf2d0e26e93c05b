//===- ProgramSetVerifier.cpp - Which programs there are, and their sizes -===//

#include "runtime/bundle/ManifestCheck.h"

#include <algorithm>
#include <tuple>

using namespace quern;
using namespace quern::manifestcheck;
using bundle::ProgramKind;

static bool isDraft(ProgramKind kind) {
  return kind == ProgramKind::DraftPrefill ||
         kind == ProgramKind::DraftVerify || kind == ProgramKind::DraftDecode;
}

const bundle::Program *TargetChecker::findProgram(ProgramKind kind) const {
  for (uint32_t i = 0; i < sizeOf(target.programs()); ++i)
    if (target.programs()->Get(i)->kind() == kind)
      return target.programs()->Get(i);
  return nullptr;
}

bool TargetChecker::hasDrafts() const {
  return findProgram(ProgramKind::DraftPrefill) != nullptr;
}

Status TargetChecker::checkProgramSet() {
  std::set<std::string_view> names;
  std::set<ProgramKind> kinds;
  for (uint32_t i = 0; i < sizeOf(target.programs()); ++i) {
    const bundle::Program &program = *target.programs()->Get(i);
    std::string at = element(place, "programs", i);
    QUERN_RETURN_IF_ERROR(checker.checkUniqueName(at, program.name(), names));
    QUERN_RETURN_IF_ERROR(checkEnum(at, "kind", program.kind()));
    if (!kinds.insert(program.kind()).second)
      return broken(at, std::string("a second program of kind ") +
                            bundle::EnumNameProgramKind(program.kind()));
    QUERN_RETURN_IF_ERROR(checkCounts(at, program));
  }
  QUERN_RETURN_IF_ERROR(checkKinds());
  QUERN_RETURN_IF_ERROR(checkDraftKinds());
  return checkRings();
}

/// The engine needs a decode program; prefill leaves its result to head.
Status TargetChecker::checkKinds() {
  if (!findProgram(ProgramKind::Decode))
    return broken(place + ".programs", "no program of kind Decode");
  const bundle::Program *prefill = findProgram(ProgramKind::Prefill);
  const bundle::Program *head = findProgram(ProgramKind::Head);
  if (!prefill != !head)
    return broken(place + ".programs",
                  std::string("a program of kind ") +
                      (prefill ? "Prefill without one of kind Head"
                               : "Head without one of kind Prefill"));
  return Status::ok();
}

/// All draft programs or none, each as large as the one whose hidden states it
/// reads.
Status TargetChecker::checkDraftKinds() {
  const bundle::Program *verify = findProgram(ProgramKind::Verify),
                        *prefill = findProgram(ProgramKind::Prefill);
  const std::tuple<ProgramKind, const bundle::Program *> pairs[] = {
      {ProgramKind::DraftPrefill, prefill},
      {ProgramKind::DraftVerify, verify},
      {ProgramKind::DraftDecode, findProgram(ProgramKind::Decode)}};
  size_t found = std::ranges::count_if(pairs, [&](const auto &pair) {
    return findProgram(std::get<0>(pair)) != nullptr;
  });
  if (found == 0)
    return Status::ok();
  if (found != std::size(pairs) || !verify || !prefill)
    return broken(place + ".programs",
                  "draft programs, but not all of DraftPrefill, DraftVerify, "
                  "DraftDecode, Prefill and Verify");
  for (auto [kind, main] : pairs) {
    uint32_t expected =
        kind == ProgramKind::DraftDecode ? 1 : main->max_tokens();
    if (findProgram(kind)->max_tokens() != expected)
      return broken(place + ".programs",
                    std::string("max_tokens of ") +
                        bundle::EnumNameProgramKind(kind) + " is " +
                        std::to_string(findProgram(kind)->max_tokens()) +
                        ", expected " + std::to_string(expected));
  }
  return Status::ok();
}

/// After a step without prefill, the rings have room for another, whose tokens
/// may all be taken back.
Status TargetChecker::checkRings() {
  uint64_t tokens = findProgram(ProgramKind::Decode)->max_tokens();
  if (const bundle::Program *verify = findProgram(ProgramKind::Verify))
    tokens = std::max<uint64_t>(tokens, verify->max_tokens());
  for (uint32_t i = 0; i < sizeOf(checker.manifest.states()); ++i) {
    const bundle::State &state = *checker.manifest.states()->Get(i);
    if (state.kind() != bundle::StateKind::DeltaKeys &&
        state.kind() != bundle::StateKind::Convolution)
      continue;
    if (state.shape()->Get(1) < 2 * tokens)
      return broken(place + ".programs",
                    "steps of " + std::to_string(tokens) +
                        " tokens, but the ring of states[" + std::to_string(i) +
                        "] has " + std::to_string(state.shape()->Get(1)) +
                        " rows, expected at least " +
                        std::to_string(2 * tokens));
  }
  return Status::ok();
}

//===----------------------------------------------------------------------===//
// One program
//===----------------------------------------------------------------------===//

Status TargetChecker::checkCounts(const std::string &at,
                                  const bundle::Program &program) {
  bool hasRows = program.kind() != ProgramKind::Prefill;
  QUERN_RETURN_IF_ERROR(
      checkBetween(at, "max_tokens", program.max_tokens(),
                   program.kind() == ProgramKind::Head ? 0 : 1, 1u << 20));
  QUERN_RETURN_IF_ERROR(checkBetween(at, "max_rows", program.max_rows(),
                                     hasRows ? 1 : 0,
                                     isDraft(program.kind()) ? 1 : 1u << 20));
  bool isDirect = program.kind() == ProgramKind::Decode ||
                  program.kind() == ProgramKind::Verify;
  if (isDirect && program.max_rows() != program.max_tokens())
    return broken(at, "max_rows is " + std::to_string(program.max_rows()) +
                          ", expected max_tokens = " +
                          std::to_string(program.max_tokens()));
  return Status::ok();
}

/// An f32 [rows, columns] result in the arena.
Status TargetChecker::checkResult(const std::string &at, std::string_view name,
                                  uint64_t offset, uint64_t rows,
                                  uint64_t columns) {
  std::string where = at + "." + std::string(name);
  QUERN_RETURN_IF_ERROR(checkAligned(where, offset));
  // At most 2^20 rows of 2^22 numbers: no overflow.
  return checkRange(where, offset, rows * columns * sizeof(float),
                    target.arena_size(), "arena");
}

/// Who reads what another program wrote finds it at the same place: that of
/// the program of kind `owner`.
Status TargetChecker::checkShared(const std::string &at, std::string_view name,
                                  uint64_t offset, uint64_t expected,
                                  ProgramKind owner) {
  if (offset == expected)
    return Status::ok();
  return broken(at, std::string(name) + " is " + std::to_string(offset) +
                        ", but " + bundle::EnumNameProgramKind(owner) +
                        " has it at " + std::to_string(expected));
}

/// The results in the arena are there where the kind has them.
Status TargetChecker::checkHeadBuffers(const std::string &at,
                                       const bundle::Program &program) {
  ProgramKind kind = program.kind();
  bool hasLogits = kind != ProgramKind::Prefill;
  // Draft programs read the hidden states of the step before them.
  bool hasHidden = kind == ProgramKind::Prefill || kind == ProgramKind::Head ||
                   (hasDrafts() && kind != ProgramKind::DraftDecode);
  for (auto [name, offset, isExpected] :
       {std::tuple("logits_offset", program.logits_offset(), hasLogits),
        std::tuple("hidden_offset", program.hidden_offset(), hasHidden),
        std::tuple("draft_hidden_offset", program.draft_hidden_offset(),
                   isDraft(kind))})
    if ((offset != kAbsentOffset) != isExpected)
      return broken(
          at, std::string(name) + " is " + (isExpected ? "absent" : "present") +
                  " in a program of kind " + bundle::EnumNameProgramKind(kind));
  uint64_t hiddenSize = checker.model.hidden_size();
  if (hasLogits)
    QUERN_RETURN_IF_ERROR(
        checkResult(at, "logits_offset", program.logits_offset(),
                    program.max_rows(), checker.model.vocab_size()));
  if (hasHidden) {
    // checkKinds and checkDraftKinds have found it.
    const bundle::Program &prefill = *findProgram(ProgramKind::Prefill);
    QUERN_RETURN_IF_ERROR(
        checkShared(at, "hidden_offset", program.hidden_offset(),
                    prefill.hidden_offset(), ProgramKind::Prefill));
    QUERN_RETURN_IF_ERROR(checkResult(
        at, "hidden_offset", program.hidden_offset(),
        std::max(prefill.max_tokens(), program.max_tokens()), hiddenSize));
  }
  if (!isDraft(kind))
    return Status::ok();
  const bundle::Program &first = *findProgram(ProgramKind::DraftPrefill);
  QUERN_RETURN_IF_ERROR(
      checkShared(at, "draft_hidden_offset", program.draft_hidden_offset(),
                  first.draft_hidden_offset(), ProgramKind::DraftPrefill));
  return checkResult(at, "draft_hidden_offset", program.draft_hidden_offset(),
                     program.max_rows(), hiddenSize);
}
