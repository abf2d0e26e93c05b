//===- CheckEach.cpp - runs the module around every pass ------------------===//
#include "tools/interpreter/CheckEach.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/Pass.h"
#include "tools/interpreter/CompareHidden.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <random>

using namespace mlir;
using namespace quern;

namespace quern::checkeach {
/// Results of one op in one step.
struct OpRecord {
  Operation *op;
  SmallVector<std::string> labels;
  std::vector<HostTensor> results;
};

struct StepRecord {
  Step step;
  StepResult result;
  std::vector<OpRecord> ops;
  /// "step 0", "draft of step 0", "second draft of step 0".
  std::string name;
};
} // namespace quern::checkeach

using namespace quern::checkeach;

struct CheckEachInstrumentation::Observation {
  std::vector<Step> input;
  std::vector<StepRecord> steps;
  std::vector<std::pair<std::string, std::vector<float>>> states;
  double tolerance;
};

using Observation = CheckEachInstrumentation::Observation;

static ModuleOp moduleOf(Operation *op) {
  auto module = dyn_cast<ModuleOp>(op);
  return module ? module : op->getParentOfType<ModuleOp>();
}

bool quern::canInterpret(Operation *op) {
  ModuleOp module = moduleOf(op);
  if (!module || !module->hasAttr(qwen::QwenDialect::getModelAttrName()))
    return false;
  bool isWhole = module.lookupSymbol<func::FuncOp>("forward") ||
                 (module.lookupSymbol<func::FuncOp>("prefill") &&
                  module.lookupSymbol<func::FuncOp>("head"));
  auto isKnown = [](Operation &inner) {
    return isa<func::FuncDialect, qwen::QwenDialect>(inner.getDialect());
  };
  return isWhole && llvm::all_of(module.getOps<func::FuncOp>(), [&](auto f) {
           return !f.isExternal() && f.getBody().hasOneBlock() &&
                  llvm::all_of(f.getBody().front(), isKnown);
         });
}

/// A chunk of slot 0, a ragged step of up to four slots, one token of slot 0:
/// each kind of program once, and each way to keep the state of a delta net.
static std::vector<Step> makeSteps(ModelRunner &runner, uint64_t seed) {
  qwen::ModelAttr model = runner.getModel();
  std::mt19937_64 engine(seed);
  int64_t most = runner.getMaxTokens().value_or(12);
  int64_t maxRows = runner.getMaxRows().value_or(most);
  int64_t slots = std::min<int64_t>(model.getNumSlots(), 4);
  std::vector<int32_t> lengths(slots);
  std::vector<Step> steps(3);
  auto add = [&](Step &step, int64_t slot, int64_t count) {
    for (; count > 0 && lengths[slot] < model.getContextLength() &&
           static_cast<int64_t>(step.tokens.size()) < most;
         --count)
      step.tokens.push_back(
          {static_cast<int32_t>(engine() % model.getVocabSize()),
           lengths[slot]++, static_cast<int32_t>(slot)});
  };
  add(steps[0], 0, std::min<int64_t>(12, most));
  for (int64_t slot = 0; slot < slots; ++slot)
    add(steps[1], slot, slot + 1);
  add(steps[2], 0, 1);
  steps[0].update = 2;
  steps[1].update = 0;
  steps[2].update = 1;
  std::erase_if(steps, [](const Step &step) { return step.tokens.empty(); });
  for (Step &step : steps) {
    int64_t count = step.tokens.size();
    for (int64_t row = std::max<int64_t>(0, count - maxRows); row < count;
         ++row)
      step.rows.push_back(static_cast<int32_t>(row));
  }
  return steps;
}

static double toleranceOf(const CheckEachOptions &options, Type compute) {
  if (options.tolerance > 0)
    return options.tolerance;
  return compute.isF32() ? 1e-5 : compute.isF16() ? 2e-2 : 1e-1;
}

namespace {
/// Runs steps and keeps what they give.
class Recorder {
public:
  Recorder(ModuleOp module, const CheckEachOptions &options)
      : runner(module, randomWeights(options.seed)) {}

  ModelRunner runner;
  std::vector<StepRecord> records;

