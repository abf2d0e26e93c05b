//===- InspectCode.cpp - The code of one kernel ---------------------------===//

#include "tools/quern/InspectCode.h"

#include "runtime/base/Escape.h"
#include "runtime/base/Process.h"
#include "runtime/bundle/Bundle.h"
#include "tools/quern/Inspect.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace quern;
using namespace quern::tool;

static std::string_view toText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

static Status print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size())
    return Status::ok();
  return ioError(std::string("cannot write to the standard output: ") +
                 std::strerror(errno));
}

Result<uint32_t> tool::findInspectedTarget(const Bundle &bundle,
                                           const std::string &name) {
  std::string known;
  for (uint32_t i = 0; i < bundle.getTargetCount(); ++i) {
    std::string_view found = toView(bundle.getTarget(i).target()->name());
    if (name.empty() || name == found)
      return i;
    known += (i ? ", " : "") + quoteName(found);
  }
  return notFound(bundle.getName() + ": no target " + quoteName(name) +
                  ", it has " + known);
}

static Result<uint32_t> findKernel(const Bundle &bundle, uint32_t target,
                                   const std::string &name) {
  const auto &kernels = *bundle.getTarget(target).kernels();
  for (uint32_t i = 0; i < kernels.size(); ++i)
    if (name == toView(kernels.Get(i)->name()))
      return i;
  return notFound(bundle.getName() + ": no kernel " + quoteName(name) +
                  "; `quern inspect` lists them");
}

/// Runs spirv-dis, whose standard output is ours, and feeds it the module.
static Status disassemble(std::span<const std::byte> code) {
  if (std::system("command -v spirv-dis >/dev/null 2>&1") != 0)
    return notFound("spirv-dis is not installed: install the package "
                    "spirv-tools, or write the module with --raw");
  std::fflush(stdout);
  std::FILE *pipe = ::popen("spirv-dis -", "w");
  if (!pipe)
    return ioError(std::string("cannot run spirv-dis: ") +
                   std::strerror(errno));
  size_t written = std::fwrite(code.data(), 1, code.size(), pipe);
  int result = ::pclose(pipe);
  if (written != code.size() || result != 0)
    return ioError(
        "spirv-dis failed with exit code " +
        std::to_string(WIFEXITED(result) ? WEXITSTATUS(result) : result));
  return Status::ok();
}

/// Raw modules go to files.
static Status printRaw(std::span<const std::byte> code) {
  if (::isatty(STDOUT_FILENO))
    return invalidArgument("the standard output is a terminal; redirect it "
                           "to a file to write a module");
  return print(toText(code));
}

bool tool::hasCubins(const bundle::Architecture &architecture) {
  const auto *features = architecture.required_features();
  for (uint32_t i = 0; features && i != features->size(); ++i)
    if (toView(features->Get(i)).starts_with("cubin-"))
      return true;
  return false;
}

/// The number of the architecture that the options name, or of the first, of
/// those that have cubins or that have none.
static Result<uint32_t> findArchitecture(const Bundle &bundle, uint32_t target,
                                         const std::string &name, bool cubins) {
  const auto *architectures = bundle.getTarget(target).architectures();
  std::string known;
  for (uint32_t i = 0; architectures && i != architectures->size(); ++i) {
    std::string_view found = toView(architectures->Get(i)->name());
    if (hasCubins(*architectures->Get(i)) != cubins)
      continue;
    if (name.empty() || name == found)
      return i;
    known += (known.empty() ? "" : ", ") + quoteName(found);
  }
  if (known.empty())
    return notFound(bundle.getName() +
                    ": no code for an architecture; compile for a CUDA target "
                    "where ptxas is installed, or for cpu:all");
  return notFound(bundle.getName() + ": no code for " + quoteName(name) +
                  ", it has code for " + known);
}

