//===- Inspect.cpp - Showing what is in a bundle --------------------------===//

#include "tools/quern/Inspect.h"

#include "runtime/base/AtomicFile.h"
#include "runtime/bundle/Bundle.h"
#include "tools/quern/InspectCode.h"
#include "tools/quern/Resources.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

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
  if (!options.spirvName.empty() || !options.ptxName.empty() ||
      !options.sassName.empty() || !options.asmName.empty())
    return showCode(bundle, options);
  if (options.resources) {
    QUERN_ASSIGN_OR_RETURN(uint32_t target,
                           findInspectedTarget(bundle, options.targetName));
    QUERN_ASSIGN_OR_RETURN(std::string text, describeResources(bundle, target));
    return print(text);
  }
  if (!options.htmlPath.empty())
    return writeFileAtomically(options.htmlPath, describeAsHtml(bundle));
  if (options.json)
    return print(describeAsJson(bundle) + "\n");
  QUERN_RETURN_IF_ERROR(print(describeAsText(bundle)));
  if (options.verify)
    return print("\nall checksums are right\n");
  return Status::ok();
}
