//===- AssemblePtx.cpp - PTX -> code of an architecture -------------------===//
#include "codegen/CUDA/AssemblePtx.h"

#include "runtime/base/Escape.h"
#include "runtime/base/File.h"
#include "runtime/base/Process.h"

#include <array>
#include <charconv>
#include <fstream>
#include <optional>

using namespace quern;

static constexpr uint64_t maxCubinBytes = 64 << 20;

/// The number in front of `unit`, as in "152 bytes spill stores".
static std::optional<uint32_t> findNumber(std::string_view text,
                                          std::string_view unit) {
  size_t end = text.find(unit);
  if (end == std::string_view::npos || end == 0)
    return std::nullopt;
  size_t begin = end;
  while (begin > 0 && text[begin - 1] >= '0' && text[begin - 1] <= '9')
    --begin;
  uint32_t number = 0;
  auto [at, error] =
      std::from_chars(text.data() + begin, text.data() + end, number);
  if (error != std::errc() || at != text.data() + end)
    return std::nullopt;
  return number;
}

static std::string_view takeLine(std::string_view &text) {
  size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

Status quern::readPtxasReport(std::string_view report,
                              std::string_view entryPoint, Cubin &cubin) {
  KernelResources &resources = cubin.resources;
  std::string properties = "Function properties for " + std::string(entryPoint);
  bool hasStack = false, hasRegisters = false;
  while (!report.empty()) {
    std::string_view line = takeLine(report);
    if (line.find("warning") != std::string_view::npos)
      cubin.warnings.emplace_back(line);
    if (line.ends_with(properties)) {
      std::string_view next = takeLine(report);
      auto stack = findNumber(next, " bytes stack frame");
      auto stores = findNumber(next, " bytes spill stores");
      auto loads = findNumber(next, " bytes spill loads");
      hasStack = stack && stores && loads;
      resources.localMemory = stack.value_or(0);
      resources.spillStores = stores.value_or(0);
      resources.spillLoads = loads.value_or(0);
    } else if (line.find("Used ") != std::string_view::npos) {
      auto registers = findNumber(line, " registers");
      hasRegisters = registers.has_value();
      resources.registers = registers.value_or(0);
      resources.workgroupMemory = findNumber(line, " bytes smem").value_or(0);
    }
  }
  if (!hasStack || !hasRegisters)
    return internalError("ptxas did not say what the code takes");
  return Status::ok();
}

Result<PtxAssembler> PtxAssembler::find(const std::string &path) {
  PtxAssembler assembler;
  assembler.path = path;
  if (path.empty()) {
    QUERN_ASSIGN_OR_RETURN(assembler.path, findProgram("ptxas", "QUERN_PTXAS",
                                                       "/usr/local/cuda/bin"));
  }
  auto ask = [&](const char *option) -> Result<std::string> {
    std::array<std::string, 1> arguments = {option};
    QUERN_ASSIGN_OR_RETURN(ProgramOutput output,
                           runProgram(assembler.path, arguments));
    return std::move(output.text);
  };
  QUERN_ASSIGN_OR_RETURN(std::string version, ask("--version"));
  constexpr std::string_view release = "release ";
  if (size_t at = version.find(release); at != std::string::npos)
    std::from_chars(version.data() + at + release.size(),
                    version.data() + version.size(), assembler.majorVersion);
  if (assembler.majorVersion == 0)
    return invalidArgument(quoteName(assembler.path) +
                           " is no ptxas: --version does not name a release");
  QUERN_ASSIGN_OR_RETURN(assembler.help, ask("--help"));
  return assembler;
}

bool PtxAssembler::knows(std::string_view architecture) const {
  return help.find("'" + std::string(architecture) + "'") != std::string::npos;
}

Result<Cubin> PtxAssembler::assemble(std::string_view ptx,
                                     std::string_view entryPoint,
                                     const std::string &architecture) const {
  QUERN_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::create());
  std::string in = folder.getPath() + "/kernel.ptx";
  std::string out = folder.getPath() + "/kernel.cubin";
  if (std::ofstream file(in, std::ios::binary); !(file << ptx).flush())
    return ioError("can't write " + quoteName(in));
  std::array<std::string, 5> arguments = {"-v", "-arch=" + architecture, in,
                                          "-o", out};
  QUERN_ASSIGN_OR_RETURN(ProgramOutput output, runProgram(path, arguments));
  if (output.exitCode != 0)
    return internalError("ptxas refuses the code for " + architecture + ": " +
                         output.text.substr(0, 1000));
  Cubin cubin;
  QUERN_RETURN_IF_ERROR(readPtxasReport(output.text, entryPoint, cubin));
  QUERN_ASSIGN_OR_RETURN(cubin.code, readWholeFile(out, maxCubinBytes));
  return cubin;
}
