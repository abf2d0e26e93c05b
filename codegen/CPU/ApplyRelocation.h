//===- ApplyRelocation.h - One relocation of object code --------*- C++ -*-===//
#ifndef QUERN_CODEGEN_CPU_APPLYRELOCATION_H
#define QUERN_CODEGEN_CPU_APPLYRELOCATION_H

#include "runtime/base/Status.h"

#include <cstdint>

namespace quern {

/// Writes the address `value` (symbol and addend) as a relocation of `type` of
/// the ELF machine says into the bytes at `place`, of which there are 4 and
/// which lie at the address `at`. Addresses are those of an image that begins
/// on a page. Internal if the type is unknown, absolute, or the value does not
/// fit.
Status applyRelocation(uint16_t machine, uint32_t type, char *place,
                       uint64_t at, uint64_t value);

} // namespace quern

#endif // QUERN_CODEGEN_CPU_APPLYRELOCATION_H