  /// A step, then two steps of the draft where there is one.
  LogicalResult add(const Step &step, const std::string &name) {
    if (failed(record(step, name, [&](const OpObserver &observer) {
          return runner.run(step, observer);
        })))
      return failure();
    if (!runner.hasDraft())
      return success();
    Step draft = step;
    draft.rows = {static_cast<int32_t>(step.tokens.size()) - 1};
    std::rotate(draft.tokens.begin(), draft.tokens.begin() + 1,
                draft.tokens.end());
    for (auto [token, original] : llvm::zip_equal(draft.tokens, step.tokens))
      token = {token.id, original.position, original.slot};
    HostTensor hidden = records.back().result.hidden;
    if (failed(
            record(draft, "draft of " + name, [&](const OpObserver &observer) {
              return runner.runDraft(draft, hidden, observer);
            })))
      return failure();
    Step next{{draft.tokens.back()}, {0}};
    if (++next.tokens[0].position >= runner.getModel().getContextLength())
      return success();
    hidden = records.back().result.hidden;
    return record(next, "second draft of " + name,
                  [&](const OpObserver &observer) {
                    return runner.runDraftNext(next, hidden, observer);
                  });
  }

private:
  LogicalResult
  record(const Step &step, const std::string &name,
         llvm::function_ref<FailureOr<StepResult>(const OpObserver &)> run) {
    StepRecord record{step, {}, {}, name};
    auto result = run([&](Operation *op, auto results) {
      SmallVector<std::string> labels;
      for (StringRef label : labelsOf(op->getLoc()))
        labels.push_back(label.str());
      record.ops.push_back({op, labels, results.vec()});
    });
    if (failed(result))
      return failure();
    record.result = std::move(*result);
    records.push_back(std::move(record));
    return success();
  }
};
} // namespace

/// Runs the steps of `previous`, or steps made for this module without it.
static std::shared_ptr<Observation> observe(ModuleOp module,
                                            const CheckEachOptions &options,
                                            const Observation *previous) {
  Recorder recorder(module, options);
  ModelRunner &runner = recorder.runner;
  auto out = std::make_shared<Observation>();
  out->tolerance = toleranceOf(options, runner.getModel().getCompute());
  out->input = previous ? previous->input : makeSteps(runner, options.seed);
  for (auto [i, input] : llvm::enumerate(out->input)) {
    Step step = input;
    // Programs of fixed size may not take the steps of @forward.
    if (auto most = runner.getMaxTokens();
        most && static_cast<int64_t>(step.tokens.size()) > *most)
      return nullptr;
    if (auto most = runner.getMaxRows();
        most && static_cast<int64_t>(step.rows.size()) > *most)
      step.rows.erase(step.rows.begin(), step.rows.end() - *most);
    if (failed(recorder.add(step, "step " + std::to_string(i))))
      return nullptr;
  }
  out->steps = std::move(recorder.records);
  for (auto state : module.getOps<qwen::StateOp>())
    out->states.emplace_back(
        state.getSymName().str(),
        runner.getInterpreter().findState(
            FlatSymbolRefAttr::get(state.getSymNameAttr())));
  return out;
}

/// maxDifference relative to the greatest magnitude expected.
static double relativeDifference(const std::vector<float> &found,
                                 const std::vector<float> &expected) {
  double scale = 0;
  for (float value : expected)
    scale = std::max(scale, std::abs(static_cast<double>(value)));
  return maxDifference(found, expected) / std::max(scale, 1e-30);
}

/// Whether some result recorded under one of the labels agrees with `found`;
/// true as well if none has its size. Heads and features are views of the same
/// numbers, so shapes may differ.
static bool agrees(const HostTensor &found, const OpRecord &after,
                   const StepRecord &before, double tolerance) {
  bool isComparable = false;
  for (const OpRecord &record : before.ops) {
    bool isSame = llvm::any_of(record.labels, [&](const std::string &label) {
      return llvm::is_contained(after.labels, label);
    });
    for (const HostTensor &expected : record.results) {
      if (!isSame || found.floats.empty() ||
          expected.floats.size() != found.floats.size())
        continue;
      isComparable = true;
      if (relativeDifference(found.floats, expected.floats) <= tolerance)
        return true;
    }
  }
  return !isComparable;
}

