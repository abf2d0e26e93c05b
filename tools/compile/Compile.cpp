//===- Compile.cpp - From a checkpoint to a bundle ------------------------===//
#include "tools/compile/CompileOptions.h"

#include "codegen/AnswerRequests.h"
#include "codegen/Bundle/EmitBundle.h"
#include "codegen/Tuning.h"
#include "dialects/Qwen/IR/QwenOps.h"
#include "frontend/Import.h"
#include "passes/Pipelines.h"
#include "runtime/base/AtomicFile.h"
#include "runtime/base/Escape.h"
#include "runtime/base/File.h"
#include "tools/compile/CheckpointInput.h"
#include "tools/compile/CheckpointRows.h"
#include "tools/compile/Diagnostics.h"
#include "tools/compile/IRDump.h"
#include "tools/compile/ModelFacts.h"
#include "tools/compile/Report.h"
#include "tools/compile/TargetChoice.h"
#include "tools/quern/ProgressBar.h"
#include "tools/registration/Registration.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

using namespace mlir;

namespace quern {
namespace {

/// One compilation; the members are what the phases hand on.
class Compilation {
public:
  explicit Compilation(const CompileOptions &options)
      : options(options), progress(options.quiet),
        context(makeRegistry(), MLIRContext::Threading::DISABLED) {}

  Status run();

private:
  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registerAllDialects(registry);
    return registry;
  }

  Status readInput(const ModelDir &directory);
  Status import();
  Status runPasses();
  Status chooseAssembler();
  Status chooseVariants();
  Status generateKernels();
  Status writeBundle();
  Status printIR();
  void report(double seconds);

  const CompileOptions &options;
  ProgressBar progress;
  MLIRContext context;
  MemoryWatch memory;
  std::optional<Phase> lastPhase;
  DataType compute = DataType::F32;
  TargetDescription target;
  std::optional<Tuning> tuning;
  std::optional<PtxAssembler> assembler;
  std::vector<std::string> notes; ///< For the end of the report.
  CheckpointInput input;
  ImportReport importReport;
  OwningOpRef<ModuleOp> module;
  BundleContents contents;
  CompileSummary summary;
};

} // namespace

static Result<DataType> parseCompute(const std::string &name) {
  if (name == "f32")
    return DataType::F32;
  if (name == "f16")
    return DataType::F16;
  if (name == "bf16")
    return DataType::BF16;
  return invalidArgument("unknown compute type " + quoteName(name) +
                         ", expected f32, f16 or bf16");
}

Status Compilation::readInput(const ModelDir &directory) {
  if (!options.compileTo.empty()) {
    lastPhase = parsePhase(options.compileTo);
    if (!lastPhase) {
      std::string names;
      for (Phase phase : getPhases())
        names += (names.empty() ? "" : ", ") + getPhaseName(phase).str();
      return invalidArgument("unknown phase " + quoteName(options.compileTo) +
                             ", expected one of " + names);
    }
  } else if (options.output.empty()) {
    return invalidArgument("no output: name the bundle with -o");
  }
  if (!options.output.empty())
    QUERN_RETURN_IF_ERROR(directory.checkOutputPath(options.output));
  QUERN_ASSIGN_OR_RETURN(target, chooseTarget(options.target));
  compute = target.preferredCompute;
  if (!options.compute.empty()) {
    QUERN_ASSIGN_OR_RETURN(compute, parseCompute(options.compute));
  }
  if (!options.tuning.empty()) {
    QUERN_ASSIGN_OR_RETURN(std::string text,
                           readWholeFile(options.tuning, maxTuningBytes));
    QUERN_ASSIGN_OR_RETURN(
        tuning, Tuning::parse(text, quoteName(options.tuning), target));
  }
  QUERN_ASSIGN_OR_RETURN(input,
                         readCheckpoint(directory, options.strictWeights));
  input.config.keepLayers(int64_t(options.layers));
  return Status::ok();
}

