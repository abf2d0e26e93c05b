//===- Pipelines.cpp - The order of the passes ----------------------------===//
//
// The only file that orders passes.
//
//===----------------------------------------------------------------------===//
#include "passes/Pipelines.h"

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace quern;

static constexpr std::pair<Phase, StringLiteral> kPhaseNames[] = {
    {Phase::Import, "import"}, {Phase::Graph, "graph"},
    {Phase::Shape, "shape"},   {Phase::Quantize, "quantize"},
    {Phase::Lower, "lower"},   {Phase::Memory, "memory"},
};

ArrayRef<Phase> quern::getPhases() {
  static constexpr Phase phases[] = {Phase::Import, Phase::Graph,
                                     Phase::Shape,  Phase::Quantize,
                                     Phase::Lower,  Phase::Memory};
  return phases;
}

StringRef quern::getPhaseName(Phase phase) {
  for (auto [candidate, name] : kPhaseNames)
    if (candidate == phase)
      return name;
  llvm_unreachable("unknown phase");
}

std::optional<Phase> quern::parsePhase(StringRef name) {
  for (auto [phase, candidate] : kPhaseNames)
    if (candidate == name)
      return phase;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

static void addImport(OpPassManager &pm) {
  // What the frontend emitted, or a file of the user: refused here if no later
  // phase could use it.
  pm.addPass(createVerifyGraphPass());
}

static void addGraph(OpPassManager &pm, const PipelineOptions &options) {
  if (!options.fuse)
    return;
  OpPassManager &functions = pm.nest<func::FuncOp>();
  // Folds views that undo each other, so that the fusions see plain chains.
  functions.addPass(createCanonicalizerPass());
  // Before the QK fusion, which reads queries, keys and values from one row.
  functions.addPass(createMergeQKVPass());
  functions.addPass(createFuseQKNormRopeAppendPass());
  // After the merge: the attention then reads the gate from the merged row.
  functions.addPass(createFuseAttentionGatePass());
  // Before the inputs are fused: it looks for the convolution.
  functions.addPass(createMergeDeltaProjectionsPass());
  functions.addPass(createFuseDeltaInputsPass());
  // After the fusions above: what they left merged would cost copies.
  functions.addPass(createSplitMergedLinearPass());
  // Independent of the others; before Shape, to do it once for all programs.
  functions.addPass(createFuseSwiGLUPass());
  functions.addPass(createFuseAddRMSNormPass());
  // The fusions must have kept what Shape relies on.
  pm.addPass(createVerifyGraphPass());
}

static void addShape(OpPassManager &pm, const PipelineOptions &options) {
  SpecializeProgramsPassOptions sizes;
  sizes.decodeTokens = options.decodeTokens;
  sizes.verifyTokens = options.verifyTokens;
  sizes.prefillTokens = options.prefillTokens;
  pm.addPass(createSpecializeProgramsPass(sizes));
  // decode and verify select no rows: the last residual add now stands in
  // front of the final norm, which Graph could not see.
  if (options.fuse)
    pm.addNestedPass<func::FuncOp>(createFuseAddRMSNormPass());
  // Need the kind and the number of tokens of each program.
  SpecializeDeltaRulePassOptions deltaRule;
  deltaRule.chunk = options.deltaChunk;
  deltaRule.minTokens = options.deltaMinTokens;
  pm.addNestedPass<func::FuncOp>(createSpecializeDeltaRulePass(deltaRule));
  SpecializeExpertsPassOptions experts;
  experts.minReuse = options.expertsMinReuse;
  experts.tile4Reuse = options.expertsTile4Reuse;
  experts.tile8Reuse = options.expertsTile8Reuse;
  experts.maxTile = options.expertsMaxTile;
  pm.addNestedPass<func::FuncOp>(createSpecializeExpertsPass(experts));
  // Lower relies on static shapes and complete roles.
  pm.addPass(createVerifyProgramsPass());
}

static void addQuantize(OpPassManager &pm, const PipelineOptions &options) {
  QuantizeWeightsPassOptions quantize;
  quantize.weights = options.quantize.weights;
  quantize.embedding = options.quantize.embedding;
  quantize.head = options.quantize.head;
  quantize.router = options.quantize.router;
  quantize.draft = options.quantize.draft;
  // After all fusions: weights that are packed into one have one type. Before
  // Lower, which makes kernel requests of the types.
  pm.addPass(createQuantizeWeightsPass(quantize));
  if (options.quantizeActivations)
    pm.addPass(createQuantizeActivationsPass());
  // Before Lower, likewise.
  if (options.quantizeKVCache)
    pm.addPass(createQuantizeKVCachePass());
}

static void addLower(OpPassManager &pm, const PipelineOptions &options) {
  LowerToExecPassOptions lower;
  lower.attentionWorkgroups = options.attentionWorkgroups;
  pm.addPass(createLowerToExecPass(lower));
  PackPanelsPassOptions panels;
  panels.rows = options.panelRows;
  pm.addPass(createPackPanelsPass(panels));
}

static void addMemory(OpPassManager &pm, const PipelineOptions &options) {
  PlanMemoryPassOptions plan;
  plan.keepIntermediates = options.keepIntermediates;
  // Before the barriers: memory that is used again makes hazards.
  pm.addPass(createPlanMemoryPass(plan));
  pm.addPass(createInsertBarriersPass());
  // Codegen and the bundle take the program as it is from here.
  pm.addPass(createVerifyExecPass());
}

void quern::addPhase(OpPassManager &pm, Phase phase,
                     const PipelineOptions &options) {
  switch (phase) {
  case Phase::Import:
    return addImport(pm);
  case Phase::Graph:
    return addGraph(pm, options);
  case Phase::Shape:
    return addShape(pm, options);
  case Phase::Quantize:
    return addQuantize(pm, options);
  case Phase::Lower:
    return addLower(pm, options);
  case Phase::Memory:
    return addMemory(pm, options);
  }
}

void quern::addPhases(OpPassManager &pm, Phase last,
                      const PipelineOptions &options) {
  for (Phase phase : getPhases()) {
    addPhase(pm, phase, options);
    if (phase == last)
      return;
  }
}

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

namespace {
/// PipelineOptions as options of a pipeline on the command line.
struct CommandLineOptions : PassPipelineOptions<CommandLineOptions> {
  Option<int64_t> decodeTokens{*this, "decode-tokens",
                               llvm::cl::desc("Tokens of the decode program"),
                               llvm::cl::init(1)};
  Option<int64_t> verifyTokens{
      *this, "verify-tokens",
      llvm::cl::desc("Tokens of the verify program and rows of the head"),
      llvm::cl::init(8)};
  Option<int64_t> prefillTokens{*this, "prefill-tokens",
                                llvm::cl::desc("Tokens of the prefill program"),
                                llvm::cl::init(512)};
  Option<int64_t> deltaChunk{
      *this, "delta-chunk",
      llvm::cl::desc("Tokens of a chunk of the gated delta rule in prefill"),
      llvm::cl::init(1)};
  Option<int64_t> deltaMinTokens{
      *this, "delta-min-tokens",
      llvm::cl::desc("Least tokens of a program with such chunks"),
      llvm::cl::init(1)};
  Option<double> expertsMinReuse{
      *this, "experts-min-reuse",
      llvm::cl::desc("Tokens per chosen expert from which on they are sorted"),
      llvm::cl::init(1.1)};
  Option<double> expertsTile4Reuse{
      *this, "experts-tile4-reuse",
      llvm::cl::desc("Those from which on tiles have 4 rows"),
      llvm::cl::init(2)};
  Option<double> expertsTile8Reuse{
      *this, "experts-tile8-reuse",
      llvm::cl::desc("Those from which on tiles have 8 rows"),
      llvm::cl::init(16)};
  Option<int64_t> expertsMaxTile{*this, "experts-max-tile",
                                 llvm::cl::desc("Most rows of a tile of "
                                                "experts"),
                                 llvm::cl::init(8)};
  Option<bool> fuse{*this, "fuse",
                    llvm::cl::desc("Fuse ops; false leaves each on its own"),
                    llvm::cl::init(true)};
  Option<bool> keepIntermediates{*this, "keep-intermediates",
                                 llvm::cl::desc("Temporaries share no memory"),
                                 llvm::cl::init(false)};
  Option<int64_t> attentionWorkgroups{
      *this, "attention-workgroups",
      llvm::cl::desc("Workgroups that attention of few tokens is split into"),
      llvm::cl::init(0)};
  Option<int64_t> panelRows{*this, "panel-rows",
                            llvm::cl::desc("Rows of a panel of a weight; 0: "
                                           "row-major"),
                            llvm::cl::init(0)};
  Option<std::string> quantizeWeights{
      *this, "quantize-weights",
      llvm::cl::desc("Element type of the layers' weights")};
  Option<std::string> quantizeEmbedding{
      *this, "quantize-embedding",
      llvm::cl::desc("Element type of the embedding")};
  Option<std::string> quantizeHead{*this, "quantize-head",
                                   llvm::cl::desc("Element type of the head")};
  Option<std::string> quantizeRouter{*this, "quantize-router",
                                     llvm::cl::desc("Element type of routers")};
  Option<std::string> quantizeDraft{
      *this, "quantize-draft",
      llvm::cl::desc("Element type of what drafts alone read")};
  Option<bool> quantizeActivations{
      *this, "quantize-activations",
      llvm::cl::desc("Multiply quantised weights with int8 activations"),
      llvm::cl::init(false)};
  Option<bool> quantizeKVCache{
      *this, "quantize-kv-cache",
      llvm::cl::desc("Make the rows of key and value caches int8 codes"),
      llvm::cl::init(false)};
  Option<Phase> to{
      *this, "to", llvm::cl::desc("Last phase to run"),
      llvm::cl::init(Phase::Memory),
      llvm::cl::values(
          clEnumValN(Phase::Import, "import", "as the frontend emits it"),
          clEnumValN(Phase::Graph, "graph", "fused ops"),
          clEnumValN(Phase::Shape, "shape", "one function per program"),
          clEnumValN(Phase::Quantize, "quantize",
                     "types of weights and caches"),
          clEnumValN(Phase::Lower, "lower", "exec programs"),
          clEnumValN(Phase::Memory, "memory", "offsets and barriers"))};

  PipelineOptions get() const {
    PipelineOptions options;
    options.decodeTokens = decodeTokens;
    options.verifyTokens = verifyTokens;
    options.prefillTokens = prefillTokens;
    options.deltaChunk = deltaChunk;
    options.deltaMinTokens = deltaMinTokens;
    options.expertsMinReuse = expertsMinReuse;
    options.expertsTile4Reuse = expertsTile4Reuse;
    options.expertsTile8Reuse = expertsTile8Reuse;
    options.expertsMaxTile = expertsMaxTile;
    options.fuse = fuse;
    options.keepIntermediates = keepIntermediates;
    options.attentionWorkgroups = attentionWorkgroups;
    options.panelRows = panelRows;
    options.quantize = {quantizeWeights, quantizeEmbedding, quantizeHead,
                        quantizeRouter, quantizeDraft};
    options.quantizeActivations = quantizeActivations;
    options.quantizeKVCache = quantizeKVCache;
    return options;
  }
};
} // namespace

void quern::registerAllQuernPasses() {
  registerQuernPasses();
  for (Phase phase : getPhases()) {
    std::string name = "quern-" + getPhaseName(phase).str() + "-phase";
    std::string summary = "The " + getPhaseName(phase).str() + " phase";
    PassPipelineRegistration<CommandLineOptions>(
        name, summary,
        [phase](OpPassManager &pm, const CommandLineOptions &options) {
          addPhase(pm, phase, options.get());
        });
  }
  PassPipelineRegistration<CommandLineOptions>(
      "quern-pipeline", "All phases up to the one named by `to`",
      [](OpPassManager &pm, const CommandLineOptions &options) {
        addPhases(pm, options.to, options.get());
      });
}
