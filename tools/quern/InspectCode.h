//===- InspectCode.h - The code of one kernel -------------------*- C++ -*-===//
#ifndef QUERN_TOOLS_QUERN_INSPECTCODE_H
#define QUERN_TOOLS_QUERN_INSPECTCODE_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <string>

namespace quern {
class Bundle;
namespace bundle {
struct Architecture;
} // namespace bundle
} // namespace quern

namespace quern::tool {

struct InspectOptions;

/// The target called `name`, or the first.
Result<uint32_t> findInspectedTarget(const Bundle &bundle,
                                     const std::string &name);

/// Whether code for the architecture is cubins; else it is PTX, or of a CPU.
bool hasCubins(const bundle::Architecture &architecture);

/// Prints the kernel that the options name, in the form that they ask for.
Status showCode(const Bundle &bundle, const InspectOptions &options);

} // namespace quern::tool

#endif // QUERN_TOOLS_QUERN_INSPECTCODE_H