/// Prints what a disassembler makes of the code in a file.
static Status disassemble(const std::string &program,
                          std::vector<std::string> arguments,
                          std::span<const std::byte> code) {
  QUERN_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::create());
  std::string path = folder.getPath() + "/kernel";
  if (std::ofstream file(path, std::ios::binary);
      !(file << toText(code)).flush())
    return ioError("can't write " + quoteName(path));
  arguments.push_back(path);
  QUERN_ASSIGN_OR_RETURN(ProgramOutput output, runProgram(program, arguments));
  if (output.exitCode != 0)
    return ioError(quoteName(program) + " failed with exit code " +
                   std::to_string(output.exitCode) + ": " +
                   output.text.substr(0, 400));
  return print(output.text);
}

static Status showAsm(const Bundle &bundle, uint32_t target, uint32_t kernel,
                      const InspectOptions &options) {
  std::string_view api = toView(bundle.getTarget(target).target()->api());
  if (api != "cpu")
    return unsupported("the code of a kernel for " + quoteName(api) +
                       " is not of a CPU");
  std::span<const std::byte> code = bundle.getKernelCode(target, kernel);
  if (!options.architecture.empty()) {
    QUERN_ASSIGN_OR_RETURN(uint32_t architecture,
                           findArchitecture(bundle, target,
                                            options.architecture,
                                            /*cubins=*/false));
    code = bundle.getBinaryCode(target, kernel, architecture);
  }
  if (options.raw)
    return printRaw(code);
  Result<std::string> program =
      findProgram("llvm-objdump", "QUERN_OBJDUMP", "/usr/lib/llvm-22/bin");
  if (!program.isOk() && !std::getenv("QUERN_OBJDUMP"))
    program = findProgram("objdump", "QUERN_OBJDUMP", "/usr/bin");
  if (!program.isOk())
    return std::move(program).takeStatus().withContext(
        "llvm-objdump or objdump is needed, or write the image with --raw");
  return disassemble(*program, {"-d", "--no-show-raw-insn"}, code);
}

static Status showSass(const Bundle &bundle, uint32_t target, uint32_t kernel,
                       const InspectOptions &options) {
  QUERN_ASSIGN_OR_RETURN(
      uint32_t architecture,
      findArchitecture(bundle, target, options.architecture, /*cubins=*/true));
  std::span<const std::byte> code =
      bundle.getBinaryCode(target, kernel, architecture);
  if (options.raw)
    return printRaw(code);
  Result<std::string> program =
      findProgram("nvdisasm", "QUERN_NVDISASM", "/usr/local/cuda/bin");
  if (!program.isOk())
    return std::move(program).takeStatus().withContext(
        "nvdisasm is needed: install a CUDA toolkit or PyPI's "
        "nvidia-cuda-nvdisasm, or write the cubin with --raw");
  return disassemble(*program, {"--print-code"}, code);
}

Status tool::showCode(const Bundle &bundle, const InspectOptions &options) {
  QUERN_ASSIGN_OR_RETURN(uint32_t target,
                         findInspectedTarget(bundle, options.targetName));
  std::string_view api = toView(bundle.getTarget(target).target()->api());
  bool wantsSpirv = !options.spirvName.empty();
  const std::string &name = wantsSpirv                  ? options.spirvName
                            : !options.asmName.empty()  ? options.asmName
                            : !options.sassName.empty() ? options.sassName
                                                        : options.ptxName;
  QUERN_ASSIGN_OR_RETURN(uint32_t kernel, findKernel(bundle, target, name));
  if (!options.sassName.empty())
    return showSass(bundle, target, kernel, options);
  if (!options.asmName.empty())
    return showAsm(bundle, target, kernel, options);
  std::span<const std::byte> code = bundle.getKernelCode(target, kernel);
  if (!options.architecture.empty()) {
    QUERN_ASSIGN_OR_RETURN(uint32_t architecture,
                           findArchitecture(bundle, target,
                                            options.architecture,
                                            /*cubins=*/false));
    code = bundle.getBinaryCode(target, kernel, architecture);
  }
  if (options.raw)
    return printRaw(code);
  if (api != (wantsSpirv ? "vulkan" : "cuda"))
    return unsupported("the code of a kernel for " + quoteName(api) + " is " +
                       (wantsSpirv ? "not SPIR-V" : "not PTX") +
                       "; write it with --raw");
  if (wantsSpirv)
    return disassemble(code);
  std::string_view text = toText(code);
  return print(text.substr(0, text.find('\0'))); // Padded to whole words.
}
