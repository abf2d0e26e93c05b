//===- Inspect.h - Showing what is in a bundle ------------------*- C++ -*-===//
//
// `quern inspect`: a verified bundle as text, JSON or one HTML page. Works on
// any machine: needs no device.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_QUERN_INSPECT_H
#define QUERN_TOOLS_QUERN_INSPECT_H

#include "runtime/base/Status.h"

#include <string>

namespace quern {
class Bundle;
} // namespace quern

namespace quern::tool {

struct InspectOptions {
  std::string path;
  bool verify = false; ///< Check the hashes of weights and IR too.
  // At most one of these is set; none prints the summary.
  bool json = false;
  bool ir = false;        ///< Print the IR.
  std::string spirvName;  ///< Disassemble this kernel.
  std::string ptxName;    ///< Print the PTX of this kernel.
  std::string sassName;   ///< Disassemble this kernel's code of `architecture`.
  std::string asmName;    ///< Disassemble this kernel's code for CPUs.
  bool resources = false; ///< Print what kernels take of a GPU.
  std::string htmlPath;   ///< Write the page here.
  bool raw = false;       ///< With a name: the module as it is.
  std::string targetName; ///< Of which target; the first if empty.
  /// "sm_90a", the first if empty; "avx512vnni", the target's own if empty.
  std::string architecture;
};

/// Opens, verifies and shows the bundle on the standard output.
Status inspect(const InspectOptions &options);

/// Tables of sections, model, states, programs, kernels and the memory plan.
std::string describeAsText(const Bundle &bundle);
/// {"file", "format", "sections", "manifest"}; the manifest has the fields of
/// manifest.fbs. Offsets that are absent are null.
std::string describeAsJson(const Bundle &bundle);
/// A self-contained page: dispatch graph, memory plan over time, dispatches.
/// Shows describeAsJson, embedded, by a script of its own (InspectPage.html).
std::string describeAsHtml(const Bundle &bundle);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_INSPECT_H
