//===- quern-opt.cpp - runs passes on IR ----------------------------------===//
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "tools/interpreter/CheckEach.h"
#include "tools/registration/Registration.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

static llvm::cl::opt<bool> checkEach(
    "qwen-check-each",
    llvm::cl::desc("Run the model on random weights and tokens after every "
                   "pass; name the first pass and op that change the result"));
static llvm::cl::opt<uint64_t>
    checkSeed("qwen-check-seed", llvm::cl::init(1),
              llvm::cl::desc("Seed of the weights and tokens"));
static llvm::cl::opt<double> checkTolerance(
    "qwen-check-tolerance", llvm::cl::init(0),
    llvm::cl::desc("Difference allowed, relative to the greatest value; 0: by "
                   "the compute type"));

/// Adds the check to every pass manager that `config` sets up; what the checks
/// found is collected in `failures`.
static void addCheckEach(MlirOptMainConfig &config,
                         std::vector<std::shared_ptr<const bool>> &failures) {
  config.setPassPipelineSetupFn([parsed = config, &failures](PassManager &pm) {
    // The interpreter reads the whole module while a pass of one function runs.
    pm.getContext()->disableMultithreading();
    auto check = std::make_unique<quern::CheckEachInstrumentation>(
        quern::CheckEachOptions{checkSeed, checkTolerance});
    failures.push_back(check->getFailure());
    pm.addInstrumentation(std::move(check));
    return parsed.setupPassPipeline(pm);
  });
}

static LogicalResult run(int argc, char **argv) {
  DialectRegistry registry;
  quern::registerAllDialects(registry);
  quern::registerAllPasses();
  auto [input, output] = registerAndParseCLIOptions(
      argc, argv, "Quern's pass runner: reads IR, runs passes, prints IR\n",
      registry);
  if (!checkEach)
    return MlirOptMain(argc, argv, input, output, registry);

  std::string message;
  auto source = openInputFile(input, &message);
  auto sink = source ? openOutputFile(output, &message) : nullptr;
  if (!sink) {
    llvm::errs() << message << "\n";
    return failure();
  }
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  std::vector<std::shared_ptr<const bool>> failures;
  addCheckEach(config, failures);
  if (failed(MlirOptMain(sink->os(), std::move(source), registry, config)) ||
      llvm::any_of(failures, [](const auto &failed) { return *failed; }))
    return failure();
  sink->keep();
  return success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  return asMainReturnCode(run(argc, argv));
}
