//===- ModelRunner.cpp - steps of a model in the interpreter --------------===//
#include "tools/interpreter/ModelRunner.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "runtime/reference/Delta.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace quern;
using qwen::Role;

static std::optional<Role> roleOf(Attribute attribute) {
  auto name = dyn_cast_or_null<StringAttr>(attribute);
  return name ? qwen::symbolizeRole(name.getValue()) : std::nullopt;
}

static std::optional<Role> argumentRole(func::FuncOp function, unsigned i) {
  return roleOf(function.getArgAttr(i, qwen::QwenDialect::getRoleAttrName()));
}

static std::optional<Role> resultRole(func::FuncOp function, unsigned i) {
  return roleOf(
      function.getResultAttr(i, qwen::QwenDialect::getRoleAttrName()));
}

namespace {
/// Tokens of a slot that stand side by side in a step.
struct Sequence {
  int32_t slot, first, count, position;
};
} // namespace

static std::vector<Sequence> findSequences(const Step &step) {
  std::vector<Sequence> sequences;
  for (auto [i, token] : llvm::enumerate(step.tokens)) {
    if (sequences.empty() || sequences.back().slot != token.slot)
      sequences.push_back(
          {token.slot, static_cast<int32_t>(i), 0, token.position});
    ++sequences.back().count;
  }
  return sequences;
}

static bool hasSplitSequence(const Step &step) {
  llvm::SmallDenseSet<int32_t> slots;
  return llvm::any_of(findSequences(step), [&](const Sequence &s) {
    return !slots.insert(s.slot).second;
  });
}

ModelRunner::ModelRunner(ModuleOp module, WeightSource source)
    : interpreter(module, std::move(source)),
      model(module->getAttrOfType<qwen::ModelAttr>(
          qwen::QwenDialect::getModelAttrName())) {
  int64_t perSlot = model.getPagesPerSlot();
  pageTable.resize(model.getNumSlots() * perSlot);
  int64_t next = 0;
  for (int64_t page = 0; page < perSlot; ++page)
    for (int64_t slot = 0; slot < model.getNumSlots(); ++slot)
      pageTable[slot * perSlot + page] = next++ % model.getNumPages();
  folded.resize(model.getNumSlots());
}

HostTensor ModelRunner::makeArgument(Role role, const Step &step,
                                     int64_t rowCount) const {
  auto perToken = [&](auto member) {
    std::vector<int32_t> values;
    values.reserve(step.tokens.size());
    for (const StepToken &token : step.tokens)
      values.push_back(token.*member);
    int64_t size = values.size();
    return HostTensor::ofIntegers({size}, std::move(values));
  };
  int64_t words = (model.getVocabSize() + 31) / 32;
  switch (role) {
  case Role::TokenIds:
    return perToken(&StepToken::id);
  case Role::Positions:
    return perToken(&StepToken::position);
  case Role::Slots:
    return perToken(&StepToken::slot);
  case Role::PageTable:
    return HostTensor::ofIntegers(
        {model.getNumSlots(), model.getPagesPerSlot()}, pageTable);
  case Role::Rows:
    return HostTensor::ofIntegers({rowCount}, step.rows);
  case Role::Sampling:
    return HostTensor::zeros({rowCount, reference::samplingParameters});
  case Role::SeenTokens:
    return HostTensor::ofIntegers({rowCount, words},
                                  std::vector<int32_t>(rowCount * words));
  case Role::Sequences: {
    std::vector<int32_t> rows;
    for (const Sequence &s : findSequences(step)) {
      // A slot that starts over holds nothing.
      int32_t from = s.position == 0 ? 0 : folded[s.slot];
      rows.insert(rows.end(), {s.slot, s.first, s.count, s.position, from,
                               step.update, 0, 0});
    }
    int64_t count = rows.size() / reference::sequenceNumbers;
    return HostTensor::ofIntegers({count, reference::sequenceNumbers},
                                  std::move(rows));
  }
  case Role::Hidden:
  case Role::DraftHidden:
  case Role::Logits:
  case Role::Tokens:
    break;
  }
  return {};
}

std::vector<float> ModelRunner::readState(qwen::StateKind kind, StringRef layer,
                                          int64_t slot) {
  for (auto state : interpreter.getModule().getOps<qwen::StateOp>()) {
    StringRef name = state.getSymName();
    if (state.getKind() != kind || !name.consume_front(layer) ||
        !name.starts_with("."))
      continue;
    const std::vector<float> &all =
        interpreter.findState(FlatSymbolRefAttr::get(state.getSymNameAttr()));
    int64_t size = all.size() / state.getTensorType().getDimSize(0);
    return {all.begin() + slot * size, all.begin() + (slot + 1) * size};
  }
  return {};
}

std::optional<int64_t> ModelRunner::sizeOf(StringRef program, Role role) {
  auto function = interpreter.getModule().lookupSymbol<func::FuncOp>(program);
  if (!function)
    return std::nullopt;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (argumentRole(function, i) == role) {
      auto type = cast<RankedTensorType>(function.getArgumentTypes()[i]);
      if (!type.isDynamicDim(0))
        return type.getDimSize(0);
    }
  return std::nullopt;
}

