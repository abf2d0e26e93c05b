//===- Interpreter.cpp - runs qwen IR on the host -------------------------===//
#include "tools/interpreter/Interpreter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace quern;

Interpreter::Interpreter(ModuleOp module, WeightSource source)
    : module(module), source(std::move(source)), symbols(module) {}

const std::vector<float> *Interpreter::findWeight(Operation *user,
                                                  FlatSymbolRefAttr name) {
  auto [entry, isNew] = weights.try_emplace(name.getValue());
  if (!isNew)
    return &entry->second;
  auto weight = symbols.lookup<qwen::WeightOp>(name.getAttr());
  FailureOr<std::vector<float>> values =
      weight ? source(weight) : FailureOr<std::vector<float>>();
  if (failed(values)) {
    user->emitError() << "weight " << name << " cannot be read";
    weights.erase(entry);
    return nullptr;
  }
  entry->second = std::move(*values);
  return &entry->second;
}

const std::vector<float> *Interpreter::findStack(Operation *user,
                                                 ArrayAttr names) {
  if (names.size() == 1)
    return findWeight(user, cast<FlatSymbolRefAttr>(names[0]));
  auto [entry, isNew] = stacks.try_emplace(names);
  if (!isNew)
    return &entry->second;
  std::vector<float> stack;
  for (auto name : names.getAsRange<FlatSymbolRefAttr>()) {
    const std::vector<float> *values = findWeight(user, name);
    if (!values) {
      stacks.erase(names);
      return nullptr;
    }
    stack.insert(stack.end(), values->begin(), values->end());
    weights.erase(name.getValue());
  }
  std::vector<float> &kept = stacks[names];
  kept = std::move(stack);
  return &kept;
}

qwen::StateOp Interpreter::getStateOp(FlatSymbolRefAttr name) {
  return symbols.lookup<qwen::StateOp>(name.getAttr());
}

std::vector<float> &Interpreter::findState(FlatSymbolRefAttr name) {
  auto [entry, isNew] = states.try_emplace(name.getValue());
  if (isNew)
    entry->second.resize(getStateOp(name).getTensorType().getNumElements());
  return entry->second;
}

/// Checks rank, element kind and every dimension but the first.
static LogicalResult checkArgument(Operation *function, unsigned number,
                                   Type type, const HostTensor &value) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  bool fits = tensor && value.isConsistent() &&
              tensor.getRank() == static_cast<int64_t>(value.shape.size()) &&
              (tensor.getElementType().isInteger() ? value.floats.empty()
                                                   : value.integers.empty());
  for (int64_t i = 1; fits && i < tensor.getRank(); ++i)
    fits = tensor.getDimSize(i) == value.shape[i];
  if (fits)
    return success();
  InFlightDiagnostic diagnostic = function->emitError()
                                  << "argument #" << number << " of type "
                                  << type << " cannot take a value of shape [";
  llvm::interleaveComma(value.shape, diagnostic);
  return diagnostic << "]";
}

FailureOr<std::vector<HostTensor>>
Interpreter::run(StringRef name, ArrayRef<HostTensor> arguments,
                 const OpObserver &observer) {
  auto function = symbols.lookup<func::FuncOp>(name);
  if (!function || function.isExternal()) {
    module.emitError() << "no function @" << name << " with a body";
    return failure();
  }
  if (function.getNumArguments() != arguments.size()) {
    function.emitError() << "takes " << function.getNumArguments()
                         << " arguments, found " << arguments.size();
    return failure();
  }
  for (auto [i, value] : llvm::enumerate(arguments))
    if (failed(
            checkArgument(function, i, function.getArgumentTypes()[i], value)))
      return failure();
  return runBlock(function.getBody().front(), arguments, observer);
}

FailureOr<std::vector<HostTensor>>
Interpreter::runBlock(Block &block, ArrayRef<HostTensor> arguments,
                      const OpObserver &observer) {
  llvm::DenseMap<Value, HostTensor> values;
  for (auto [argument, value] :
       llvm::zip_equal(block.getArguments(), arguments))
    values[argument] = value;
  for (Operation &op : block) {
    SmallVector<const HostTensor *> operands;
    for (Value operand : op.getOperands())
      operands.push_back(&values.find(operand)->second);
    if (isa<func::ReturnOp>(op)) {
      std::vector<HostTensor> results;
      for (const HostTensor *operand : operands)
        results.push_back(*operand);
      return results;
    }
    FailureOr<std::vector<HostTensor>> results;
    if (auto call = dyn_cast<func::CallOp>(op)) {
      std::vector<HostTensor> passed;
      for (const HostTensor *operand : operands)
        passed.push_back(*operand);
      results = run(call.getCallee(), passed, observer);
    } else {
      results = executeQwenOp(*this, &op, operands);
    }
    if (failed(results))
      return failure();
    if (observer)
      observer(&op, *results);
    for (auto [result, value] : llvm::zip_equal(op.getResults(), *results))
      values[result] = std::move(value);
  }
  module.emitError("a function ends without func.return");
  return failure();
}

static void collectLabels(Location location, SmallVectorImpl<StringRef> &out) {
  if (auto name = dyn_cast<NameLoc>(location)) {
    out.push_back(name.getName());
    collectLabels(name.getChildLoc(), out);
  } else if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations())
      collectLabels(part, out);
  } else if (auto call = dyn_cast<CallSiteLoc>(location)) {
    collectLabels(call.getCallee(), out);
  }
}

SmallVector<StringRef> quern::labelsOf(Location location) {
  SmallVector<StringRef> labels;
  collectLabels(location, labels);
  return labels;
}
