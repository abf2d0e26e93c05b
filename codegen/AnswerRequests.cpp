//===- AnswerRequests.cpp - Code for every kernel request -----------------===//
#include "codegen/AnswerRequests.h"

#include "codegen/KernelCompiler.h"
#include "runtime/base/AtomicFile.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

using namespace mlir;

namespace quern {

static std::optional<DataType> convertType(Type type) {
  if (type.isF32())
    return DataType::F32;
  if (type.isF16())
    return DataType::F16;
  if (type.isBF16())
    return DataType::BF16;
  if (type.isInteger(32))
    return DataType::I32;
  return std::nullopt;
}

static std::optional<ConfigValue> convertConfig(Attribute value) {
  if (auto flag = dyn_cast<BoolAttr>(value))
    return ConfigValue(flag.getValue());
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return ConfigValue(integer.getInt());
  if (auto number = dyn_cast<FloatAttr>(value))
    return ConfigValue(number.getValueAsDouble());
  if (auto text = dyn_cast<StringAttr>(value))
    return ConfigValue(text.getValue().str());
  return std::nullopt;
}

/// The request as plain data, free of the module's context.
static Result<KernelRequest> convertRequest(exec::KernelOp op) {
  KernelRequest request;
  request.name = op.getSymName();
  request.family = op.getFamily();
  for (unsigned i = 0; i < op.getNumArguments(); ++i) {
    exec::ArgumentAttr argument = op.getArgument(i);
    RankedTensorType tensor = argument.getTensor();
    Encoding encoding = qwen::getEncoding(tensor.getElementType());
    bool int8Rows = isa<qwen::Int8RowsType>(tensor.getElementType());
    std::optional<DataType> type = encoding == Encoding::None && !int8Rows
                                       ? convertType(tensor.getElementType())
                                       : DataType::F32;
    if (!type)
      return unsupported("kernel '" + request.name + "': argument " +
                         std::to_string(i) + " has an unknown element type");
    request.arguments.push_back(
        {static_cast<ArgumentEffect>(argument.getEffect()), *type,
         std::vector<int64_t>(tensor.getShape()), encoding, int8Rows});
  }
  for (NamedAttribute entry : op.getConfig()) {
    std::optional<ConfigValue> value = convertConfig(entry.getValue());
    if (!value)
      return unsupported("kernel '" + request.name + "': config '" +
                         entry.getName().str() + "' has an unknown kind");
    request.config.emplace(entry.getName().str(), *value);
  }
  return request;
}

static exec::LaunchAttr convertLaunch(MLIRContext *context,
                                      const CompiledKernel &kernel) {
  const KernelLaunch &launch = kernel.launch;
  auto widen = [](const std::array<uint32_t, 3> &values) {
    return SmallVector<int64_t>(values.begin(), values.end());
  };
  SmallVector<exec::Access> accesses;
  for (KernelAccess access : kernel.accesses)
    accesses.push_back(static_cast<exec::Access>(access));
  return exec::LaunchAttr::get(
      context, StringAttr::get(context, kernel.entryPoint),
      widen(launch.workgroupSize), widen(launch.grid),
      static_cast<exec::GridCount>(launch.count), launch.axis, launch.tile,
      launch.scale, launch.subgroupSize, launch.workgroupMemory, accesses);
}

/// The text of a CUDA kernel: a bundle has whole words.
static std::string_view getText(const CompiledKernel &kernel) {
  auto bytes = std::as_bytes(std::span(kernel.code));
  std::string_view text(reinterpret_cast<const char *>(bytes.data()),
                        bytes.size());
  return text.substr(0, text.find('\0'));
}

/// NAME.ptx, .spv or .elf, and the same for NAME.VARIANT.
static Status writeCode(const std::string &folder, const KernelRequest &request,
                        const CompiledKernel &kernel,
                        const TargetDescription &target) {
  std::string path = folder + "/" + request.name;
  const char *ending = target.api == "cpu"    ? ".elf"
                       : target.api == "cuda" ? ".ptx"
                                              : ".spv";
  for (auto [variant, code] : llvm::zip(target.variants, kernel.variants))
    if (!code.empty())
      QUERN_RETURN_IF_ERROR(
          writeFileAtomically(path + "." + variant.name + ending, code));
  if (target.api == "cuda")
    return writeFileAtomically(path + ending, getText(kernel));
  auto bytes = std::as_bytes(std::span(kernel.code));
  return writeFileAtomically(
      path + ending,
      {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}

namespace {
struct Answer {
  CompiledKernel kernel;
  std::vector<ArchitectureCode> binaries;
  std::vector<std::string> warnings;
};
} // namespace

static Result<Answer> answer(KernelCompiler &compiler,
                             const KernelRequest &request,
                             const TargetDescription &target,
                             const CodegenOptions &options) {
  Answer answer;
  QUERN_ASSIGN_OR_RETURN(
      answer.kernel,
      compiler.compile(request, target, {options.dumpDir, /*variants=*/true}));
  if (!options.dumpDir.empty())
    QUERN_RETURN_IF_ERROR(
        writeCode(options.dumpDir, request, answer.kernel, target));
  for (auto [variant, code] :
       llvm::zip(target.variants, answer.kernel.variants)) {
    if (!hasCubin(variant, options.assembler)) {
      answer.binaries.push_back({std::move(code), {}});
      continue;
    }
    QUERN_ASSIGN_OR_RETURN(Cubin cubin,
                           options.assembler->assemble(
                               code.empty() ? getText(answer.kernel) : code,
                               answer.kernel.entryPoint, variant.name));
    answer.binaries.push_back({std::move(cubin.code), cubin.resources});
    answer.warnings.insert(answer.warnings.end(), cubin.warnings.begin(),
                           cubin.warnings.end());
  }
  return answer;
}

static void reportWarnings(const std::string &name,
                           const std::vector<std::string> &warnings,
                           const CodegenOptions &options) {
  if (!options.warn)
    return;
  for (const std::string &warning : warnings)
    options.warn("kernel '" + name + "': " + warning);
}

bool hasCubin(const CodeVariant &variant, const PtxAssembler *assembler) {
  return assembler && assembler->knows(variant.name);
}

Status answerRequests(ModuleOp module, const TargetDescription &target,
                      const CodegenOptions &options,
                      llvm::StringMap<KernelBinary> &kernels) {
  SmallVector<exec::KernelOp> ops(module.getOps<exec::KernelOp>());
  std::vector<KernelRequest> requests;
  for (exec::KernelOp op : ops) {
    QUERN_ASSIGN_OR_RETURN(KernelRequest request, convertRequest(op));
    requests.push_back(std::move(request));
  }
  if (!options.dumpDir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.dumpDir, error);
    if (error)
      return ioError("can't create the folder '" + options.dumpDir +
                     "': " + error.message());
  }

  std::vector<std::optional<Result<Answer>>> results(requests.size());
  std::atomic<size_t> next = 0, done = 0;
  std::mutex progressMutex;
  auto work = [&] {
    KernelCompiler compiler;
    for (size_t i = next++; i < requests.size(); i = next++) {
      const TargetDescription *own =
          options.schedule ? options.schedule(requests[i]) : nullptr;
      TargetDescription scheduled = own ? *own : target;
      // All kernels have the same: a schedule knows of no assembler.
      scheduled.variants = target.variants;
      results[i] = answer(compiler, requests[i], scheduled, options);
      std::lock_guard lock(progressMutex);
      ++done;
      if (options.progress)
        options.progress(done, requests.size());
    }
  };
  unsigned count =
      options.threads ? options.threads : std::thread::hardware_concurrency();
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::min<size_t>(count, requests.size()); ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();

  for (size_t i = 0; i < requests.size(); ++i) {
    Result<Answer> &result = *results[i];
    if (!result.isOk())
      return std::move(result).takeStatus().withContext(
          "kernel '" + requests[i].name + "' for target " + target.name);
    CompiledKernel &kernel = result->kernel;
    reportWarnings(requests[i].name, result->warnings, options);
    ops[i].setLaunchAttr(convertLaunch(module.getContext(), kernel));
    kernels[requests[i].name] = {std::move(kernel.code),
                                 std::move(result->binaries), kernel.idealBytes,
                                 kernel.flops};
  }
  return Status::ok();
}

} // namespace quern
