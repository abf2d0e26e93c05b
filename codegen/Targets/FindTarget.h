//===- FindTarget.h - Targets by name ---------------------------*- C++ -*-===//
#ifndef QUERN_CODEGEN_TARGETS_FINDTARGET_H
#define QUERN_CODEGEN_TARGETS_FINDTARGET_H

#include <optional>
#include <string_view>

namespace quern {

/// The file of a built-in target, which may extend another one.
std::optional<std::string_view> findTargetText(std::string_view name);

} // namespace quern

#endif // QUERN_CODEGEN_TARGETS_FINDTARGET_H