std::optional<int64_t> ModelRunner::getMaxTokens() {
  return sizeOf("prefill", Role::TokenIds);
}

std::optional<int64_t> ModelRunner::getMaxRows() {
  return sizeOf("head", Role::Rows);
}

bool ModelRunner::hasDraft() {
  ModuleOp module = interpreter.getModule();
  return module.lookupSymbol("draft") || module.lookupSymbol("draft_prefill");
}

FailureOr<StepResult> ModelRunner::call(StringRef program, const Step &step,
                                        const HostTensor *hidden,
                                        const OpObserver &observer) {
  auto function = interpreter.getModule().lookupSymbol<func::FuncOp>(program);
  // Without a rows argument every token is a row.
  bool hasRows = false;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    hasRows |= argumentRole(function, i) == Role::Rows;
  int64_t rows = hasRows ? step.rows.size() : step.tokens.size();
  std::vector<HostTensor> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    std::optional<Role> role = argumentRole(function, i);
    if (!role) {
      function.emitError() << "argument #" << i << " has no qwen.role";
      return failure();
    }
    if (role == Role::Sequences && hasSplitSequence(step)) {
      function.emitError("the tokens of a slot do not stand side by side");
      return failure();
    }
    bool isHidden = role == Role::Hidden || role == Role::DraftHidden;
    arguments.push_back(isHidden && hidden ? *hidden
                                           : makeArgument(*role, step, rows));
  }
  auto results = interpreter.run(program, arguments, observer);
  if (failed(results))
    return failure();
  StepResult out;
  for (auto [i, result] : llvm::enumerate(*results)) {
    std::optional<Role> role = resultRole(function, i);
    if (role == Role::Logits)
      out.logits = std::move(result);
    else if (role == Role::Tokens)
      out.tokens = std::move(result.integers);
    else
      out.hidden = std::move(result);
  }
  return out;
}

/// Keeps the logits and tokens of the rows that the step wants.
static void pickRows(StepResult &result, const Step &step) {
  StepResult all = std::move(result);
  int64_t width = all.logits.shape[1];
  result = {HostTensor::zeros({static_cast<int64_t>(step.rows.size()), width}),
            {},
            std::move(all.hidden)};
  for (auto [i, row] : llvm::enumerate(step.rows)) {
    std::copy_n(all.logits.floats.begin() + row * width, width,
                result.logits.floats.begin() + i * width);
    result.tokens.push_back(all.tokens[row]);
  }
}

FailureOr<StepResult> ModelRunner::runPrograms(const Step &step,
                                               const OpObserver &observer) {
  ModuleOp module = interpreter.getModule();
  int64_t count = step.tokens.size();
  for (StringRef program : {"decode", "verify"}) {
    std::optional<int64_t> size = sizeOf(program, Role::TokenIds);
    if (!size || count > *size)
      continue;
    FailureOr<StepResult> result = call(program, step, nullptr, observer);
    if (succeeded(result))
      pickRows(*result, step);
    return result;
  }
  if (module.lookupSymbol("prefill") && module.lookupSymbol("head")) {
    FailureOr<StepResult> prefill = call("prefill", step, nullptr, observer);
    if (failed(prefill))
      return failure();
    FailureOr<StepResult> head = call("head", step, &prefill->hidden, observer);
    if (succeeded(head))
      head->hidden = std::move(prefill->hidden);
    return head;
  }
  if (module.lookupSymbol("forward"))
    return call("forward", step, nullptr, observer);
  module.emitError("no program takes this step: expected @forward, or "
                   "@prefill and @head");
  return failure();
}

FailureOr<StepResult> ModelRunner::run(const Step &step,
                                       const OpObserver &observer) {
  FailureOr<StepResult> result = runPrograms(step, observer);
  if (failed(result))
    return failure();
  for (const Sequence &s : findSequences(step)) {
    int32_t &position = folded[s.slot];
    if (step.update != 0)
      position = s.position + (step.update == 2 ? s.count : 0);
    else if (s.position == 0)
      position = 0;
  }
  return result;
}

FailureOr<StepResult> ModelRunner::callDraft(StringRef program,
                                             const Step &step,
                                             const HostTensor &hidden,
                                             const OpObserver &observer) {
  ModuleOp module = interpreter.getModule();
  if (module.lookupSymbol(program))
    return call(program, step, &hidden, observer);
  module.emitError() << "has no function @" << program;
  return failure();
}

FailureOr<StepResult> ModelRunner::runDraft(const Step &step,
                                            const HostTensor &hidden,
                                            const OpObserver &observer) {
  int64_t count = step.tokens.size();
  for (StringRef program : {"draft_verify", "draft_prefill"})
    if (auto size = sizeOf(program, Role::TokenIds); size && count <= *size)
      return callDraft(program, step, hidden, observer);
  return callDraft("draft", step, hidden, observer);
}

FailureOr<StepResult> ModelRunner::runDraftNext(const Step &step,
                                                const HostTensor &hidden,
                                                const OpObserver &observer) {
  bool isSpecialized = interpreter.getModule().lookupSymbol("draft_decode");
  return callDraft(isSpecialized ? "draft_decode" : "draft_next", step, hidden,
                   observer);
}