Status Compilation::import() {
  uint64_t limit = input.config.maxPositionEmbeddings;
  if (options.context > limit)
    std::fprintf(stderr,
                 "quern: warning: the context of %llu tokens is longer than "
                 "the %llu positions that the model was made for\n",
                 static_cast<unsigned long long>(options.context),
                 static_cast<unsigned long long>(limit));
  ImportOptions import;
  import.compute = compute;
  import.contextLength = options.context;
  import.numSlots = options.slots;
  import.pageSize = options.pageSize;
  // The pool holds one full context; slots share it, each with a partial page.
  import.numPages =
      (options.context + options.pageSize - 1) / options.pageSize +
      options.slots;
  import.refuseUnexpectedTensors = options.strictTensors;
  DiagnosticCollector diagnostics(&context);
  auto imported = importCheckpoint(context, input.config, input.checkpoint,
                                   import, importReport);
  if (failed(imported))
    return diagnostics.takeStatus("import").withContext(options.checkpoint);
  module = std::move(*imported);
  return Status::ok();
}

Status Compilation::runPasses() {
  PipelineOptions pipeline;
  pipeline.prefillTokens = options.prefill;
  pipeline.deltaChunk = target.deltaChunkTokens;
  pipeline.deltaMinTokens = target.deltaChunkMinTokens;
  pipeline.expertsMinReuse = target.expertsMinReuse;
  pipeline.expertsTile4Reuse = target.expertsTile4Reuse;
  pipeline.expertsTile8Reuse = target.expertsTile8Reuse;
  pipeline.expertsMaxTile = target.getMaxExpertTile(compute);
  pipeline.fuse = options.fuse;
  pipeline.keepIntermediates = options.keepIntermediates;
  pipeline.attentionWorkgroups = target.attentionWorkgroups;
  pipeline.panelRows = target.getPanelRows();
  pipeline.quantize = options.quantize;
  pipeline.quantizeActivations = options.quantizeActivations.empty()
                                     ? target.byteDot != ByteDot::None
                                     : options.quantizeActivations == "int8";
  pipeline.quantizeKVCache = options.kvCacheType == "int8";
  PassManager manager(&context);
  addPhases(manager, lastPhase.value_or(Phase::Memory), pipeline);
  if (!options.dumpIRDir.empty())
    manager.addInstrumentation(createIRDump(options.dumpIRDir));
  DiagnosticCollector diagnostics(&context);
  if (failed(manager.run(*module)))
    return diagnostics.takeStatus("the pass pipeline");
  return Status::ok();
}

Status Compilation::printIR() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, OpPrintingFlags().enableDebugInfo());
  if (!options.output.empty())
    return writeFileAtomically(options.output, text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return Status::ok();
}

/// What is not there is left out, unless it was asked for.
Status Compilation::chooseAssembler() {
  if (target.api != "cuda" || target.variants.empty() ||
      options.ptxas == "none")
    return Status::ok();
  Result<PtxAssembler> found = PtxAssembler::find(options.ptxas);
  bool isWanted = !options.ptxas.empty() || std::getenv("QUERN_PTXAS");
  if (!found.isOk() && !isWanted) {
    notes.push_back("the bundle holds PTX alone, which the driver assembles "
                    "when the model is loaded: " +
                    found.getStatus().getMessage());
    return Status::ok();
  }
  if (!found.isOk())
    return std::move(found).takeStatus();
  assembler = std::move(*found);
  for (const CodeVariant &variant : target.variants)
    if (!assembler->knows(variant.name))
      notes.push_back("no code for " + variant.name + ", which " +
                      assembler->getPath() + " does not know; PTX is there");
  return Status::ok();
}

/// Leaves out architectures whose code would be the target's own.
Status Compilation::chooseVariants() {
  const PtxAssembler *found = assembler ? &*assembler : nullptr;
  if (target.api == "cuda")
    std::erase_if(target.variants, [&](const CodeVariant &variant) {
      return variant.cpu.empty() && !hasCubin(variant, found);
    });
  for (const CodeVariant &variant : target.variants) {
    QUERN_ASSIGN_OR_RETURN(bundle::ArchitectureT described,
                           describeVariant(variant, target, found));
    contents.architectures.push_back(std::move(described));
  }
  return Status::ok();
}

