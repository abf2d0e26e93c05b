//===- EmitLLVM.cpp - llvm dialect -> what an LLVM backend emits ----------===//
#include "codegen/LLVM/EmitLLVM.h"

#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;
using namespace quern;

using MachinePointer = std::unique_ptr<llvm::TargetMachine>;

/// LLVM itself prints that it ignores what it does not know.
static Status checkNames(const llvm::Target &found, const llvm::Triple &triple,
                         const LLVMTarget &target) {
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      found.createMCSubtargetInfo(triple, "", ""));
  std::string where = "' of architecture '" + triple.getArchName().str() + "'";
  if (!info || !info->isCPUStringValid(target.cpu))
    return unsupported("LLVM knows no CPU '" + target.cpu + where);
  auto known = info->getAllProcessorFeatures();
  for (llvm::StringRef feature :
       llvm::split(llvm::StringRef(target.features), ',')) {
    feature.consume_front("+");
    auto isFeature = [&](const llvm::SubtargetFeatureKV &each) {
      return feature == each.Key;
    };
    if (!feature.empty() && llvm::none_of(known, isFeature))
      return unsupported("LLVM knows no feature '" + feature.str() + where);
  }
  info.reset(found.createMCSubtargetInfo(triple, target.cpu, target.features));
  auto has = [&](const std::string &feature) {
    return llvm::any_of(known, [&](const llvm::SubtargetFeatureKV &each) {
      return feature == each.Key && info->hasFeature(each.Value);
    });
  };
  std::string lacks;
  for (const std::vector<std::string> &list : target.needs) {
    if (llvm::all_of(list, has))
      return Status::ok();
    lacks += (lacks.empty() ? "" : " or ") + llvm::join(list, " and ");
  }
  if (!target.needs.empty())
    return unsupported("the code needs " + lacks + ", which CPU '" +
                       target.cpu + "' with its features lacks");
  return Status::ok();
}

static Result<MachinePointer> createMachine(const LLVMTarget &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
  });
  llvm::Triple triple(target.triple);
  std::string error;
  const llvm::Target *found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return unsupported("architecture '" + triple.getArchName().str() +
                       "': " + error);
  QUERN_RETURN_IF_ERROR(checkNames(*found, triple, target));
  MachinePointer machine(found->createTargetMachine(
      triple, target.cpu, target.features, llvm::TargetOptions(),
      llvm::Reloc::PIC_, llvm::CodeModel::Small,
      llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return unsupported("LLVM makes no code for the architecture '" +
                       triple.getArchName().str() + "'");
  return machine;
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions options;
  options.LoopVectorization = false;
  options.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, options);
  llvm::TargetLibraryInfoImpl library(machine.getTargetTriple());
  library.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(library); });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

Result<std::string>
quern::emitLLVM(ModuleOp module, const LLVMTarget &target,
                llvm::function_ref<void(llvm::Module &)> adjust) {
  QUERN_ASSIGN_OR_RETURN(MachinePointer machine, createMachine(target));
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(module, context);
  if (!translated)
    return internalError("the translation to LLVM IR failed");
  translated->setTargetTriple(machine->getTargetTriple());
  translated->setDataLayout(machine->createDataLayout());
  if (adjust)
    adjust(*translated);
  optimize(*translated, *machine);
  llvm::SmallVector<char, 0> code;
  llvm::raw_svector_ostream stream(code);
  llvm::legacy::PassManager emission;
  if (machine->addPassesToEmitFile(emission, stream, nullptr,
                                   target.emitsText
                                       ? llvm::CodeGenFileType::AssemblyFile
                                       : llvm::CodeGenFileType::ObjectFile))
    return internalError("LLVM emits no code for " + target.cpu);
  emission.run(*translated);
  return std::string(code.data(), code.size());
}
