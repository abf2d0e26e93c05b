//===- Fuzz.h - What every harness uses --------------------------*- C++
//-*-===//
//
// A harness is one file that defines LLVMFuzzerTestOneInput and states what it
// attacks and what accepted input must fulfil. quern_add_fuzzer (tools/cmake)
// builds it either with libFuzzer or with FuzzMain.cpp, which replays the
// corpus and some thousand fixed mutations of it as an ordinary test.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TEST_FUZZ_FUZZ_H
#define QUERN_TEST_FUZZ_FUZZ_H

#include "runtime/base/Escape.h"
#include "runtime/base/Status.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// Ends the process if a promise about accepted input is broken.
#define FUZZ_CHECK(condition)                                                  \
  do {                                                                         \
    if (!(condition)) {                                                        \
      std::fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__,          \
                   #condition);                                                \
      std::abort();                                                            \
    }                                                                          \
  } while (false)

namespace quern::fuzz {

inline std::string_view asText(const uint8_t *data, size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

/// What holds for the message of every refusal: bounded, one line, printable,
/// and the input's or the feature's fault.
inline void checkRefusal(const Status &status) {
  FUZZ_CHECK(status.getCode() == StatusCode::Corrupt ||
             status.getCode() == StatusCode::Unsupported);
  const std::string &message = status.getMessage();
  FUZZ_CHECK(!message.empty() && message.size() < 4096);
  FUZZ_CHECK(isValidUtf8(message));
  for (unsigned char c : message)
    FUZZ_CHECK(c >= 0x20 && c != 0x7F);
}

} // namespace quern::fuzz

#endif // QUERN_TEST_FUZZ_FUZZ_H
