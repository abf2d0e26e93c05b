//===- Allocation.h - Out of memory as a Status ------------------*- C++
//-*-===//
//
// The standard containers report a failed allocation by an exception. Functions
// that are part of an interface turn it into a Status here, so that none
// leaves the library.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BASE_ALLOCATION_H
#define QUERN_RUNTIME_BASE_ALLOCATION_H

#include "runtime/base/Status.h"

#include <new>
#include <string>
#include <string_view>

namespace quern {

/// A ResourceExhausted status, built even if there is no memory for its text.
inline Status outOfMemory(std::string_view doing) noexcept {
  try {
    return resourceExhausted("out of memory while " + std::string(doing));
  } catch (const std::bad_alloc &) {
    // Short enough to be stored without allocation.
    return Status(StatusCode::ResourceExhausted, "out of memory");
  }
}

/// body(), which returns a Status or a Result, with bad_alloc as
/// ResourceExhausted.
template <typename Body>
auto guardAllocation(std::string_view doing, Body &&body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return outOfMemory(doing);
  }
}

} // namespace quern

#endif // QUERN_RUNTIME_BASE_ALLOCATION_H
