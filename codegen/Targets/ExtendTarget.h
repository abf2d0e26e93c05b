//===- ExtendTarget.h - Target files that extend another one ----*- C++ -*-===//
#ifndef QUERN_CODEGEN_TARGETS_EXTENDTARGET_H
#define QUERN_CODEGEN_TARGETS_EXTENDTARGET_H

#include "runtime/base/Status.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace quern {

inline constexpr uint64_t maxTargetBytes = 1 << 16;

/// The text of a built-in target.
using TargetLookup =
    std::function<std::optional<std::string_view>(std::string_view name)>;

/// The text of a target file that stands for itself: `json` as it is, or, if it
/// has a member "extends", that target with the members of `json` in place of
/// its own. A member is replaced as a whole, objects too. Corrupt: `json` is
/// malformed or extends what there is not.
Result<std::string> extendTarget(std::string_view json,
                                 const TargetLookup &lookup,
                                 unsigned depth = 4);

} // namespace quern

#endif // QUERN_CODEGEN_TARGETS_EXTENDTARGET_H