static const OpRecord *findFirstDifference(const StepRecord &after,
                                           const StepRecord &before,
                                           double tolerance) {
  for (const OpRecord &record : after.ops)
    for (const HostTensor &result : record.results)
      if (!agrees(result, record, before, tolerance))
        return &record;
  return nullptr;
}

/// Rows of `all` that `wanted` asks for; the last rows of the step.
static std::vector<float> lastRows(const HostTensor &all, size_t rows) {
  size_t width = all.shape.back();
  return {all.floats.end() - rows * width, all.floats.end()};
}

/// Whether the tokens agree wherever the logits decide.
static bool sameTokens(const StepResult &after, const StepResult &before,
                       double tolerance) {
  size_t width = after.logits.shape[1];
  size_t skipped = before.tokens.size() - after.tokens.size();
  for (size_t row = 0; row < after.tokens.size(); ++row) {
    const float *logits = after.logits.floats.data() + row * width;
    int32_t found = after.tokens[row], expected = before.tokens[row + skipped];
    auto [low, high] = std::minmax_element(logits, logits + width);
    double scale = std::max(std::abs(*low), std::abs(*high));
    bool isToken = found >= 0 && found < static_cast<int32_t>(width);
    if (found != expected &&
        (!isToken ||
         std::abs(logits[found] - logits[expected]) > 2 * tolerance * scale))
      return false;
  }
  return true;
}

/// Emits an error naming the pass and returns failure if the runs differ.
static LogicalResult compare(const Observation &after,
                             const Observation &before, Pass *pass,
                             ModuleOp module) {
  StringRef name =
      pass->getArgument().empty() ? pass->getName() : pass->getArgument();
  double tolerance = before.tolerance;
  // A pass that takes the draft away, or adds one, changes what is run.
  if (after.steps.size() != before.steps.size())
    return module.emitError() << "pass " << name << " changes the functions";
  for (auto [i, record] : llvm::enumerate(after.steps)) {
    const StepResult &found = record.result;
    const StepResult &expected = before.steps[i].result;
    double difference = relativeDifference(
        found.logits.floats, lastRows(expected.logits, found.tokens.size()));
    bool isToken = difference <= tolerance;
    if (isToken && sameTokens(found, expected, tolerance))
      continue;
    InFlightDiagnostic diagnostic = module.emitError()
                                    << "pass " << name << " changes the "
                                    << (isToken ? "tokens" : "logits") << " of "
                                    << record.name << " ("
                                    << record.step.tokens.size() << " tokens)";
    if (!isToken)
      diagnostic << " by " << difference << " of their greatest, tolerance "
                 << tolerance;
    if (const OpRecord *op =
            findFirstDifference(record, before.steps[i], tolerance))
      diagnostic.attachNote(op->op->getLoc())
          << "the first op that differs is " << op->op->getName().getStringRef()
          << " of " << llvm::join(op->labels, " + ");
    return diagnostic;
  }
  for (const auto &[state, values] : after.states)
    for (const auto &[other, expected] : before.states)
      if (state == other && relativeDifference(values, expected) > tolerance)
        return module.emitError()
               << "pass " << name << " changes the state @" << state;
  return success();
}

/// Adaptors run the passes of a nested pipeline, which are checked themselves.
static bool isAdaptor(Pass *pass) {
  return pass->getName().starts_with("Pipeline Collection");
}

void CheckEachInstrumentation::runBeforePass(Pass *pass, Operation *op) {
  if (!before && !*hasFailed && !isAdaptor(pass) && canInterpret(op))
    before = observe(moduleOf(op), options, nullptr);
}

void CheckEachInstrumentation::runAfterPass(Pass *pass, Operation *op) {
  if (!before || *hasFailed || isAdaptor(pass))
    return;
  if (!canInterpret(op)) {
    before = nullptr;
    return;
  }
  ModuleOp module = moduleOf(op);
  std::shared_ptr<Observation> after = observe(module, options, before.get());
  if (!after) {
    module.emitError() << "the steps cannot be run after pass "
                       << pass->getName();
    *hasFailed = true;
    return;
  }
  *hasFailed = failed(compare(*after, *before, pass, module));
  ++*numChecked;
  before = std::move(after);
}
