//===- ModelRunner.cpp - steps of a model in the interpreter --------------===//
#include "tools/interpreter/ModelRunner.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "runtime/reference/Reference.h"

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
}

HostTensor ModelRunner::makeArgument(Role role, const Step &step,
                                     int64_t rowCount) const {
  auto perToken = [&](auto member) {
    std::vector<int32_t> values;
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
  case Role::Sequences:
  case Role::Hidden:
  case Role::DraftHidden:
  case Role::Logits:
  case Role::Tokens:
    break;
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

FailureOr<std::vector<HostTensor>>
ModelRunner::call(StringRef program, const Step &step, const HostTensor *hidden,
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
    arguments.push_back(role == Role::Hidden && hidden
                            ? *hidden
                            : makeArgument(*role, step, rows));
  }
  return interpreter.run(program, arguments, observer);
}

/// Rows of `all` (one per token) that the step wants.
static StepResult pickRows(std::vector<HostTensor> all, const Step &step) {
  StepResult result;
  int64_t width = all[0].shape[1];
  result.logits =
      HostTensor::zeros({static_cast<int64_t>(step.rows.size()), width});
  for (auto [i, row] : llvm::enumerate(step.rows)) {
    std::copy_n(all[0].floats.begin() + row * width, width,
                result.logits.floats.begin() + i * width);
    result.tokens.push_back(all[1].integers[row]);
  }
  return result;
}

FailureOr<StepResult> ModelRunner::run(const Step &step,
                                       const OpObserver &observer) {
  ModuleOp module = interpreter.getModule();
  int64_t count = step.tokens.size();
  for (StringRef program : {"decode", "verify"}) {
    std::optional<int64_t> size = sizeOf(program, Role::TokenIds);
    if (!size || count > *size)
      continue;
    auto results = call(program, step, nullptr, observer);
    if (failed(results))
      return failure();
    return pickRows(std::move(*results), step);
  }
  FailureOr<std::vector<HostTensor>> results;
  if (module.lookupSymbol("prefill") && module.lookupSymbol("head")) {
    FailureOr<std::vector<HostTensor>> hidden =
        call("prefill", step, nullptr, observer);
    if (failed(hidden))
      return failure();
    results = call("head", step, &hidden->front(), observer);
  } else if (module.lookupSymbol("forward")) {
    results = call("forward", step, nullptr, observer);
  } else {
    module.emitError("no program takes this step: expected @forward, or "
                     "@prefill and @head");
  }
  if (failed(results))
    return failure();
  return StepResult{std::move((*results)[0]),
                    std::move((*results)[1].integers)};
}
