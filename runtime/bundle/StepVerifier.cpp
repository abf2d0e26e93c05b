//===- StepVerifier.cpp - Checks on the step block ------------------------===//

#include "runtime/bundle/ManifestCheck.h"

#include <algorithm>

using namespace quern;
using namespace quern::manifestcheck;
using bundle::StepRole;

namespace {

/// The shape that a role must have: `rows` is the least first dimension (all
/// programs share the block), `columns` the exact second one, 0 for none.
struct RoleShape {
  uint64_t rows;
  uint64_t columns;
  bool areRowsExact;
  bundle::DType dtype;
};

} // namespace

static RoleShape getRoleShape(StepRole role, uint64_t tokens, uint64_t rows,
                              const bundle::Model &model,
                              uint64_t pagesPerSlot) {
  using bundle::DType;
  switch (role) {
  case StepRole::TokenIds:
  case StepRole::Positions:
  case StepRole::Slots:
    return {tokens, 0, false, DType::I32};
  case StepRole::Rows:
  case StepRole::Tokens:
    return {rows, 0, false, DType::I32};
  case StepRole::PageTable:
    return {model.num_slots(), pagesPerSlot, true, DType::I32};
  case StepRole::Sampling:
    return {rows, 8, false, DType::F32};
  case StepRole::Sequences:
    return {std::min<uint64_t>(tokens, model.num_slots()), 8, false,
            DType::I32};
  case StepRole::SeenTokens:
    return {rows, (uint64_t(model.vocab_size()) + 31) / 32, false, DType::I32};
  }
  return {};
}

/// The shape fits the role, and every program's tokens and rows.
Status TargetChecker::checkStepShape(const std::string &at,
                                     const bundle::StepBuffer &buffer) {
  uint64_t tokens = 0, rows = 0;
  for (uint32_t i = 0; i < sizeOf(target.programs()); ++i) {
    tokens =
        std::max<uint64_t>(tokens, target.programs()->Get(i)->max_tokens());
    rows = std::max<uint64_t>(rows, target.programs()->Get(i)->max_rows());
  }
  RoleShape expected = getRoleShape(buffer.role(), tokens, rows, checker.model,
                                    checker.pagesPerSlot);
  if (buffer.dtype() != expected.dtype)
    return broken(
        at, std::string("dtype is ") + bundle::EnumNameDType(buffer.dtype()) +
                ", expected " + bundle::EnumNameDType(expected.dtype));
  const auto &shape = *buffer.shape();
  bool isFitting = shape.size() == (expected.columns ? 2u : 1u) &&
                   (expected.areRowsExact ? shape.Get(0) == expected.rows
                                          : shape.Get(0) >= expected.rows) &&
                   (!expected.columns || shape.Get(1) == expected.columns);
  if (isFitting)
    return Status::ok();
  std::string text = expected.areRowsExact ? "[" : "[at least ";
  text += std::to_string(expected.rows);
  if (expected.columns)
    text += ", " + std::to_string(expected.columns);
  return broken(at, std::string("shape of ") +
                        bundle::EnumNameStepRole(buffer.role()) + " is " +
                        toText(buffer.shape()) + ", expected " + text + "]");
}

Status TargetChecker::checkStepBuffer(const std::string &at,
                                      const bundle::StepBuffer &buffer) {
  QUERN_RETURN_IF_ERROR(checkEnum(at, "role", buffer.role()));
  QUERN_RETURN_IF_ERROR(
      checkShape(at, buffer.shape(), buffer.dtype(), buffer.size()));
  QUERN_RETURN_IF_ERROR(checkStepShape(at, buffer));
  QUERN_RETURN_IF_ERROR(checkAligned(at, buffer.offset()));
  return checkRange(at, buffer.offset(), buffer.size(), target.step_size(),
                    "step block");
}

Status TargetChecker::checkStepBuffers() {
  std::vector<NamedRange> ranges;
  std::set<StepRole> roles;
  for (uint32_t i = 0; i < sizeOf(target.step_buffers()); ++i) {
    const bundle::StepBuffer &buffer = *target.step_buffers()->Get(i);
    std::string at = element(place, "step_buffers", i);
    QUERN_RETURN_IF_ERROR(checkStepBuffer(at, buffer));
    if (!roles.insert(buffer.role()).second)
      return broken(at, std::string("a second buffer of role ") +
                            bundle::EnumNameStepRole(buffer.role()));
    ranges.push_back({buffer.offset(), buffer.size(), i});
  }
  for (StepRole role : bundle::EnumValuesStepRole()) {
    bool isNeeded = true;
    if (role == StepRole::Rows)
      isNeeded = findProgram(bundle::ProgramKind::Head) != nullptr;
    if (role == StepRole::Sequences)
      isNeeded = checker.hasRecurrentStates;
    if (isNeeded && !roles.contains(role))
      return broken(place + ".step_buffers",
                    std::string("no buffer of role ") +
                        bundle::EnumNameStepRole(role));
  }
  return checkDisjoint(place, "step_buffers", ranges);
}

/// A binding of the step block stays inside of one of its buffers, and writes
/// nothing but the output.
Status TargetChecker::checkStepBinding(const std::string &at,
                                       const bundle::Binding &binding) {
  for (uint32_t i = 0; i < sizeOf(target.step_buffers()); ++i) {
    const bundle::StepBuffer &buffer = *target.step_buffers()->Get(i);
    if (binding.offset() < buffer.offset() ||
        binding.offset() - buffer.offset() >= buffer.size())
      continue;
    QUERN_RETURN_IF_ERROR(checkRange(
        at, binding.offset() - buffer.offset(), binding.size(), buffer.size(),
        std::string("step buffer ") + bundle::EnumNameStepRole(buffer.role())));
    if (binding.written() && buffer.role() != StepRole::Tokens)
      return broken(at, std::string("writes the input ") +
                            bundle::EnumNameStepRole(buffer.role()));
    return Status::ok();
  }
  return broken(at, "offset " + std::to_string(binding.offset()) +
                        " is in no buffer of the step block");
}
