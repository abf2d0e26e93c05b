//===- EmitPtx.cpp - llvm and nvvm dialects -> PTX ------------------------===//
#include "codegen/CUDA/EmitPtx.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;
using namespace quern;

namespace {

using MachinePointer = std::unique_ptr<llvm::TargetMachine>;

/// CUDA 12.x reads PTX 8.x, CUDA 13.x PTX 9.x.
std::string getPtxFeature(const TargetDescription &target) {
  llvm::StringRef version(target.apiVersion);
  auto [major, minor] = version.split('.');
  unsigned number = 12;
  major.getAsInteger(10, number);
  return "+ptx" + std::to_string(number - 4) + minor.str();
}

Result<MachinePointer> createMachine(const TargetDescription &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
  });
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return unsupported("LLVM was built without NVPTX: " + error);
  MachinePointer machine(found->createTargetMachine(
      triple, target.cpu, getPtxFeature(target), llvm::TargetOptions(),
      std::nullopt, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  if (!machine || !machine->getMCSubtargetInfo()->isCPUStringValid(target.cpu))
    return unsupported("LLVM knows no architecture '" + target.cpu + "'");
  return machine;
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions options;
  options.LoopVectorization = false;
  options.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, options);
  llvm::TargetLibraryInfoImpl library(machine.getTargetTriple());
  library.disableAllFunctions(); // No loop becomes memcpy.
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

} // namespace

Result<std::string> quern::emitPtx(ModuleOp module,
                                   const TargetDescription &target) {
  QUERN_ASSIGN_OR_RETURN(MachinePointer machine, createMachine(target));
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(module, context);
  if (!translated)
    return internalError("the translation to LLVM IR failed");
  translated->setTargetTriple(machine->getTargetTriple());
  translated->setDataLayout(machine->createDataLayout());
  optimize(*translated, *machine);
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager emission;
  if (machine->addPassesToEmitFile(emission, stream, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    return internalError("LLVM emits no PTX for " + target.cpu);
  emission.run(*translated);
  std::string ptx(text.data(), text.size());
  // Nothing links libdevice: a call would only fail on the user's machine.
  if (size_t at = ptx.find(".extern .func"); at != std::string::npos)
    return internalError("the code calls a function: " +
                         ptx.substr(at, ptx.find('\n', at) - at));
  return ptx;
}