Status Compilation::generateKernels() {
  QUERN_RETURN_IF_ERROR(chooseAssembler());
  QUERN_RETURN_IF_ERROR(chooseVariants());
  CodegenOptions codegen;
  codegen.assembler = assembler ? &*assembler : nullptr;
  codegen.warn = [&](const std::string &warning) { notes.push_back(warning); };
  codegen.schedule = options.schedule;
  if (tuning)
    codegen.schedule = [&](const KernelRequest &request) {
      return tuning->find(request);
    };
  codegen.threads = options.threads;
  codegen.dumpDir = options.emitKernels;
  codegen.progress = [&](uint64_t done, uint64_t total) {
    progress.update(done, total);
    memory.sample();
  };
  return answerRequests(*module, target, codegen, contents.kernels);
}

Status Compilation::writeBundle() {
  describeModel(input, options, compute, *module, contents);
  describeTarget(target, contents.target);
  contents.threads = options.threads;
  contents.tokenizer = std::move(input.tokenizer);
  contents.chatTemplate = std::move(input.chatTemplate);
  if (options.keepIR) {
    llvm::raw_string_ostream stream(contents.ir);
    module->print(stream);
  }
  WeightSource weights = [&](llvm::StringRef name, Encoding encoding) {
    return openRows(input.checkpoint, std::string_view(name), encoding);
  };
  DiagnosticCollector diagnostics(&context);
  Status status =
      emitBundle(*module, contents, weights, options.output, summary.bundle,
                 [&](uint64_t done, uint64_t total) {
                   progress.update(done, total);
                   memory.sample();
                 });
  if (status.getCode() == StatusCode::Internal)
    return diagnostics.takeStatus("bundle emission");
  return status;
}

void Compilation::report(double seconds) {
  if (options.quiet)
    return;
  for (const std::string &warning : input.warnings)
    std::fprintf(stderr, "quern: warning: %s\n", warning.c_str());
  std::fputs(formatImportReport(importReport, options.verbose).c_str(), stdout);
  summary.context = options.context;
  summary.target = target.name;
  summary.compute = getComputeName(compute);
  summary.parameters = contents.model.parameters;
  summary.kernels = contents.kernels.size();
  describeMemory(*module, summary);
  summary.seconds = seconds;
  summary.peakResidentBytes = memory.getPeakBytes();
  std::fputs(formatQuality(summary.bundle, options.verbose).c_str(), stdout);
  std::fputs(formatSummary(summary).c_str(), stdout);
  std::fputs(formatSpills(contents).c_str(), stdout);
  for (const std::string &note : notes)
    std::fprintf(stderr, "quern: note: %s\n", note.c_str());
}

Status Compilation::run() {
  auto start = std::chrono::steady_clock::now();
  QUERN_ASSIGN_OR_RETURN(ModelDir directory,
                         ModelDir::open(options.checkpoint));
  auto phase = [&](const char *name, auto step) -> Status {
    progress.beginPhase(name);
    Status status = step();
    memory.sample();
    if (status.isOk())
      progress.finish();
    else
      progress.abandon();
    return status;
  };
  QUERN_RETURN_IF_ERROR(
      phase("read checkpoint", [&] { return readInput(directory); }));
  QUERN_RETURN_IF_ERROR(phase("import", [&] { return import(); }));
  QUERN_RETURN_IF_ERROR(phase("passes", [&] { return runPasses(); }));
  if (lastPhase)
    return printIR();
  QUERN_RETURN_IF_ERROR(phase("kernels", [&] { return generateKernels(); }));
  QUERN_RETURN_IF_ERROR(phase("write bundle", [&] { return writeBundle(); }));
  report(std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
             .count());
  return Status::ok();
}

Status compile(const CompileOptions &options) {
  return Compilation(options).run();
}

} // namespace quern
