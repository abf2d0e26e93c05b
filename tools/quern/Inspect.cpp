//===- Inspect.cpp - Showing what is in a bundle --------------------------===//

#include "tools/quern/Inspect.h"

#include "runtime/base/AtomicFile.h"
#include "runtime/base/Escape.h"
#include "runtime/bundle/Bundle.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

using namespace quern;
using namespace quern::tool;

static Status print(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size())
    return Status::ok();
  return ioError(std::string("cannot write to the standard output: ") +
                 std::strerror(errno));
}

static Status print(std::string_view text) {
  return print(std::as_bytes(std::span(text)));
}

//===----------------------------------------------------------------------===//
// SPIR-V
//===----------------------------------------------------------------------===//

/// The target called `name`, or the first.
static Result<uint32_t> findTarget(const Bundle &bundle,
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

static Status showSpirv(const Bundle &bundle, const InspectOptions &options) {
  QUERN_ASSIGN_OR_RETURN(uint32_t target,
                         findTarget(bundle, options.targetName));
  QUERN_ASSIGN_OR_RETURN(uint32_t kernel,
                         findKernel(bundle, target, options.spirvName));
  std::string_view api = toView(bundle.getTarget(target).target()->api());
  if (!options.raw && api != "vulkan")
    return unsupported("the code of a kernel for " + quoteName(api) +
                       " is not SPIR-V; write it with --raw");
  std::span<const std::byte> code = bundle.getKernelCode(target, kernel);
  if (!options.raw)
    return disassemble(code);
  if (::isatty(STDOUT_FILENO))
    return invalidArgument("the standard output is a terminal; redirect it "
                           "to a file to write a module");
  return print(code);
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

Status tool::inspect(const InspectOptions &options) {
  BundleOptions bundleOptions;
  bundleOptions.loadWeights = false;
  bundleOptions.verifyWeights = options.verify;
  QUERN_ASSIGN_OR_RETURN(Bundle bundle,
                         Bundle::open(options.path, bundleOptions));
  if (options.ir) {
    QUERN_ASSIGN_OR_RETURN(std::string text, bundle.readIR());
    return print(text);
  }
  if (!options.spirvName.empty())
    return showSpirv(bundle, options);
  if (!options.htmlPath.empty())
    return writeFileAtomically(options.htmlPath, describeAsHtml(bundle));
  if (options.json)
    return print(describeAsJson(bundle) + "\n");
  QUERN_RETURN_IF_ERROR(print(describeAsText(bundle)));
  if (options.verify)
    return print("\nall checksums are right\n");
  return Status::ok();
}
